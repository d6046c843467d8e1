import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBelow, judgeKubelet, type KubeletFacts } from '../../../src/nodecheck/kubelet.ts';
import { flagsOf } from '../../../src/nodecheck/kubelet-settings.ts';

const ROOM = { freeBytes: 20, totalBytes: 100, freeInodes: 20, totalInodes: 100 };

/** What is told besides `ok` of a kubelet with these fields. */
function wrong(fields: Record<string, unknown>, changes: Partial<KubeletFacts> = {}, version: string | undefined = 'v1.37.2'): string[] {
  const facts: KubeletFacts = {
    settings: { pid: 5, version, files: ['/var/lib/kubelet/config.yaml'], faults: [], fields: { ...GOOD, ...fields } },
    sockets: ['/run/podwright/podwright.sock'],
    cgroupDriver: 'systemd',
    cgroupVersion: 'v2',
    pidsLimit: -1,
    hasSwap: false,
    disks: [{ name: 'root', path: '/r', type: 'ext4', mountpoint: '/', options: [], room: ROOM }],
    sysctls: { 'kernel.panic': 0 },
    ...changes,
  };
  return judgeKubelet(facts)
    .filter(({ level }) => level !== 'ok')
    .map(({ level, is }) => `${level} ${is}`);
}

const GOOD = {
  containerRuntimeEndpoint: 'unix:///var/run/podwright/podwright.sock',
  cgroupDriver: 'systemd',
  podPidsLimit: '4096',
  seccompDefault: 'true',
};

test('a kubelet that fits is right, and one that is not there is a note', () => {
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({}, { settings: undefined }), ['note this node has no kubelet yet: its settings were not compared']);
});

test('the endpoint of another runtime is an error, also where it is the default', () => {
  assert.deepEqual(wrong({ containerRuntimeEndpoint: 'unix:///run/crio/crio.sock' }), [
    'error containerRuntimeEndpoint is unix:///run/crio/crio.sock',
  ]);
  assert.deepEqual(wrong({ containerRuntimeEndpoint: undefined }), [
    'error containerRuntimeEndpoint is not set, so unix:///run/containerd/containerd.sock',
  ]);
  assert.deepEqual(wrong({ imageServiceEndpoint: 'unix:///x' }), ['error imageServiceEndpoint is unix:///x']);
});

test('another cgroup driver is an error for a kubelet that does not take ours, and cgroup v1 for one that refuses it', () => {
  const driver = (version: string | undefined): string | undefined => wrong({ cgroupDriver: 'cgroupfs' }, {}, version)[0]?.split(' ')[0];
  assert.deepEqual([driver('v1.37.2'), driver('v1.30.1')], ['note', 'error']);
  assert.deepEqual(wrong({}, { cgroupVersion: 'v1' }), ['error the node has cgroup v1, which kubelet v1.37.2 refuses']);
  assert.deepEqual(wrong({ failCgroupV1: 'false' }, { cgroupVersion: 'v1' }), []);
});

test('swap, processes, kernel defaults and seccomp', () => {
  assert.deepEqual(wrong({}, { hasSwap: true }), ['error swap is on, and the kubelet does not start with it']);
  assert.deepEqual(wrong({ failSwapOn: 'false' }, { hasSwap: true }), []);
  assert.deepEqual(wrong({}, { pidsLimit: 9999 }), [
    'note pids_limit of a container is 9999, podPidsLimit of its pod 4096: the lower one holds',
  ]);
  assert.deepEqual(wrong({ protectKernelDefaults: 'true' }), [
    'error protectKernelDefaults is true, and kernel.panic is 0: the kubelet does not start',
  ]);
  assert.match(wrong({ seccompDefault: 'false' }).join(), /^note seccompDefault is off/);
});

test('thresholds of eviction are compared with what is free', () => {
  const full = {
    disks: [{ name: 'root', path: '/r', type: 'ext4', mountpoint: '/', options: [], room: { ...ROOM, freeBytes: 14 } }],
  } as const;
  assert.match(wrong({}, full).join(), /^error \/r has less free than evictionHard imagefs\.available 15%/);
  assert.deepEqual(wrong({ evictionHard: { 'imagefs.available': '10%' } }, full), []);
  const apart = { disks: [{ ...full.disks[0], name: 'imagestore', room: ROOM }] } as const;
  assert.match(wrong({ evictionHard: { 'memory.available': '100Mi' } }, apart).join(), /^warning evictionHard has no imagefs\.available/);
  assert.deepEqual(wrong({ evictionHard: { 'memory.available': '100Mi' }, mergeDefaultEvictionSettings: 'true' }, apart), []);
  const cases: [string, boolean][] = [
    ['15%', true],
    ['14%', false],
    ['10', false],
    ['1Ki', true],
    ['1k', false],
    ['', false],
  ];
  for (const [threshold, is] of cases) assert.equal(isBelow({ ...ROOM, freeBytes: 14 }, 'bytes', threshold), is, threshold);
});

test('flagsOf() reads flags as the kubelet does', () => {
  const flags = flagsOf(['kubelet', '--config=/c', '--cgroup-driver', 'systemd', '--fail-swap-on', '--v=2', '']);
  assert.deepEqual(
    [...flags],
    [
      ['config', '/c'],
      ['cgroup-driver', 'systemd'],
      ['fail-swap-on', 'true'],
      ['v', '2'],
    ],
  );
});
