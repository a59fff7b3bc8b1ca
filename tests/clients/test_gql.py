"""The PyPI package gql: queries and mutations by HTTP, everything by WebSocket, through both of its transports."""

from contextlib import aclosing

import pytest
from gql import Client, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport

from conftest import VIEWER, within

PAGE = """
query Page($id: ID!, $first: Int!, $after: String) {
  conversation(id: $id) {
    messages(first: $first, after: $after) {
      edges { node { id body sequence } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

SEND = """
mutation Send($input: MessageSendInput!) {
  messageSend(input: $input) { message { id body sequence } errors { code message path } }
}
"""

EVENTS = """
subscription Events($after: EventCursor, $conversations: [ID!]) {
  events(input: { after: $after, conversationIds: $conversations }) {
    __typename
    cursor
    ... on MessageSent { message { body sequence } }
  }
}
"""


def by_http(hub, cable):
    return AIOHTTPTransport(f"http://{cable.url}", headers=hub.headers("alice"))


def by_websockets(hub, cable):
    return by_socket(WebsocketsTransport, hub, cable)


def by_aiohttp_websockets(hub, cable):
    return by_socket(AIOHTTPWebsocketsTransport, hub, cable)


def by_socket(transport, hub, cable):
    return transport(
        f"ws://{cable.url}",
        init_payload={"authorization": f"Bearer {hub.token('alice')}"},
        # Left to itself, gql 4.4 offers an older protocol too, and takes the hub to speak that one: it looks for the
        # answer under `Sec-WebSocket-Protocol` by the letter, and the names of headers come in lower case.
        subprotocols=[transport.GRAPHQLWS_SUBPROTOCOL],
    )


async def ask(session, document, **variables):
    return await within(session.execute(GraphQLRequest(document, variable_values=variables)), "an answer")


def bodies(page):
    return [edge["node"]["body"] for edge in page["edges"]]


# F: A-01, M-01, M-03, M-04, M-07
@pytest.mark.parametrize("transport", [by_http, by_websockets, by_aiohttp_websockets])
async def test_a_client_signs_in_pages_and_sends(hub, cable, transport):
    group = hub.group("one", "two", "three")
    # The client reads the schema from the hub, and checks each of its documents against it.
    async with Client(transport=transport(hub, cable), fetch_schema_from_transport=True) as session:
        viewer = (await ask(session, VIEWER))["viewer"]
        assert viewer["user"]["name"] == "alice"

        first = (await ask(session, PAGE, id=group, first=2))["conversation"]["messages"]
        assert bodies(first) == ["one", "two"]
        after = first["pageInfo"]["endCursor"]
        rest = (await ask(session, PAGE, id=group, first=2, after=after))["conversation"]["messages"]
        assert bodies(rest) == ["three"]
        assert rest["pageInfo"]["hasNextPage"] is False

        sent = (await ask(session, SEND, input={"conversationId": group, "body": "four"}))["messageSend"]
        assert sent["errors"] == []
        assert sent["message"]["sequence"] == 4
        refused = (await ask(session, SEND, input={"conversationId": group, "body": ""}))["messageSend"]
        assert refused["message"] is None
        assert refused["errors"][0]["code"] == "MISSING"


# F: M-03, L-03
@pytest.mark.parametrize("transport", [by_websockets, by_aiohttp_websockets])
async def test_a_client_whose_socket_is_lost_resumes_with_its_last_cursor(hub, cable, transport):
    group = hub.group("before")
    heard = []

    def follow(session, after):
        return aclosing(
            session.subscribe(GraphQLRequest(EVENTS, variable_values={"after": after, "conversations": [group]}))
        )

    async def hear(events):
        event = (await within(anext(events), "an event"))["events"]
        heard.append(event)
        return event

    async with Client(transport=transport(hub, cable)) as session:
        cursor = (await ask(session, VIEWER))["eventCursor"]
        async with follow(session, cursor) as events:
            assert (await hear(events))["__typename"] == "CaughtUp"
            hub.say("bob", group, "live 1")
            await hear(events)
            await ask(session, SEND, input={"conversationId": group, "body": "live 2"})
            await hear(events)
            cable.cut()
            with pytest.raises((TransportError, ConnectionError)):
                await hear(events)

    for body in ["missed 1", "missed 2", "missed 3"]:
        hub.say("bob", group, body)

    async with Client(transport=transport(hub, cable)) as session, follow(session, heard[-1]["cursor"]) as events:
        while (await hear(events))["__typename"] != "CaughtUp":
            pass
        hub.say("bob", group, "live 3")
        await hear(events)

    messages = [event["message"] for event in heard if event["__typename"] == "MessageSent"]
    assert [message["body"] for message in messages] == [
        "live 1",
        "live 2",
        "missed 1",
        "missed 2",
        "missed 3",
        "live 3",
    ]
    assert [message["sequence"] for message in messages] == [2, 3, 4, 5, 6, 7]
