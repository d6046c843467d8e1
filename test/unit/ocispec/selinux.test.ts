import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SELinuxOption } from '../../../api/cri/runtime.ts';
import {
  checkSelinuxOptions,
  containerSelinuxLabels,
  newSelinuxLevel,
  podSelinuxLabels,
  refuseSystemPath,
  type SelinuxFacts,
  type SelinuxLabels,
} from '../../../src/ocispec/selinux.ts';

const FACTS: SelinuxFacts = {
  defaults: { process: 'system_u:system_r:container_t:s0', mount: 'system_u:object_r:container_file_t:s0' },
  hostNetworkUnconfined: true,
};
const POD: SelinuxLabels = { process: 'system_u:system_r:container_t:s0:c1,c2', mount: 'system_u:object_r:container_file_t:s0:c1,c2' };
const SPC = 'system_u:system_r:spc_t:s0';

function options(given: Partial<SELinuxOption>): SELinuxOption {
  return { user: '', role: '', type: '', level: '', ...given };
}

test('a pod has the labels of the policy with a level of its own, unless it names another', () => {
  assert.deepEqual(
    podSelinuxLabels(undefined, FACTS, () => 's0:c1,c2'),
    POD,
  );
  const never = (): string => assert.fail('no level is needed');
  assert.deepEqual(podSelinuxLabels(options({ user: 'a_u', role: 'b_r', type: 'd_t', level: 's0:c9' }), FACTS, never), {
    process: 'a_u:b_r:d_t:s0:c9',
    mount: 'a_u:object_r:container_file_t:s0:c9',
  });
  assert.equal(podSelinuxLabels(options({ type: 'd_t' }), FACTS, () => 's0:c1,c2').process, 'system_u:system_r:d_t:s0:c1,c2');
});

test('a policy without levels gets none', () => {
  const defaults = { process: 'system_u:system_r:container_t', mount: 'system_u:object_r:container_file_t' };
  assert.deepEqual(
    podSelinuxLabels(undefined, { ...FACTS, defaults }, () => 's0:c1,c2'),
    defaults,
  );
});

test('a container has the labels of its pod, and instead of each part what it names', () => {
  const of = (own: SELinuxOption | undefined): SelinuxLabels =>
    containerSelinuxLabels({ pod: POD, podOptions: undefined, options: own, privileged: false, usesHost: false });

  assert.deepEqual(of(undefined), POD);
  assert.deepEqual(of(options({ level: 's0:c3' })), {
    process: 'system_u:system_r:container_t:s0:c3',
    mount: 'system_u:object_r:container_file_t:s0:c3',
  });
  assert.deepEqual(of(options({ type: 'spc_t' })), { ...POD, process: 'system_u:system_r:spc_t:s0:c1,c2' });
});

test('a privileged container is not confined whatever it asks for, one that uses the node unless it asks for a type', () => {
  const of = (given: { privileged?: boolean; usesHost?: boolean; options?: SELinuxOption; podOptions?: SELinuxOption }): string =>
    containerSelinuxLabels({ pod: POD, podOptions: undefined, options: undefined, privileged: false, usesHost: false, ...given }).process;

  assert.equal(of({ privileged: true }), SPC);
  assert.equal(of({ privileged: true, options: options({ type: 'container_t', level: 's0:c3' }) }), SPC);
  assert.equal(of({ usesHost: true }), SPC);
  assert.equal(of({ usesHost: true, options: options({ level: 's0:c3' }) }), SPC);
  assert.equal(of({ usesHost: true, options: options({ type: 'container_t' }) }), POD.process);
  assert.equal(of({ usesHost: true, podOptions: options({ type: 'container_t' }) }), POD.process);
});

test('the files of a container that is not confined have the label of its pod', () => {
  const labels = containerSelinuxLabels({ pod: POD, podOptions: undefined, options: undefined, privileged: true, usesHost: false });
  assert.equal(labels.mount, POD.mount);
});

test('checkSelinuxOptions() names the field that is no part of a label', () => {
  const bad: readonly Partial<SELinuxOption>[] = [
    { user: 'a:b' }, { role: 'a b' }, { type: 'a"b' }, { type: 'x'.repeat(256) },
    { level: 's0,c4,c5' }, { level: 'c1' }, { level: 's0:c1,' }, { level: 's0:c1:c2' }, { level: 's0\nx' }, { level: 'x'.repeat(1_000_000) },
  ]; // prettier-ignore
  for (const given of bad) {
    const message = new RegExp(`^create container: selinux_options\\.${Object.keys(given).join('')} is .{0,70}, must be`);
    assert.throws(() => { checkSelinuxOptions(options(given), 'create container'); }, { kind: 'InvalidArgument', message }); // prettier-ignore
  }
  for (const level of ['', 's0', 's0:c1', 's0:c1,c2', 's0:c0.c1023', 's0-s0:c0.c1023', 's0:c1,c3.c5'])
    checkSelinuxOptions(options({ level, user: 'system_u', type: 'my-type.x' }), 'create container');
  checkSelinuxOptions(undefined, 'create container');
});

test('newSelinuxLevel() has two categories in order, and is none that is taken', () => {
  const numbers = [5, 5, 9, 3, 4, 1023];
  const random = (below: number): number => {
    assert.equal(below, 1024);
    return numbers.shift() ?? assert.fail('too many tries');
  };
  assert.equal(newSelinuxLevel(new Set(['s0:c3,c9']), random), 's0:c4,c1023');
  assert.throws(() => newSelinuxLevel(new Set(['s0:c1,c2']), alternately(1, 2)), { kind: 'ResourceExhausted', message: /1 SELinux levels are taken/ }); // prettier-ignore
});

function alternately(one: number, other: number): () => number {
  let isOther = true;
  return () => {
    isOther = !isOther;
    return isOther ? other : one;
  };
}

test('refuseSystemPath() refuses what belongs to the node, and nothing below but in /proc, /sys and /dev', () => {
  for (const path of ['/', '/etc', '/usr', '/home', '/var', '/var/lib', '/var/lib/kubelet', '/run', '/proc/sys', '/sys/fs/cgroup', '/dev/shm'])
    assert.throws(() => { refuseSystemPath(path); }, { kind: 'InvalidArgument', message: /mounts\.selinux_relabel is true for/ }, path); // prettier-ignore
  for (const path of ['/etc/my', '/var/lib/kubelet/pods/1/volumes/a', '/home/me', '/srv/data', '/proceeds']) refuseSystemPath(path);
});
