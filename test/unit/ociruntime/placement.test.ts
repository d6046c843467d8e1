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

test('readPath() takes a cgroup that somebody else has chosen, and nothing that runtimes or we take for another', () => {
  assert.deepEqual(cgroupfs.readPath('/kubepods/pod1/x'), { directory: '/kubepods/pod1/x' });
  assert.equal(cgroupfs.containerDirectory('/kubepods/pod1', 'c1', '/other/x'), '/other/x');
  const id = 'a'.repeat(64);
  for (const bad of [
    '',
    '/',
    'x',
    'x/y',
    '/x/',
    '//x',
    '/x/../y',
    '/./x',
    '/x\n',
    `/x/${'y'.repeat(201)}`,
    `/pod1/${id}`,
    `/pod1/${id}.scope`,
    `/pod1/crio-${id}`,
    `/pod1/crio-${id}.scope`,
    '/pod1/podwright-conmon-1',
  ])
    assert.match(Object.entries(cgroupfs.readPath(bad)).join(), /^must,must be an absolute path/, bad);
  assert.deepEqual(systemd.readPath('system.slice:own:x.1'), { directory: '/system.slice/own-x.1.scope' });
  assert.equal(systemd.containerDirectory(SLICE, 'c1', 'a-b.slice:own:x'), '/a.slice/a-b.slice/own-x.scope');
  for (const bad of [
    '',
    '/x',
    ':own:x',
    'a:own:x',
    'a.slice::x',
    'a.slice:own:',
    'a.slice:own:x:y',
    'a.slice:own:x.slice',
    'a.slice:own:x.scope',
    'a.slice:o/n:x',
    'a.slice:podwright:x',
    `a.slice:crio:${id}`,
    `a.slice:own:${'x'.repeat(101)}`,
  ])
    assert.match(Object.entries(systemd.readPath(bad)).join(), /^must,must be SLICE\.slice:PREFIX:NAME/, bad);
  // As after a change of the driver.
  assert.equal(systemd.containerDirectory(SLICE, 'c1', '/x'), systemd.containerDirectory(SLICE, 'c1'));
  assert.equal(cgroupfs.containerDirectory('/pod1', 'c1', 'a.slice:own:x'), '/pod1/c1');
});

test("in CRI-O's naming new cgroups are crio-ID.scope, and those of either naming are found again by their path", () => {
  const id = 'a'.repeat(64);
  for (const [placement, parent, own, crio] of [
    [new CgroupfsPlacement({} as Cgroups), '/kubepods/pod1', `/kubepods/pod1/${id}`, `/kubepods/pod1/crio-${id}.scope`],
    [new SystemdPlacement({} as Cgroups), SLICE, `${SLICE}:podwright:${id}`, `${SLICE}:crio:${id}`],
  ] as const) {
    const directory = placement.parentDirectory(parent);
    const ownName = placement.driver === 'systemd' ? `podwright-${id}.scope` : id;
    assert.equal(placement.cgroupsPath(parent, id), own);
    placement.naming = 'crio';
    assert.equal(placement.cgroupsPath(parent, id), crio);
    for (const [path, name] of [
      [own, ownName],
      [crio, `crio-${id}.scope`],
      [undefined, ownName],
    ] as const) {
      assert.equal(placement.containerDirectory(parent, id, path), `${directory}/${name}`);
      if (path !== undefined) assert.equal(placement.parentOf(path, id), parent);
    }
    assert.equal(placement.parentOf(crio.replace('crio', 'rkt'), id), undefined);
  }
});

test('the cgroup of a network is made in the slice that is named, and in none of our own naming', async () => {
  const made: string[] = [];
  const placement = new SystemdPlacement({
    makeLeaf: async (path: string) => void made.push(path),
    removeLeaf: async (path: string) => void made.push(`without ${path}`),
  } as unknown as Cgroups);
  placement.naming = 'crio';
  for (const parent of [SLICE, placement.parent('', 'abc')])
    await placement.makeNetworkCgroup(parent, 'p1', placement.cgroupsPath(parent, 'p1'));
  const path = `/kubepods.slice/kubepods-burstable.slice/${SLICE}/crio-p1.scope`;
  assert.deepEqual(made, [path]);
  await placement.removeNetworkCgroup(SLICE, 'p1', placement.cgroupsPath(SLICE, 'p1'));
  assert.deepEqual(made, [path, `without ${path}`]);
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
  assert.equal(await placement.toldOutOfMemory([{ id: 'c1', cgroupParent: '/pod1' }]), undefined);
});

test('idOf() knows the names that we give to cgroups with this driver, and no others', () => {
  const id = '1f'.repeat(32);
  const [crio, monitor, own] = [`crio-${id}.scope`, `podwright-conmon-${id}`, `podwright-${id}.scope`];
  const named = (placement: CgroupPlacement, names: readonly string[]): string[] => names.filter((name) => placement.idOf(name) === id);
  const all = [
    id,
    crio,
    monitor,
    `${monitor}.scope`,
    own,
    `crio-${id}`,
    `${id}.slice`,
    `x${id}`,
    `cri-containerd-${id}.scope`,
    'init.scope',
  ];
  assert.deepEqual(named(cgroupfs, all), [id, crio, monitor]);
  assert.deepEqual(named(systemd, all), [crio, `${monitor}.scope`, own]);
  for (const [placement, parent] of [
    [cgroupfs, '/kubepods/pod1'],
    [systemd, SLICE],
  ] as const)
    // prettier-ignore
    assert.equal(placement.parentAt(placement.parentDirectory(parent)), parent);
});
