import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSpec } from '../../../src/ocispec/read-spec.ts';
import { jsonOf } from '../../../src/ocispec/spec-json.ts';

const SPEC = {
  ociVersion: '1.0.2',
  process: { apparmorProfile: 'podwright-default', selinuxLabel: 'u:r:t:s0:c1,c2', rlimits: [{ type: 'RLIMIT_CORE', hard: 18446744073709551615n }] },
  annotations: { a: 'b' },
  mounts: [{ destination: '/proc' }, { destination: '/data', source: '/srv', type: 'bind', options: ['ro'] }],
  linux: { mountLabel: 'u:r:f:s0:c1,c2' },
}; // prettier-ignore

test('a spec that was written comes back whole, with what is asked of it read field by field', () => {
  const spec = readSpec(jsonOf(SPEC));
  assert.deepStrictEqual(spec.document, SPEC);
  assert.deepStrictEqual({ ...spec, document: undefined }, {
    document: undefined,
    annotations: { a: 'b' },
    mounts: [{ destination: '/proc', source: '', type: '' }, { destination: '/data', source: '/srv', type: 'bind' }],
    apparmorProfile: 'podwright-default',
  }); // prettier-ignore
});

test('without a profile and annotations there are none; a field of another kind is refused by its name', () => {
  const { annotations, apparmorProfile } = readSpec('{"process":{"apparmorProfile":""},"mounts":[],"linux":{}}');
  assert.deepStrictEqual([annotations, apparmorProfile], [{}, undefined]);
  for (const [text, message] of [
    ['{"process":{},"mounts":[{"destination":7}],"linux":{}}', /config\.json: mounts\[0\]\.destination: must be text, is 7/],
    ['{"process":{"apparmorProfile":[]},"mounts":[],"linux":{}}', /process\.apparmorProfile: must be text/],
    ['{"process":{},"mounts":{},"linux":{}}', /mounts: must be a list/],
    ['{', /config\.json: must be JSON/],
  ] as const)
    assert.throws(() => readSpec(text), { kind: 'InvalidArgument', message });
});
