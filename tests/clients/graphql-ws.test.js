// The npm package graphql-ws: everything over one WebSocket.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Hub, PAGE, SEND, VIEWER, ask, follow, within } from './hub.js';

let hub, cable;
before(async () => {
  hub = await Hub.start();
  cable = await hub.cable();
});
after(() => hub?.stop());

function connect(options = {}) {
  const connectionParams = async () => ({ authorization: `Bearer ${await hub.token('alice')}` });
  // Not lazy: one socket from the beginning to the end, as a program that shows messages would have it.
  return createClient({ url: cable.socketUrl, webSocketImpl: WebSocket, lazy: false, connectionParams, ...options });
}

// F: A-01, M-01, M-03, M-07
test('a client signs in, pages and sends over one socket', async () => {
  const group = await hub.group('one', 'two', 'three');
  const client = connect();

  const { viewer } = await ask(client, VIEWER);
  assert.equal(viewer.user.name, 'alice');
  assert.equal(viewer.workspace.slug, 'default');

  const { messages: first } = (await ask(client, PAGE, { id: group, first: 2 })).conversation;
  assert.deepEqual(
    first.edges.map(({ node }) => node.body),
    ['one', 'two'],
  );
  assert.equal(first.pageInfo.hasNextPage, true);
  const { messages: rest } = (await ask(client, PAGE, { id: group, first: 2, after: first.pageInfo.endCursor }))
    .conversation;
  assert.deepEqual(
    rest.edges.map(({ node }) => node.body),
    ['three'],
  );
  assert.equal(rest.pageInfo.hasNextPage, false);

  const { messageSend } = await ask(client, SEND, { input: { conversationId: group, body: 'four' } });
  assert.deepEqual(messageSend.errors, []);
  assert.equal(messageSend.message.sequence, 4);
  await client.dispose();
});

// F: A-01
test('a bad token is turned away with the code that means Forbidden', async () => {
  const client = connect({ lazy: true, connectionParams: { authorization: 'Bearer not.a.token' }, retryAttempts: 0 });
  const refused = within(client.iterate({ query: VIEWER }).next(), 'a refusal');
  await assert.rejects(refused, (closed) => closed.code === 4403);
});

// F: L-10
test('a client that says goodbye is answered, and not cut off', async () => {
  const client = connect();
  await ask(client, VIEWER);
  const closed = new Promise((resolve) => client.on('closed', resolve));
  await client.dispose();
  // 1006 would say that the hub dropped the line instead of finishing the closing handshake (RFC 6455, 5.5.1).
  assert.equal((await within(closed, 'the socket to close')).code, 1000);
});

// F: L-02
for (const document of ['{', '{ nonsense }', 'subscription { events { nonsense } }']) {
  test(`the document ${document} is an error of its operation, and the socket lives on`, async () => {
    const client = connect();
    const errors = await within(client.iterate({ query: document }).next(), 'an error').catch((errors) => errors);
    assert.equal(errors[0]?.extensions?.code, 'BAD_REQUEST', JSON.stringify(errors));
    assert.equal((await ask(client, VIEWER)).viewer.user.name, 'alice');
    await client.dispose();
  });
}

// F: M-03, L-03
test('a client whose socket is lost resumes with its last cursor and gets exactly what it missed', async () => {
  const group = await hub.group('before');
  const client = connect({
    retryWait: async () => {
      // The client is off the line until this is done.
      for (const body of ['missed 1', 'missed 2', 'missed 3']) await hub.say('bob', group, body);
    },
  });
  const { eventCursor } = await ask(client, VIEWER);
  const { tape, leave } = follow(client, group, eventCursor);
  await tape.until('CaughtUp', 1);
  await hub.say('bob', group, 'live 1');
  await ask(client, SEND, { input: { conversationId: group, body: 'live 2' } });
  await tape.until('MessageSent', 2);

  cable.cut();
  await tape.until('CaughtUp', 2);
  await hub.say('bob', group, 'live 3');
  await tape.until('MessageSent', 6);

  assert.deepEqual(tape.bodies, ['live 1', 'live 2', 'missed 1', 'missed 2', 'missed 3', 'live 3']);
  assert.deepEqual(
    tape.of('MessageSent').map(({ message }) => message.sequence),
    [2, 3, 4, 5, 6, 7],
  );
  leave();
  await client.dispose();
});

// F: M-03, L-03
test('a socket that is cut again and again in a stream of messages loses and doubles none', async () => {
  const group = await hub.group();
  const client = connect({ retryWait: async () => {}, retryAttempts: 100 });
  const { eventCursor } = await ask(client, VIEWER);
  const { tape, leave } = follow(client, group, eventCursor);
  await tape.until('CaughtUp', 1);

  const said = Array.from({ length: 60 }, (_, index) => `message ${index}`);
  const talking = (async () => {
    for (const body of said) await hub.say('bob', group, body);
  })();
  for (const count of [10, 25, 40]) {
    await tape.until('MessageSent', count);
    cable.cut();
  }
  await Promise.all([talking, tape.until('MessageSent', said.length)]);
  assert.deepEqual(tape.bodies, said);
  leave();
  await client.dispose();
});

// F: L-03, L-04
test('a client of a hub that restarts comes back by itself and has missed nothing', async () => {
  const group = await hub.group();
  const closed = [];
  let restarted;
  const client = connect({ retryWait: () => restarted, on: { closed: ({ code }) => closed.push(code) } });
  const { eventCursor } = await ask(client, VIEWER);
  const { tape, leave } = follow(client, group, eventCursor);
  await tape.until('CaughtUp', 1);
  await hub.say('bob', group, 'to the old one');

  restarted = hub.restart().then(() => hub.say('bob', group, 'to the new one'));
  await within(restarted, 'a restart');
  await tape.until('MessageSent', 2);
  assert.deepEqual(tape.bodies, ['to the old one', 'to the new one']);
  assert.ok(closed.includes(1012), `closed with ${closed}, and 1012 means: come back`);
  leave();
  await client.dispose();
});

// F: A-01
test('a token that expires closes the socket, and the client goes on with a new one', async () => {
  const group = await hub.group();
  const tokens = [await hub.token('alice', '--ttl', '2s')];
  const closed = [];
  const client = connect({
    connectionParams: async () => ({ authorization: `Bearer ${tokens.shift() ?? (await hub.token('alice'))}` }),
    retryWait: () => hub.say('bob', group, 'while signed out'),
    on: { closed: ({ code }) => closed.push(code) },
  });
  const { eventCursor } = await hub.ask('alice', VIEWER);
  const { tape, leave } = follow(client, group, eventCursor);
  await tape.until('CaughtUp', 2);
  assert.equal(closed[0], 4403);
  assert.deepEqual(tape.bodies, ['while signed out']);
  leave();
  await client.dispose();
});
