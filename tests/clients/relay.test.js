// The npm package relay-compiler reads schema.graphql with Relay's own demands on ids, nodes and connections, and the
// documents that it writes are asked of a hub.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Hub, within } from './hub.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

let hub, project;
before(async () => {
  hub = await Hub.start();
  project = await mkdtemp(join(tmpdir(), 'jackfield-relay-'));
  await cp(here('relay'), project, { recursive: true });
  await cp(here('../../schema.graphql'), join(project, 'schema.graphql'));
  // The compiler wants to find what it is to write.
  await mkdir(join(project, 'artifacts'));
  await writeFile(join(project, 'documents.json'), '{}');
});
after(async () => {
  if (project) await rm(project, { recursive: true, force: true });
  await hub?.stop();
});

// F: M-07
test('a project with fragments, pagination, a mutation and a subscription compiles', async () => {
  const compiler = createRequire(import.meta.url).resolve('relay-compiler/cli.js');
  const compiled = promisify(execFile)(process.execPath, [compiler, '--noWatchman'], { cwd: project });
  await within(compiled, 'relay-compiler', 60);
  const artifacts = await readdir(join(project, 'artifacts'));
  for (const name of ['MessageListPaginationQuery', 'MessageListSendMutation', 'MessageListEventsSubscription', 'CaseListQuery']) {
    assert.ok(artifacts.includes(`${name}.graphql.ts`), `${name} is not among ${artifacts}`);
  }
});

// F: M-01, M-07
test('the hub answers what Relay compiled', async () => {
  const documents = Object.values(JSON.parse(await readFile(join(project, 'documents.json'), 'utf8')));
  const document = (name) => documents.find((text) => new RegExp(`\\b${name}\\b`).test(text));
  const group = await hub.group('one', 'two', 'three');

  const { messageSend } = await hub.ask('alice', document('MessageListSendMutation'), {
    input: { conversationId: group, body: 'four' },
  });
  assert.deepEqual(messageSend.errors, []);

  // Relay reads backwards from the end, through the interface `Node`.
  const pagination = document('MessageListPaginationQuery');
  const { node: last } = await hub.ask('alice', pagination, { id: group, count: 3 });
  assert.deepEqual(
    last.messages.edges.map(({ node }) => node.body),
    ['two', 'three', 'four'],
  );
  assert.equal(last.messages.pageInfo.hasPreviousPage, true);
  const { node: first } = await hub.ask('alice', pagination, {
    id: group,
    count: 3,
    cursor: last.messages.pageInfo.startCursor,
  });
  assert.deepEqual(
    first.messages.edges.map(({ node }) => node.body),
    ['one'],
  );
  assert.equal(first.messages.pageInfo.hasPreviousPage, false);

  const { node } = await hub.ask('alice', document('ConversationPageQuery'), { id: group });
  assert.equal(node.__typename, 'Conversation');
  const { conversations } = await hub.ask('alice', document('ConversationPagePaginationQuery'), { count: 1 });
  assert.equal(conversations.edges[0].node.title, 'Lunch');
});

// F: P-07
test('a plugin answers what Relay compiled against the composed schema', async () => {
  const documents = Object.values(JSON.parse(await readFile(join(project, 'documents.json'), 'utf8')));
  const document = (name) => documents.find((text) => new RegExp(`\\b${name}\\b`).test(text));
  const moderator = await hub.moderate('storm');
  await hub.group('a storm', 'calm');

  const { moderationCases: page } = await hub.ask(moderator, document('CaseListQuery'), { count: 5 });
  assert.equal(page.hasNextPage, false);
  assert.deepEqual(
    page.cases.map(({ outcome, state, found, user }) => ({ outcome, state, found, user: user.name })),
    [{ outcome: 'FLAGGED', state: 'OPEN', found: ['storm'], user: 'bob' }],
  );
  const resolve = (id) =>
    hub.ask(moderator, document('CaseListResolveMutation'), { input: { id, resolution: 'UPHELD', pardon: true } });
  const { moderationCaseResolve: done } = await resolve(page.cases[0].id);
  assert.deepEqual([done.case.state, done.errors], ['RESOLVED', []]);
  const { moderationCaseResolve: refused } = await resolve(page.cases[0].id);
  assert.deepEqual([refused.case, refused.errors[0].pluginCode], [null, 'CASE_RESOLVED']);
});
