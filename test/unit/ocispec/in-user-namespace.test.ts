import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { mergeCdiEdits } from '../../../src/ocispec/cdi-edits.ts';
import type { CompleteNode } from '../../../src/cdi/device-nodes.ts';
import { containerInput } from '../../support/spec-inputs.ts';

const IDS = { containerId: 0, hostId: 100_000, length: 65_536 };
const userMapping = { uids: IDS, gids: IDS };
const device = (hostPath: string, path: string) =>
  ({ hostPath, path, type: 'c', major: 1, minor: 3, fileMode: 0o600, uid: 0, gid: 0, access: 'r' }) as const;
const node = (hostPath: string, path: string): CompleteNode => {
  return { hostPath, path, type: 'c', major: 1, minor: 3, fileMode: 0o600, permissions: 'r', uid: undefined, gid: undefined };
};

const cdi = mergeCdiEdits([
  {
    env: [],
    deviceNodes: [node('', '/dev/at-its-place'), node('/dev/one', '/dev/other/one'), node('', '/dev/again')],
    netDevices: [],
    hooks: [],
    mounts: [{ hostPath: '/opt/vendor', containerPath: '/vendor', type: '', options: ['rbind', 'ro'] }],
    intelRdt: undefined,
    additionalGids: [],
  },
]);
const devices = [device('/dev/null', '/dev/null'), device('/dev/zero', '/dev/else'), device('/dev/x', '/dev/again')];

test('in a user namespace a device that the host has elsewhere is bound, with the rules that it had', () => {
  const spec = buildSpec(containerInput({ devices, cdi, userMapping }));
  const plain = buildSpec(containerInput({ devices, cdi }));
  const bind = { type: 'bind', options: ['bind'] };

  assert.deepEqual(spec.linux.devices.map(({ path }) => path), ['/dev/null', '/dev/at-its-place', '/dev/again']); // prettier-ignore
  assert.deepEqual(spec.mounts.filter(({ destination }) => ['/dev/else', '/dev/other/one'].includes(destination)), [
    { ...bind, destination: '/dev/else', source: '/dev/zero' },
    { ...bind, destination: '/dev/other/one', source: '/dev/one' },
  ]); // prettier-ignore
  assert.deepEqual(spec.linux.resources, plain.linux.resources);
  assert.equal(plain.linux.devices.length, 5);
  assert.equal(plain.mounts.length, spec.mounts.length - 2);
});

test('in a user namespace a bind mount has its type, which crun needs there', () => {
  const typeIn = (spec: ReturnType<typeof buildSpec>) => spec.mounts.find(({ destination }) => destination === '/vendor')?.type;
  assert.deepEqual(
    [typeIn(buildSpec(containerInput({ cdi, userMapping }))), typeIn(buildSpec(containerInput({ cdi })))],
    ['bind', undefined],
  );
});
