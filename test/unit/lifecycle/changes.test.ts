import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../api/nri/messages.ts';
import type { ContainerUpdate, Init } from '../../../api/nri/messages.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Container } from '../../../src/container/container.ts';
import type { Containers } from '../../../src/container/containers.ts';
import { Changes } from '../../../src/lifecycle/changes.ts';
import { container, MADE } from '../../support/objects.ts';
import { HOST } from '../../support/spec-inputs.ts';

const EXITED = { is: 'Exited', ...MADE, finishedAtNs: 4_000n, exitCode: 0, reason: 'Completed', message: '' } as const;
const named = (name: string, state?: Container['state']): [string, Container] => [
  name,
  container({ id: name as Container['record']['id'], ...(state === undefined ? {} : { state }) }),
];
const BY_ID = new Map([
  named('there'),
  named('parked', { is: 'Parked', ...MADE }),
  named('ended', EXITED),
  named('stubborn'),
  named('hung'),
]);

function lab(): { changes: Changes; done: string[] } {
  const done: string[] = [];
  const containers = {
    store: { get: (id: string) => BY_ID.get(id) },
    adjust: async (id: string): Promise<void> => {
      if (id === 'stubborn') throw new DaemonError('FailedPrecondition', 'it is being killed');
      if (id === 'hung') return new Promise(() => undefined);
      done.push(`adjust ${id}`);
      return Promise.resolve();
    },
    stop: async (id: string, timeoutMs: number): Promise<void> => {
      done.push(`stop ${id} ${timeoutMs}`);
      return id === 'stubborn' ? Promise.reject(new Error('no')) : Promise.resolve();
    },
  } as unknown as Containers;
  return { changes: new Changes({ containers, hostFacts: () => HOST, log: silentLog }), done };
}

const update = (containerId: string, init: Init<ContainerUpdate> = { linux: { resources: { cpu: { cpus: '0' } } } }): ContainerUpdate =>
  messages.ContainerUpdate.decode(messages.ContainerUpdate.encode({ containerId, ...init }));

test('updates are done; of what is not there, or has ended, or names nothing, nothing is done', async () => {
  const { changes, done } = lab();
  const failed = await changes.update([update('there'), update('gone'), update('ended'), update('there', {}), update('parked')], '10-test');
  assert.deepStrictEqual([failed, done], [[], ['adjust there', 'adjust parked']]);
});

test('those that fail are told, unless their failure is to be ignored, and the others are done', async () => {
  const { changes, done } = lab();
  const linux = { resources: { blockioClass: { value: 'fast' } } };
  const failing = [update('stubborn'), update('there', { linux })];
  const ignored = [update('stubborn', { linux: { resources: { cpu: { cpus: '0' } } }, ignoreFailure: true })];
  assert.deepStrictEqual(await changes.update([...failing, ...ignored, update('there')], '10-test'), failing);
  assert.deepStrictEqual(done, ['adjust there']);
});

test('a container whose update hangs holds up no other', async () => {
  const { changes, done } = lab();
  void changes.update([update('hung'), update('there')], '10-test');
  await Promise.resolve();
  assert.deepStrictEqual(done, ['adjust there']);
});

test('an eviction stops a container at once; where that fails, the others go all the same', async () => {
  const { changes, done } = lab();
  const evictions = ['stubborn', 'gone', 'ended', 'there'].map((containerId) => ({ containerId, reason: 'memory', plugin: '10-test' }));
  await changes.evict(evictions);
  assert.deepStrictEqual(done, ['stop stubborn 0', 'stop there 0']);
});
