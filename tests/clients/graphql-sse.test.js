// The npm package graphql-sse, in its distinct connections mode: a stream of server-sent events for each operation.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'graphql-sse';
import { Hub, PAGE, SEND, VIEWER, ask, follow, within } from './hub.js';

let hub, cable;
before(async () => {
  hub = await Hub.start();
  cable = await hub.cable();
});
after(() => hub?.stop());

function connect(options = {}) {
  const headers = async () => ({ authorization: `Bearer ${await hub.token('alice')}` });
  return createClient({ url: cable.url, headers, ...options });
}

// F: A-01, M-01, M-03, M-07
test('a client signs in, pages and sends', async () => {
  const group = await hub.group('one', 'two', 'three');
  const client = connect();

  const { viewer } = await ask(client, VIEWER);
  assert.equal(viewer.user.name, 'alice');

  const { messages: first } = (await ask(client, PAGE, { id: group, first: 2 })).conversation;
  assert.deepEqual(
    first.edges.map(({ node }) => node.body),
    ['one', 'two'],
  );
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
  client.dispose();
});

// F: A-01
test('a bad token is turned away with 401', async () => {
  const client = connect({ headers: { authorization: 'Bearer not.a.token' }, retryAttempts: 0 });
  const refused = within(client.iterate({ query: VIEWER }).next(), 'a refusal');
  await assert.rejects(refused, (error) => error.response?.status === 401);
});

// F: L-02
for (const document of ['{', '{ nonsense }', 'subscription { events { nonsense } }']) {
  // Anything but an event stream would look like a lost line, and the client would try again and again.
  test(`the document ${document} is answered by an event with its errors`, async () => {
    const client = connect({ retryAttempts: 0 });
    const { value } = await within(client.iterate({ query: document }).next(), 'an error');
    assert.equal(value.errors[0].extensions.code, 'BAD_REQUEST');
    client.dispose();
  });
}

// F: M-03, L-03
test('a client whose stream is lost resumes with its last cursor and gets exactly what it missed', async () => {
  const group = await hub.group('before');
  const client = connect({
    retry: async () => {
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
  client.dispose();
});

// F: L-03, L-04
test('a client of a hub that restarts comes back by itself and has missed nothing', async () => {
  const group = await hub.group();
  let restarted;
  const client = connect({ retry: () => restarted });
  const { eventCursor } = await ask(client, VIEWER);
  const { tape, leave } = follow(client, group, eventCursor);
  await tape.until('CaughtUp', 1);
  await hub.say('bob', group, 'to the old one');

  restarted = hub.restart().then(() => hub.say('bob', group, 'to the new one'));
  await within(restarted, 'a restart');
  await tape.until('MessageSent', 2);
  assert.deepEqual(tape.bodies, ['to the old one', 'to the new one']);
  leave();
  client.dispose();
});
