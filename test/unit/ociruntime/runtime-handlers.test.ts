import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import type { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { RuntimeHandlers } from '../../../src/ociruntime/runtime-handlers.ts';

/** A runtime that answers `features` with this, or fails. */
const runtime = (features: unknown): OciRuntime =>
  ({
    path: '/usr/sbin/x',
    features: async () => (features instanceof Error ? Promise.reject(features) : features),
  }) as unknown as OciRuntime;

const RUNC_1_2 = { recursiveReadOnlyMounts: true, idmapMounts: true, netDevices: false };
const NOTHING = { recursiveReadOnlyMounts: false, idmapMounts: false, netDevices: false };

test('the empty name is the default handler; an unknown one is refused with those that are known', () => {
  const [runc, crun] = [runtime({}), runtime({})];
  const handlers = new RuntimeHandlers('crun', new Map([['runc', runc], ['crun', crun]])); // prettier-ignore
  assert.deepStrictEqual([handlers.get(''), handlers.get('runc'), handlers.names], [crun, runc, ['runc', 'crun']]);
  assert.throws(() => handlers.get('kata'), { kind: 'InvalidArgument', message: /"kata" is not configured, must be one of: runc, crun/ });
});

test('a handler has the features that its runtime tells; one that tells none, or fails, has none', async () => {
  const handlers = new RuntimeHandlers(
    'new',
    new Map([
      ['new', runtime(RUNC_1_2)],
      ['old', runtime(NOTHING)],
      ['silent', runtime(undefined)],
      ['broken', runtime(new Error('ENOENT'))],
    ]),
  );
  await handlers.probe(silentLog);
  assert.deepStrictEqual(['', 'new', 'old', 'silent', 'broken', 'unknown'].map((name) => handlers.features(name)), [
    { recursiveReadOnlyMounts: true, idmapMounts: true, netDevices: false },
    { recursiveReadOnlyMounts: true, idmapMounts: true, netDevices: false },
    NOTHING,
    NOTHING,
    NOTHING,
    NOTHING,
  ]); // prettier-ignore
});
