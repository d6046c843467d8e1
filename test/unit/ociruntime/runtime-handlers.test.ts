import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import type { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { NO_FEATURES, RuntimeHandlers } from '../../../src/ociruntime/runtime-handlers.ts';

/** A runtime that answers `features` with this, or fails. */
const runtime = (features: unknown): OciRuntime =>
  ({
    path: '/usr/sbin/x',
    features: async () => (features instanceof Error ? Promise.reject(features) : features),
  }) as unknown as OciRuntime;

const RUNC_1_2 = { ...NO_FEATURES, recursiveReadOnlyMounts: true, idmapMounts: true, userNamespace: true, checkpoints: true };

test('the empty name is the default handler; an unknown one is refused with those that are known', () => {
  const [runc, crun] = [runtime({}), runtime({})];
  const handlers = new RuntimeHandlers('crun', new Map([['runc', runc], ['crun', crun]])); // prettier-ignore
  assert.deepStrictEqual([handlers.get(''), handlers.get('runc'), handlers.names], [crun, runc, ['runc', 'crun']]);
  assert.throws(() => handlers.get('kata'), {
    kind: 'InvalidArgument',
    message: /"kata", which is not configured, must be one of: runc, crun/,
  });
});

test('a handler has the features that its runtime tells; one that tells none, or fails, has none', async () => {
  const handlers = new RuntimeHandlers(
    'new',
    new Map([
      ['new', runtime(RUNC_1_2)],
      ['old', runtime(NO_FEATURES)],
      ['silent', runtime(undefined)],
      ['broken', runtime(new Error('ENOENT'))],
    ]),
  );
  await handlers.probe(silentLog);
  assert.deepStrictEqual(['', 'new', 'old', 'silent', 'broken', 'unknown'].map((name) => handlers.features(name)), [
    RUNC_1_2,
    RUNC_1_2,
    NO_FEATURES,
    NO_FEATURES,
    NO_FEATURES,
    NO_FEATURES,
  ]); // prettier-ignore
});

test('pods of a handler have user namespaces where the runtime says all that is needed, and the node can', async () => {
  const withoutIdmap = { ...RUNC_1_2, idmapMounts: false };
  const withoutUser = { ...RUNC_1_2, userNamespace: false };
  const handlers = new RuntimeHandlers('new', new Map([['new', runtime(RUNC_1_2)], ['old', runtime(withoutIdmap)], ['odd', runtime(withoutUser)]])); // prettier-ignore
  const lacks = (): (string | undefined)[] => ['', 'new', 'old', 'odd'].map((name) => handlers.lacksForUserNamespaces(name));
  await handlers.probe(silentLog);
  assert.ok(lacks().every((words) => words !== undefined)); // until the node has been looked at

  handlers.nodeLacks = undefined;
  assert.deepStrictEqual(lacks(), [
    undefined,
    undefined,
    '/usr/sbin/x, the runtime of handler "old", does not say in its features that it has id-mapped mounts, as runc 1.2 or crun 1.9 and later do',
    '/usr/sbin/x, the runtime of handler "odd", does not say in its features that it has user namespaces',
  ]);
  handlers.nodeLacks = 'this kernel cannot';
  assert.deepStrictEqual(new Set(lacks()), new Set(['this kernel cannot']));
});

test('containers of a handler can be checkpointed where its runtime says so, or has not answered', async () => {
  const handlers = new RuntimeHandlers('new', new Map([['new', runtime(RUNC_1_2)], ['old', runtime(undefined)], ['slow', runtime(new Error('not finished after 2 s'))]])); // prettier-ignore
  await handlers.probe(silentLog);
  assert.deepStrictEqual(['', 'new', 'slow', 'old'].map((name) => handlers.lacksForCheckpoints(name)), [
    undefined,
    undefined,
    undefined,
    '/usr/sbin/x, the runtime of handler "old", does not say in its features that it can checkpoint, as runc 1.1 and a crun with CRIU do',
  ]); // prettier-ignore
});

test('"auto" is crun where it can do all that runc can and where it may be, else runc', async () => {
  const whole = runtime(RUNC_1_2);
  for (const [crun, allowed, expected] of [
    [whole, true, 'crun'],
    [whole, false, 'runc'],
    [runtime({ mountOptions: ['ro', 'rro'] }), true, 'runc'],
    [runtime(undefined), true, 'runc'],
    [runtime(new Error('ENOENT')), true, 'runc'],
    [undefined, true, 'runc'],
  ] as const) {
    const entries = crun === undefined ? [] : [['crun', crun] as const];
    const handlers = new RuntimeHandlers('runc', new Map([['runc', whole], ...entries]), { preferred: 'crun', allowed });
    await handlers.probe(silentLog);
    assert.equal(handlers.defaultName, expected);
    assert.equal(handlers.get(''), handlers.get(expected));
  }
});
