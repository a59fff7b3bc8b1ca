// The audit of the npm package graphql-http: GraphQL over HTTP as its specification says, by the people who wrote it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { Hub, within } from './hub.js';

let hub, token;
before(async () => {
  hub = await Hub.start();
  token = await hub.token('alice');
});
after(() => hub?.stop());

const audits = serverAudits({
  url: () => hub.url,
  fetchFn: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, authorization: `Bearer ${token}` } }),
});

// F: L-10
test('the audit has all of its checks', () => assert.equal(audits.length, 61));

for (const { id, name, fn } of audits) {
  // F: L-10
  test(`${id} ${name}`, async () => {
    const { status, reason, response } = await within(fn(), `check ${id}`);
    const answer =
      response && `${response.status} ${response.headers.get('content-type')} ${await response.text().catch(() => '')}`;
    assert.equal(status, 'ok', `${reason}; the answer was ${answer}`);
  });
}
