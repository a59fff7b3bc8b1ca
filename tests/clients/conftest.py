"""A hub of one's own: started on a free port and an empty folder, driven only from outside, stopped by its pid.

Everything here stands on Python alone, so that a client under test is never both the subject and the witness.
"""

import asyncio
import json
import os
import queue
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest

BINARY = os.environ.get("HUB_BINARY")
# What a developer set for a hub of theirs is not for ours.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")}

PATIENCE_SECONDS = 20
"""No wait is longer."""

VIEWER = "{ viewer { user { id name } workspace { slug } } eventCursor }"


async def within(awaitable, what: str):
    try:
        return await asyncio.wait_for(awaitable, PATIENCE_SECONDS)
    except TimeoutError as late:
        raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}") from late


class Hub:
    def __init__(self, data: Path):
        assert BINARY, "HUB_BINARY must name the program; tests/clients/run sets it"
        self.data = data
        self.log = (data / "log").open("w+")
        anywhere = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [BINARY, "--data", data / "hub", *anywhere],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.url = f"{self._address()}/graphql"
        self._tokens: dict[str, str] = {}

    def _address(self) -> str:
        lines: queue.Queue[str | None] = queue.Queue()

        def read() -> None:
            for line in self.process.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        try:
            while line := lines.get(timeout=PATIENCE_SECONDS):
                if line.startswith("listening on "):
                    return line.split()[-1]
        except queue.Empty:
            self.process.kill()
        self.log.seek(0)
        raise AssertionError(f"the hub does not listen:\n{self.log.read()}")

    def stop(self) -> None:
        assert self.process.poll() is None, f"the hub had ended by itself: {self.process.returncode}"
        self.process.terminate()
        try:
            assert self.process.wait(PATIENCE_SECONDS) == 0, "the hub did not end as it should"
        finally:
            self.process.kill()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def token(self, user: str) -> str:
        if user not in self._tokens:
            made = subprocess.run(
                [BINARY, "--data", self.data / "hub", "token", "--user", user],
                env=ENVIRONMENT,
                capture_output=True,
                check=True,
                text=True,
                timeout=PATIENCE_SECONDS,
            )
            self._tokens[user] = made.stdout.strip()
        return self._tokens[user]

    def headers(self, user: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(user)}"}

    def ask(self, user: str, query: str, **variables) -> dict:
        """What others do while a client under test looks on: plain JSON by POST."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", **self.headers(user)}
        request = urllib.request.Request(self.url, body, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def group(self, *said: str) -> str:
        """A group of alice and bob, in which bob has already said what is given."""
        bob = self.ask("bob", VIEWER)["viewer"]["user"]["id"]
        made = self.ask(
            "alice",
            """mutation ($input: ConversationCreateInput!) {
                conversationCreate(input: $input) { conversation { id } errors { message } }
            }""",
            input={"type": "GROUP", "title": "Lunch", "memberIds": [bob]},
        )["conversationCreate"]
        assert made["errors"] == []
        group = made["conversation"]["id"]
        for body in said:
            self.say("bob", group, body)
        return group

    def say(self, user: str, group: str, body: str) -> str:
        sent = self.ask(
            user,
            "mutation ($input: MessageSendInput!) { messageSend(input: $input) { message { id } errors { message } } }",
            input={"conversationId": group, "body": body},
        )["messageSend"]
        assert sent["errors"] == []
        return sent["message"]["id"]


class Cable:
    """A line to the hub that can be cut under a client, without a word to either side."""

    def __init__(self, port: int):
        self.far_port = port
        self.writers: set[asyncio.StreamWriter] = set()
        self.pumps: set[asyncio.Task] = set()

    async def __aenter__(self) -> "Cable":
        self.server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}/graphql"
        return self

    async def __aexit__(self, *_) -> None:
        self.server.close()
        self._reset()
        await asyncio.gather(*self.pumps)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.far_port)
        for source, target in [(reader, far_writer), (far_reader, writer)]:
            self.writers.add(target)
            pump = asyncio.create_task(self._pump(source, target))
            self.pumps.add(pump)
            pump.add_done_callback(self.pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                target.write(chunk)
                await target.drain()
            target.close()
        except OSError:
            target.transport.abort()
        self.writers.discard(target)

    def cut(self) -> None:
        assert self.writers, "there was no connection to cut"
        self._reset()

    def _reset(self) -> None:
        for writer in list(self.writers):
            writer.transport.abort()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("jackfield"))
    yield hub
    hub.stop()


@pytest.fixture
async def cable(hub):
    async with Cable(hub.port) as cable:
        yield cable
