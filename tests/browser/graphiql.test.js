// The page that the first sign-in link opens: GraphiQL, served by the hub alone.
// F: L-06, L-10

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

const PATIENCE = { timeout: 20_000 };
let folder, hub, link, browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jackfield-browser-'));
  // What a developer set for a hub of theirs is not for ours.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('JACKFIELD_')));
  const flags = ['--data', folder, '--listen', '127.0.0.1:0', '--metrics-listen', 'off'];
  hub = spawn(process.env.HUB_BINARY, flags, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(hub.stdout)) {
    link = line.match(/^sign in, once, with (\S+)/)?.[1] ?? link;
    if (line.startsWith('listening on ')) break;
  }
  assert(link, 'the first start prints a sign-in link');
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  const ended = once(hub, 'exit');
  hub.kill();
  await ended;
  await rm(folder, { recursive: true, force: true });
});

test('the sign-in link opens GraphiQL, signed in, and everything on it is from the hub', async () => {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  const origin = new URL(link).origin;
  page.on('request', (request) => {
    if (/^(https?|wss?):/.test(request.url()) && !request.url().startsWith(origin)) complaints.push(request.url());
  });

  await page.goto(link);
  const run = page.locator('.graphiql-execute-button');
  await run.waitFor(PATIENCE);
  assert.equal(page.url(), `${origin}/graphiql`, 'the token does not stay in the address');

  const shows = (text) =>
    page.waitForFunction((text) => document.querySelector('.result-window')?.textContent.includes(text), text, PATIENCE);
  await run.click();
  await page.getByRole('menuitem', { name: 'Me' }).click(PATIENCE);
  await shows('"isOperator": true');
  await run.click();
  await page.getByRole('menuitem', { name: 'Live' }).click(PATIENCE);
  await shows('CaughtUp');
  assert.deepEqual(complaints, []);
});

test('the link signs in once', async () => {
  const page = await browser.newPage();
  const answer = await page.goto(link);
  assert.equal(answer.status(), 410);
  assert.match(await page.textContent('body'), /used before/);
});
