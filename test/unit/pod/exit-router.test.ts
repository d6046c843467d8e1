import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../../../src/base/deadline.ts';
import { silentLog } from '../../../src/base/log.ts';
import { routeExit, watchInfraProcesses } from '../../../src/pod/exit-router.ts';
import type { PodParts } from '../../../src/pod/stop-pod.ts';
import type { Sandbox } from '../../../src/podsandbox/sandbox.ts';
import { CONTAINER_ID, GONE, sandbox, SANDBOX_ID } from '../../support/objects.ts';

const INFRA = { process: GONE, monitor: GONE };

/** A node with one sandbox, and what was asked of it. */
function world(only: Sandbox, markLost: () => Promise<void> = async () => undefined) {
  const lost: string[] = [];
  const errors: string[] = [];
  const seen: string[] = [];
  const parts = {
    sandboxes: {
      list: () => [only],
      store: { claims: (id: string) => id === SANDBOX_ID, get: (id: string) => (id === SANDBOX_ID ? only : undefined) },
      markLost: async (id: string) => {
        lost.push(id);
        await markLost();
      },
    },
    containers: { exits: { exitFileSeen: async (id: string) => seen.push(id) } },
    log: { ...silentLog, error: (message: string) => errors.push(message) },
  } as unknown as PodParts;
  return { parts, lost, errors, seen };
}

const ready = sandbox({ state: { is: 'Ready', network: { ips: [] }, infra: INFRA, ownsCgroup: false } });

/** Waits until it is so, 10 s at most. */
async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !isSo(); tries += 1) await sleep(10);
}

/** Lets the watch run until it is so. */
async function watchUntil(parts: PodParts, isSo: () => boolean): Promise<void> {
  const stop = new AbortController();
  const watching = watchInfraProcesses(parts, stop.signal);
  await until(isSo);
  stop.abort();
  await watching;
}

test('a Ready sandbox whose infra process is gone is lost', async () => {
  const { parts, lost } = world(ready);
  await watchUntil(parts, () => lost.length > 0);
  assert.deepStrictEqual(lost, [SANDBOX_ID]);
});

test('a sandbox without infra process, or one that is being stopped, is none of its business', async () => {
  for (const each of [sandbox(), sandbox({ state: { ...ready.state, is: 'Stopping' } })]) {
    const { parts, lost } = world(each);
    const begun = performance.now();
    await watchUntil(parts, () => performance.now() - begun > 50);
    assert.deepStrictEqual(lost, []);
  }
});

test('the watch goes on where a loss cannot be put on record', async () => {
  const { parts, errors } = world(ready, async () => Promise.reject(new Error('ENOSPC')));
  await watchUntil(parts, () => errors.length > 0);
  assert.deepStrictEqual(errors, ['looking after an infra process failed']);
});

test('an exit file goes to the sandbox that it is about, else to the containers', async () => {
  const { parts, lost, seen } = world(ready);
  routeExit(parts, SANDBOX_ID);
  routeExit(parts, CONTAINER_ID);
  await until(() => lost.length + seen.length === 2);
  assert.deepStrictEqual({ lost, seen }, { lost: [SANDBOX_ID], seen: [CONTAINER_ID] });
});
