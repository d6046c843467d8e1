import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { AdminBackend } from '../../../src/admin/backend.ts';
import type { PullsEvent } from '../../../src/admin/image-reports.ts';
import type { PullSnapshot } from '../../../src/base/pull-snapshot.ts';
import { AdminServer } from '../../../src/admin/server.ts';
import { silentLog } from '../../../src/base/log.ts';

const PULL = { id: 1, image: 'registry.test/app:1', receivedBytes: 0 } as unknown as PullSnapshot;

/** A server for pulls that are as the test says. @returns the path of its socket, and what ends a pull. */
async function serve(
  t: TestContext,
  pulls: PullSnapshot[],
): Promise<{ readonly socketPath: string; readonly end: (pull: PullSnapshot) => void }> {
  const folder = await mkdtemp(join(tmpdir(), 'podwright-admin-'));
  const listeners = new Set<(pull: PullSnapshot) => void>();
  const backend = {
    pulls: () => ({ pulls: [...pulls], leftOut: 0 }),
    onPullEnded: (listener: (pull: PullSnapshot) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const server = new AdminServer(join(folder, 'admin.sock'), backend as unknown as AdminBackend, silentLog);
  await server.listen();
  t.after(async () => {
    await server.close();
    await remove(folder);
    assert.equal(listeners.size, 0, 'who has left is told no more');
  });
  const end = (pull: PullSnapshot): void => {
    pulls.splice(0, 1);
    for (const listener of listeners) listener(pull);
  };
  return { socketPath: join(folder, 'admin.sock'), end };
}

async function get(socketPath: string, path: string): Promise<IncomingMessage> {
  const [answer] = (await once(request({ socketPath, path, agent: false }).end(), 'response')) as [IncomingMessage];
  return answer.on('error', () => undefined);
}

test('pulls are told all at once, then what changes, and what has ended', async (t) => {
  const pulls = [PULL];
  const { socketPath, end } = await serve(t, pulls);
  const answer = await get(socketPath, '/v1/pulls');
  setTimeout(() => {
    pulls[0] = { ...PULL, receivedBytes: 5 };
  }, 100);
  setTimeout(() => {
    end({ ...PULL, receivedBytes: 9, outcome: 'OK' });
  }, 900);
  const events = (await text(answer)).trimEnd().split('\n').map((line) => JSON.parse(line) as unknown); // prettier-ignore
  assert.deepEqual(events, [
    { event: 'pulls', pulls: [PULL], leftOut: 0 },
    { event: 'pull', pull: { ...PULL, receivedBytes: 5 } },
    { event: 'ended', pull: { ...PULL, receivedBytes: 9, outcome: 'OK' } },
    { event: 'done' },
  ]);
});

test('of pulls that are too large for one line the first are told, how many are not, and those then as changes', async (t) => {
  const all = Array.from({ length: 30 }, (_, id) => ({ ...PULL, id, error: 'x'.repeat(60_000) }));
  const pulls: PullSnapshot[] = [...all];
  const { socketPath } = await serve(t, pulls);
  const answer = await get(socketPath, '/v1/pulls');
  const events: PullsEvent[] = [];
  for await (const line of createInterface({ input: answer })) {
    events.push(JSON.parse(line) as PullsEvent);
    if (events.length === 14) pulls.length = 0; // all that did not fit have been told
  }
  const [first, ...others] = events;
  assert.ok(first?.event === 'pulls');
  assert.deepEqual([first.pulls, first.leftOut], [all.slice(0, 17), 13]);
  assert.deepEqual(others, [...all.slice(17).map((pull) => ({ event: 'pull', pull })), { event: 'done' }]);
});

test('eight may watch pulls at once; one that has left makes room', async (t) => {
  const { socketPath } = await serve(t, [PULL]);
  const watchers = await Promise.all(Array.from({ length: 8 }, async () => get(socketPath, '/v1/pulls?follow=true')));
  const refused = await get(socketPath, '/v1/pulls');
  assert.equal(refused.statusCode, 503);
  assert.match(await text(refused), /watch pulls: 8 watch already, must be at most 8/);
  watchers[0]?.destroy();
  for (const end = Date.now() + 5000; ;) {
    const answer = await get(socketPath, '/v1/pulls?follow=true');
    if (answer.statusCode === 200) {
      answer.destroy();
      break;
    }
    assert.ok(Date.now() < end);
    answer.resume();
  }
  for (const watcher of watchers) watcher.destroy();
  await new Promise((resolve) => setTimeout(resolve, 300));
});
