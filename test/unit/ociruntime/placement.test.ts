import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cgroups } from '../../../src/linux/cgroups/cgroups.ts';
import { CgroupfsPlacement } from '../../../src/ociruntime/cgroupfs-placement.ts';
import type { CgroupPlacement } from '../../../src/ociruntime/placement.ts';
import { SystemdPlacement } from '../../../src/ociruntime/systemd-placement.ts';

// Nothing here looks at a cgroup.
const systemd = new SystemdPlacement({} as Cgroups);
const cgroupfs = new CgroupfsPlacement({} as Cgroups);
const SLICE = 'kubepods-burstable-pod12_34.slice';

test('a cgroup parent comes in cgroupfs syntax and becomes the form of the driver', () => {
  const requested = `/kubepods.slice/kubepods-burstable.slice/${SLICE}`;
  assert.equal(systemd.parent(requested, 'abc'), SLICE);
  assert.equal(systemd.parentDirectory(SLICE), requested);
  assert.equal(systemd.containerDirectory(SLICE, 'c1'), `${requested}/podwright-c1.scope`);
  assert.equal(systemd.cgroupsPath(SLICE, 'c1'), `${SLICE}:podwright:c1`);
  assert.equal(cgroupfs.parent('/kubepods/pod1', 'abc'), '/kubepods/pod1');
  assert.equal(cgroupfs.parent('kubepods/pod1', 'abc'), '/kubepods/pod1');
  assert.equal(cgroupfs.containerDirectory('/kubepods/pod1', 'c1'), '/kubepods/pod1/c1');
  assert.equal(cgroupfs.cgroupsPath('/kubepods/pod1', 'c1'), '/kubepods/pod1/c1');
  for (const bad of ['/kubepods/pod1', 'a--b.slice', 'a-.slice', '-a.slice', '-.slice', '.slice', 'a b.slice', '/a.slice/'])
    assert.throws(
      () => systemd.parent(bad, 'abc'),
      { kind: 'InvalidArgument', message: /must end in \.slice and be the name of a unit/ },
      bad,
    );
  for (const bad of ['/pods/../..', '.', 'a/./b'])
    for (const placement of [systemd, cgroupfs])
      assert.throws(() => placement.parent(bad, 'abc'), { kind: 'InvalidArgument', message: /none of them \. or \.\./ }, bad);
});

test('parentOf() reads back what cgroupsPath() has written, and nothing else', () => {
  for (const [placement, parent, foreign] of [
    [cgroupfs, '/kubepods/burstable/pod1', `${SLICE}:podwright:c1`],
    [systemd, SLICE, '/kubepods/burstable/pod1/c1'],
  ] as const) {
    const path = placement.cgroupsPath(parent, 'c1');
    assert.equal(placement.parentOf(path, 'c1'), parent);
    for (const other of [foreign, `${path}2`, parent, '']) assert.equal(placement.parentOf(other, 'c1'), undefined, other);
  }
});

test('a pod that names no parent has a cgroup of its own', () => {
  assert.equal(systemd.parent('', 'abc'), 'podwright-abc.slice');
  assert.equal(systemd.parentDirectory('podwright-abc.slice'), '/podwright.slice/podwright-abc.slice');
  assert.equal(cgroupfs.parent('', 'abc'), '/podwright/abc');
});

test('with systemd only the slice of our own name is ours to remove', async () => {
  assert.equal(await systemd.ensureParent('podwright-abc.slice'), true);
  assert.equal(await systemd.ensureParent(SLICE), false);
});

test('runtimeAnnotations() lets systemd end containers between the kubelet and the daemon, infra containers last', () => {
  const property = (name: string): string => `org.systemd.property.${name}`;
  assert.deepEqual(systemd.runtimeAnnotations('container', 30), {
    [property('CollectMode')]: "'inactive-or-failed'",
    [property('DefaultDependencies')]: 'true',
    [property('After')]: "['podwright.service']",
    [property('Before')]: "['kubelet.service']",
    [property('TimeoutStopUSec')]: 'uint64 30000000',
  });
  assert.equal(systemd.runtimeAnnotations('container', 0)[property('TimeoutStopUSec')], 'uint64 1000000');
  assert.ok(!(property('TimeoutStopUSec') in systemd.runtimeAnnotations('container')));
  assert.deepEqual(systemd.runtimeAnnotations('infra'), { [property('CollectMode')]: "'inactive-or-failed'" });
  assert.deepEqual(cgroupfs.runtimeAnnotations(), {});
});

test('of our own cgroups nobody but us can tell a kill', async () => {
  const placement: CgroupPlacement = cgroupfs;
  assert.equal(await placement.toldOutOfMemory(['c1']), undefined);
});
