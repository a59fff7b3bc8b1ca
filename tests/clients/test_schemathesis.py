"""The PyPI package schemathesis: a minute of documents made up from the schema, and not one INTERNAL error."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import VIEWER

SCHEMA = Path(__file__).parents[2] / "schema.graphql"
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "60"))

# In place of its own `not_a_server_error`, for which a resolver that refuses somebody has failed.
CHECKS = """
import schemathesis
from graphql import ObjectFieldNode, ObjectValueNode, NameNode
from hypothesis import strategies
from schemathesis.graphql import nodes

plain = strategies.one_of(
    strategies.text(strategies.characters(codec="utf-8"), max_size=20).map(nodes.String),
    strategies.integers(-(2**31), 2**31 - 1).map(nodes.Int),
    strategies.booleans().map(nodes.Boolean),
)
fields = strategies.dictionaries(strategies.sampled_from(["rules", "words", "kind"]), plain).map(
    lambda known: ObjectValueNode(
        fields=tuple(ObjectFieldNode(name=NameNode(value=name), value=value) for name, value in known.items())
    )
)
schemathesis.graphql.scalar("JSON", plain | fields)

THE_CLIENTS = {"BAD_REQUEST", "COMPLEXITY_LIMIT", "NOT_ALLOWED"}

@schemathesis.check
def never_the_hubs_fault(context, response, case):
    assert response.status_code < 500, response.status_code
    errors = response.json().get("errors") or []
    others = [error for error in errors if error.get("extensions", {}).get("code") not in THE_CLIENTS]
    assert others == [], others
"""


@pytest.fixture
def configuration(hub, tmp_path):
    """Tells schemathesis what it cannot guess: sizes of pages, and ids of things that are there."""
    group = hub.group("one", "two", "three")
    message = hub.say("bob", group, "four")
    seen = hub.ask(
        "alice",
        """query ($group: ID!) {
          viewer { user { id } }
          conversations(first: 1) { edges { cursor } }
          conversation(id: $group) { messages(first: 1) { edges { cursor } } members(first: 1) { edges { cursor } } }
        }""",
        group=group,
    )
    lists = [seen["conversations"], seen["conversation"]["messages"], seen["conversation"]["members"]]
    known = {
        "ids": [group, message, seen["viewer"]["user"]["id"], hub.ask("bob", VIEWER)["viewer"]["user"]["id"]],
        "sizes": [1, 2, 100],
        "cursors": [page["edges"][0]["cursor"] for page in lists],
    }
    ids = ["id", "ids[*]", "around", "input.conversationId", "input.replyToId", "input.memberIds[*]"]
    used = [*((name, "ids", 0.7) for name in ids), ("first", "sizes", 0.7), ("after", "cursors", 0.5)]
    (tmp_path / "checks.py").write_text(CHECKS)
    lines = [
        'hooks = "checks"',
        "[dictionaries]",
        *(f"{name}.values = {json.dumps(values)}" for name, values in known.items()),
        "[parameters]",
        *(f'"*.*.{name}" = {{ dictionary = "{known}", probability = {often} }}' for name, known, often in used),
        "[generation]",
        'database = "none"',
    ]
    path = tmp_path / "schemathesis.toml"
    path.write_text("\n".join(lines))
    return path


# F: L-02, M-04, S-04
def test_no_document_that_the_schema_allows_is_an_internal_error(hub, configuration, capsys):
    seed = os.environ.get("SCHEMATHESIS_SEED") or str(secrets.randbits(64))
    with capsys.disabled():
        print(f"\nschemathesis for {SECONDS} s with SCHEMATHESIS_SEED={seed}", flush=True)
    run = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    run += ["--config-file", configuration, "run", SCHEMA, "--url", hub.url]
    run += ["--header", f"Authorization: Bearer {hub.token('alice')}"]
    run += ["--max-time", str(SECONDS), "--seed", seed, "--phases", "fuzzing", "--request-timeout", "10"]
    run += ["--checks", "response_schema_conformance,never_the_hubs_fault"]
    run += ["--report", "ndjson", "--report-ndjson-path", configuration.with_name("report.ndjson"), "--no-color"]
    done = subprocess.run(run, cwd=configuration.parent, capture_output=True, text=True, timeout=SECONDS + 120)
    with capsys.disabled():
        print(done.stdout[-20_000:], done.stderr)
    assert done.returncode == 0, "schemathesis found something; see above"
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated and int(generated[1]) > SECONDS, "hardly anything was asked"
