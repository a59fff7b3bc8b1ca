// The npm package @apollo/client: queries and mutations by HTTP into its cache, subscriptions through GraphQLWsLink.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { filter, firstValueFrom, from, map } from 'rxjs';
import WebSocket from 'ws';
import { EVENTS, Hub, PAGE, SEND, Tape, VIEWER, within } from './hub.js';

let hub, cable;
before(async () => {
  hub = await Hub.start();
  cable = await hub.cable();
});
after(() => hub?.stop());

async function connect(token = hub.token('alice')) {
  const authorization = `Bearer ${await token}`;
  const http = new HttpLink({ uri: cable.url, headers: { authorization } });
  const socket = createClient({
    url: cable.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    // Apollo keeps the variables that it was given, so a lost subscription is for the program to begin again.
    retryAttempts: 0,
  });
  const isLive = ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION;
  const link = ApolloLink.split(isLive, new GraphQLWsLink(socket), http);
  const cache = new InMemoryCache({ typePolicies: { Conversation: { fields: { messages: relayStylePagination() } } } });
  return new ApolloClient({ link, cache });
}

// F: A-01
test('a client signs in, and one with a bad token is told so', async () => {
  const { data } = await within((await connect()).query({ query: gql(VIEWER) }), 'the viewer');
  assert.equal(data.viewer.user.name, 'alice');

  const refused = within((await connect('not.a.token')).query({ query: gql(VIEWER) }), 'a refusal');
  await assert.rejects(
    refused,
    (error) => CombinedGraphQLErrors.is(error) && error.errors[0].extensions.code === 'UNAUTHENTICATED',
  );
});

// F: M-01, M-04
test('a mutation is answered with what it did, or with what a rule refused and where', async () => {
  const group = await hub.group();
  const client = await connect();
  const send = (body) =>
    within(client.mutate({ mutation: gql(SEND), variables: { input: { conversationId: group, body } } }), 'an answer');

  const { messageSend: sent } = (await send('hello')).data;
  assert.equal(sent.message.body, 'hello');
  assert.equal(sent.message.sequence, 1);
  assert.deepEqual(sent.errors, []);

  const { messageSend: refused } = (await send('')).data;
  assert.equal(refused.message, null);
  assert.equal(refused.errors[0].code, 'MISSING');
  assert.deepEqual(refused.errors[0].path, ['input', 'body']);
  assert.ok(refused.errors[0].message);
});

// F: M-07
test("pages of messages grow into one list by Apollo's own Relay-style pagination", async () => {
  const said = Array.from({ length: 7 }, (_, index) => `message ${index}`);
  const group = await hub.group(...said);
  const client = await connect();
  const messages = client.watchQuery({ query: gql(PAGE), variables: { id: group, first: 3 } });
  const shown = from(messages).pipe(map(({ data }) => data?.conversation?.messages));
  const showing = (count) =>
    within(firstValueFrom(shown.pipe(filter((list) => list?.edges.length === count))), `${count} messages`);

  let list = await showing(3);
  for (const count of [6, 7]) {
    assert.equal(list.pageInfo.hasNextPage, true);
    await within(messages.fetchMore({ variables: { after: list.pageInfo.endCursor } }), 'the next page');
    list = await showing(count);
  }
  assert.equal(list.pageInfo.hasNextPage, false);
  assert.deepEqual(
    list.edges.map(({ node }) => node.body),
    said,
  );
});

// F: P-07
test('fields of plugins are asked for, cached and changed like the core\'s own', async () => {
  const moderator = await hub.moderate('storm');
  await hub.group('a storm');
  const client = await connect(hub.token(moderator));
  const CASES = gql`query Cases { moderationCases(first: 5, state: null) { cases { id state outcome found user { id name } } hasNextPage } }`;
  const RESOLVE = gql`mutation Resolve($input: ModerationCaseResolveInput!) {
    moderationCaseResolve(input: $input) { case { id state decision { resolution } } errors { code pluginCode } }
  }`;
  const { data } = await within(client.query({ query: CASES }), 'the cases');
  const [found] = data.moderationCases.cases;
  assert.deepEqual([found.__typename, found.outcome, found.found, found.user.name], ['ModerationCase', 'FLAGGED', ['storm'], 'bob']);
  const input = { id: found.id, resolution: 'DISMISSED' };
  const done = await within(client.mutate({ mutation: RESOLVE, variables: { input } }), 'a decision');
  assert.deepEqual(done.data.moderationCaseResolve.errors, []);
  // What the mutation answered is in the cache under the same id.
  const { data: cached } = await client.query({ query: CASES, fetchPolicy: 'cache-only' });
  assert.equal(cached.moderationCases.cases[0].state, 'RESOLVED');

  // Beside a message it is null for who does not keep the peace, and a field among others.
  const BESIDE = gql`query Beside { conversations(first: 1) { nodes { messages(first: 1) { nodes { body moderationCase { id } } } } } }`;
  const { data: beside } = await within((await connect(hub.token('bob'))).query({ query: BESIDE }), 'messages');
  assert.deepEqual(beside.conversations.nodes[0].messages.nodes[0].moderationCase, null);
  client.stop();
});

// F: M-03, L-03
test('a client whose socket is lost subscribes again with its last cursor and gets just what it missed', async () => {
  const group = await hub.group('before');
  const client = await connect();
  const tape = new Tape();
  const subscribe = (after) => {
    const variables = { conversations: [group], after };
    return new Promise((lost) => {
      // Apollo hands errors out as values, in the field `error`.
      const hear = ({ data, error }) => (error ? lost(error) : tape.sink.next({ data }));
      client.subscribe({ query: gql(EVENTS), variables, fetchPolicy: 'no-cache' }).subscribe(hear);
    });
  };

  const { data } = await within(client.query({ query: gql(VIEWER) }), 'the viewer');
  const lost = subscribe(data.eventCursor);
  await tape.until('CaughtUp', 1);
  await hub.say('bob', group, 'live 1');
  await client.mutate({ mutation: gql(SEND), variables: { input: { conversationId: group, body: 'live 2' } } });
  await tape.until('MessageSent', 2);

  cable.cut();
  await within(lost, 'the subscription to notice');
  for (const body of ['missed 1', 'missed 2', 'missed 3']) await hub.say('bob', group, body);
  subscribe(tape.cursor);
  await tape.until('CaughtUp', 2);
  await hub.say('bob', group, 'live 3');
  await tape.until('MessageSent', 6);

  assert.deepEqual(tape.bodies, ['live 1', 'live 2', 'missed 1', 'missed 2', 'missed 3', 'live 3']);
  client.stop();
});
