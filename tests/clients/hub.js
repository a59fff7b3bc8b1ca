// A hub of one's own: started on a free port and an empty folder, driven only from outside, stopped by its pid.
// Everything here stands on node alone, so that a client under test is never both the subject and the witness.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const binary = process.env.HUB_BINARY;
assert(binary, 'HUB_BINARY must name the program; tests/clients/run sets it');

// What a developer set for a hub of theirs is not for ours.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('JACKFIELD_')));

// A test file that is ended early, by its time limit or by hand, takes its hubs with it.
const running = new Set();
process.once('SIGTERM', () => process.exit(1));
process.once('exit', () => running.forEach((hub) => hub.kill('SIGKILL')));

/** No wait is longer, and one that is says what it waited for. */
const PATIENCE_SECONDS = 20;

export async function within(promise, what, seconds = PATIENCE_SECONDS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what}`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Hub {
  #data;
  #process;
  #port;
  #tokens = new Map();
  #cables = [];

  static async start() {
    const hub = new Hub();
    hub.#data = await mkdtemp(join(tmpdir(), 'jackfield-clients-'));
    await hub.#launch();
    return hub;
  }

  async #launch() {
    const anywhere = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0'];
    this.#process = spawn(binary, ['--data', this.#data, ...anywhere], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const launched = this.#process;
    running.add(launched);
    launched.once('exit', () => running.delete(launched));
    let log = '';
    this.#process.stderr.on('data', (chunk) => (log += chunk));
    const listening = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('exit', (code) => reject(new Error(`the hub ended with ${code} before it listened:\n${log}`)));
      createInterface(this.#process.stdout).on('line', (line) => {
        const told = line.match(/^listening on (\S+)/);
        if (told) resolve(new URL(told[1]));
      });
    });
    this.#port = (await within(listening, 'the hub to listen')).port;
  }

  async #end() {
    const { pid, exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`the hub had ended by itself: ${exitCode ?? signalCode}`);
    const exited = once(this.#process, 'exit');
    process.kill(pid, 'SIGTERM');
    const [code] = await within(exited, 'the hub to drain and end').catch((late) => {
      process.kill(pid, 'SIGKILL');
      throw late;
    });
    assert.equal(code, 0, 'the hub did not end as it should');
  }

  async stop() {
    for (const cable of this.#cables) cable.close();
    await this.#end().finally(() => rm(this.#data, { recursive: true, force: true }));
  }

  /** Ends the process as an operator would, and starts another on the same folder. */
  async restart() {
    await this.#end();
    await this.#launch();
  }

  get url() {
    return `http://127.0.0.1:${this.#port}/graphql`;
  }

  /** A token for a user; the same one each time, unless it is asked for with flags of its own. */
  async token(user, ...flags) {
    const make = async () => {
      const run = promisify(execFile)(binary, ['--data', this.#data, 'token', '--user', user, ...flags], { env });
      return (await within(run, 'a token')).stdout.trim();
    };
    if (flags.length > 0) return make();
    if (!this.#tokens.has(user)) this.#tokens.set(user, make());
    return this.#tokens.get(user);
  }

  /** Somebody with a role, who is let in with it from then on. */
  async somebody(user, role) {
    this.#tokens.set(user, this.token(user, '--role', role));
    await this.ask(user, VIEWER);
    return user;
  }

  /** Moderation is on, and flags a word; answers who keeps the peace. Its fields are part of the API also where it is off. */
  async moderate(word) {
    const owner = await this.somebody('olga', 'owner');
    const act = async (mutation, input) => {
      const type = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input!`;
      const query = `mutation ($input: ${type}) { ${mutation}(input: $input) { errors { message } } }`;
      const done = await this.ask(owner, query, { input: { pluginId: 'jackfield.moderation', ...input } });
      assert.deepEqual(done[mutation].errors, []);
    };
    await act('pluginEnable', {});
    await act('pluginConfigure', { configuration: { rules: [{ kind: 'words', action: 'flag', words: [word] }] } });
    return this.somebody('mo', 'moderator');
  }

  /** What others do while a client under test looks on: plain JSON by POST. */
  async ask(user, query, variables = {}) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${await this.token(user)}` };
    const body = JSON.stringify({ query, variables });
    const signal = AbortSignal.timeout(PATIENCE_SECONDS * 1000);
    const answer = await (await fetch(this.url, { method: 'POST', headers, body, signal })).json();
    assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
    return answer.data;
  }

  /** A group of alice and bob, in which bob has already said what is given. */
  async group(...said) {
    const { viewer } = await this.ask('bob', '{ viewer { user { id } } }');
    const { conversationCreate: made } = await this.ask(
      'alice',
      `mutation ($input: ConversationCreateInput!) {
        conversationCreate(input: $input) { conversation { id } errors { message } }
      }`,
      { input: { type: 'GROUP', title: 'Lunch', memberIds: [viewer.user.id] } },
    );
    assert.deepEqual(made.errors, []);
    const group = made.conversation.id;
    for (const body of said) await this.say('bob', group, body);
    return group;
  }

  async say(user, conversationId, body) {
    const { messageSend: sent } = await this.ask(
      user,
      'mutation ($input: MessageSendInput!) { messageSend(input: $input) { message { id } errors { message } } }',
      { input: { conversationId, body } },
    );
    assert.deepEqual(sent.errors, []);
    return sent.message.id;
  }

  /** A line to the hub that can be cut under a client, without a word to either side. */
  async cable() {
    const cable = new Cable(() => this.#port);
    this.#cables.push(cable);
    await cable.open();
    return cable;
  }
}

class Cable {
  #server;
  #sockets = new Set();

  constructor(port) {
    this.#server = net.createServer((near) => {
      const far = net.connect(port(), '127.0.0.1');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ]) {
        this.#sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  async open() {
    this.#server.listen(0, '127.0.0.1');
    await within(once(this.#server, 'listening'), 'the cable to listen');
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/graphql`;
  }

  get socketUrl() {
    return this.url.replace('http', 'ws');
  }

  /** Resets every connection there is; new ones can be made at once. */
  cut() {
    assert(this.#sockets.size > 0, 'there was no connection to cut');
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** What a subscription said, as far as it has come, and where it would go on. */
export class Tape {
  events = [];
  #watchers = new Set();

  /** The sink that graphql-ws, graphql-sse and Apollo take alike. */
  sink = {
    next: ({ data, errors }) => {
      if (errors) return this.#fail(errors);
      this.events.push(data.events);
      for (const watcher of this.#watchers) watcher.look();
    },
    error: (error) => this.#fail(error),
    complete: () => this.#fail(new Error('the subscription ended')),
  };

  get cursor() {
    return this.events.at(-1)?.cursor;
  }

  of(type) {
    return this.events.filter((event) => event.__typename === type);
  }

  get bodies() {
    return this.of('MessageSent').map((event) => event.message.body);
  }

  /** Waits until so many events of a type have come. */
  async until(type, count) {
    let watcher;
    const come = new Promise((resolve, reject) => {
      watcher = { look: () => this.of(type).length >= count && resolve(), fail: reject };
    });
    this.#watchers.add(watcher);
    watcher.look();
    await within(come, `${count} × ${type}; came: ${JSON.stringify(this.events)}`).finally(() =>
      this.#watchers.delete(watcher),
    );
  }

  #fail(error) {
    const told = error instanceof Error ? error : new Error(JSON.stringify(error) ?? String(error), { cause: error });
    for (const watcher of this.#watchers) watcher.fail(told);
  }
}

/** The one result of a query or mutation, through a client that speaks as graphql-ws and graphql-sse do. */
export async function ask(client, query, variables) {
  const { value } = await within(client.iterate({ query, variables }).next(), 'an answer');
  assert.equal(value.errors, undefined, JSON.stringify(value.errors));
  return value.data;
}

/** What is said in a group from a cursor on, through such a client; it comes back by itself when its line was lost. */
export function follow(client, group, cursor) {
  const tape = new Tape();
  // The client writes its variables anew for each attempt, and a getter lets them say how far it has come.
  const variables = {
    conversations: [group],
    get after() {
      return tape.cursor ?? cursor;
    },
  };
  return { tape, leave: client.subscribe({ query: EVENTS, variables }, tape.sink) };
}

export const VIEWER = '{ viewer { user { id name } workspace { slug } } eventCursor }';

export const PAGE = `query Page($id: ID!, $first: Int!, $after: String) {
  conversation(id: $id) {
    id
    messages(first: $first, after: $after) {
      edges { cursor node { id body sequence } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

export const SEND = `mutation Send($input: MessageSendInput!) {
  messageSend(input: $input) { message { id body sequence } errors { code message path } }
}`;

export const EVENTS = `subscription Events($after: EventCursor, $conversations: [ID!]) {
  events(input: { after: $after, conversationIds: $conversations }) {
    __typename
    cursor
    ... on MessageSent { message { id body sequence sender { name } } }
  }
}`;
