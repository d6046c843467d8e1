import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildSpec } from '../../../src/ocispec/build.ts';
import type { OciSpec } from '../../../src/ocispec/oci-types.ts';
import { containerConfig, containerInput, HOST, infraInput, resolvedMount, sandboxConfig, SETTINGS } from '../../support/spec-inputs.ts';

const CAPABILITIES = ['CAP_CHOWN', 'CAP_KILL'];
const FLAGS = ['nosuid', 'noexec', 'nodev'];
const ANNOTATIONS = {
  'io.kubernetes.cri.sandbox-id': '5'.repeat(64),
  'io.kubernetes.cri.sandbox-name': 'pod',
  'io.kubernetes.cri.sandbox-namespace': 'default',
  'io.kubernetes.cri.sandbox-uid': 'u-1',
};
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const PLAIN: OciSpec = {
  ociVersion: '1.0.2',
  root: { path: '/run/rootfs', readonly: false },
  process: {
    terminal: false,
    user: { uid: 1000, gid: 1000, additionalGids: [1000] },
    args: ['/bin/web'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/home/web', 'HOSTNAME=web-0'],
    cwd: '/',
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES, inheritable: [], ambient: [] },
    rlimits: [],
    noNewPrivileges: false,
    oomScoreAdj: 0,
  },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: FLAGS },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...FLAGS, 'ro'] },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: FLAGS },
    { destination: '/dev/shm', type: 'bind', source: '/run/pod/shm', options: ['rbind', 'rprivate', 'nosuid', 'nodev', 'noexec', 'rw'] },
    { destination: '/etc/hosts', type: 'bind', source: '/run/pod/hosts', options: ['rbind', 'rprivate', 'rw'] },
    { destination: '/etc/resolv.conf', type: 'bind', source: '/run/pod/resolv.conf', options: ['rbind', 'rprivate', 'rw'] },
    { destination: '/etc/hostname', type: 'bind', source: '/run/pod/hostname', options: ['rbind', 'rprivate', 'rw'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...FLAGS, 'relatime', 'ro'] },
  ],
  annotations: {
    'io.kubernetes.cri.container-type': 'container',
    ...ANNOTATIONS,
    'io.kubernetes.cri.container-name': 'web',
    'io.kubernetes.cri.image-name': 'example.org/web:1',
  },
  linux: {
    namespaces: [
      { type: 'mount' },
      { type: 'pid' },
      { type: 'network', path: '/run/ns/net' },
      { type: 'ipc', path: '/run/ns/ipc' },
      { type: 'uts', path: '/run/ns/uts' },
      { type: 'cgroup' },
    ],
    devices: [],
    cgroupsPath: '/kubepods/pod1/c1',
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    maskedPaths: MASKED,
    readonlyPaths: READONLY,
  },
};

test('buildSpec() of a container that asks for nothing is the plain spec', () => {
  assert.deepStrictEqual(buildSpec(containerInput()), PLAIN);
});

test('buildSpec() on cgroup v1 has no cgroup namespace', () => {
  const spec = buildSpec(containerInput({ host: { ...HOST, cgroupVersion: 'v1' } }));

  assert.deepStrictEqual(spec, { ...PLAIN, linux: { ...PLAIN.linux, namespaces: PLAIN.linux.namespaces.slice(0, -1) } });
});

test('buildSpec() of a privileged container gives all the daemon has, and hides nothing', () => {
  const config = containerConfig({
    command: ['/bin/web'],
    linux: {
      securityContext: { privileged: true, maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'], seccomp: { profileType: 0 } },
    },
  });
  const privileged = sandboxConfig({ linux: { securityContext: { privileged: true } } });
  const disk = {
    hostPath: '/dev/vda',
    path: '/dev/vda',
    type: 'b',
    major: 254,
    minor: 0,
    fileMode: 0o660,
    uid: 0,
    gid: 6,
    access: 'rwm',
  } as const;
  const spec = buildSpec(containerInput({ config, sandboxConfig: privileged, hostDevices: [disk] }));

  const { access: _access, hostPath: _hostPath, ...node } = disk;
  assert.deepStrictEqual(spec.linux, {
    namespaces: PLAIN.linux.namespaces.slice(0, -1),
    devices: [node],
    cgroupsPath: '/kubepods/pod1/c1',
    resources: { devices: [{ allow: true, access: 'rwm' }] },
    maskedPaths: [],
    readonlyPaths: [],
  });
  assert.deepStrictEqual(spec.process.capabilities.effective, HOST.capabilities);
  assert.deepStrictEqual(
    spec.mounts.filter(({ type }) => type === 'sysfs' || type === 'cgroup').map(({ options }) => options),
    [
      [...FLAGS, 'rw'],
      [...FLAGS, 'relatime', 'rw', 'nsdelegate', 'memory_recursiveprot'],
    ],
  );
});

test('buildSpec() uses what the node has where the pod uses its namespaces', () => {
  const spec = buildSpec(
    containerInput({
      namespaces: { net: 'host', ipc: 'host', uts: 'host', pid: 'host' },
      sandboxConfig: sandboxConfig({ metadata: { name: 'pod', namespace: 'default', uid: 'u-1' } }),
    }),
  );

  assert.deepStrictEqual(spec.linux.namespaces, [{ type: 'mount' }, { type: 'cgroup' }]);
  assert.ok(spec.process.env.includes('HOSTNAME=node-1'));
  assert.ok(buildSpec(containerInput({ hostname: 'given' })).process.env.includes('HOSTNAME=given'));
  assert.equal(spec.mounts.find(({ destination }) => destination === '/dev/shm')?.source, '/dev/shm');
});

test('buildSpec() joins the PID namespace of the infra container or of a target', () => {
  const spec = buildSpec(containerInput({ namespaces: { ...containerInput().namespaces, pid: '/proc/77/ns/pid' } }));

  assert.deepStrictEqual(spec.linux.namespaces[1], { type: 'pid', path: '/proc/77/ns/pid' });
});

test('buildSpec() carries terminal, limits, labels, propagation, own files read-only with the rootfs', () => {
  const config = containerConfig({
    command: ['/bin/web'],
    tty: true,
    linux: {
      resources: { cpuShares: 512n, memoryLimitInBytes: 64n, oomScoreAdj: -997n },
      securityContext: { readonlyRootfs: true, noNewPrivs: true, apparmor: { profileType: 2, localhostRef: 'localhost/web' } },
    },
  });
  const spec = buildSpec(
    containerInput({
      config,
      host: { ...HOST, oomScoreAdjFloor: -5 },
      apparmor: { loaded: new Set(['web']), runtimeDefault: { is: 'Ready', name: 'ours' } },
      settings: { ...SETTINGS, pidsLimit: 100, defaultUlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }] },
      selinux: { process: 'system_u:system_r:container_t:s0:c1,c2', mount: 'system_u:object_r:container_file_t:s0:c1,c2' },
      mounts: [resolvedMount({ propagation: 1 }, '/var/data')],
    }),
  );

  assert.equal(spec.root.readonly, true);
  assert.deepStrictEqual(spec.process, {
    ...PLAIN.process,
    terminal: true,
    env: [PLAIN.process.env[0], 'TERM=xterm', ...PLAIN.process.env.slice(1)],
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }],
    noNewPrivileges: true,
    oomScoreAdj: -5,
    apparmorProfile: 'web',
    selinuxLabel: 'system_u:system_r:container_t:s0:c1,c2',
  });
  assert.deepStrictEqual(spec.linux.resources, {
    devices: [{ allow: false, access: 'rwm' }],
    cpu: { shares: 512 },
    memory: { limit: 64, swap: 64 },
    pids: { limit: 100 },
  });
  assert.equal(spec.linux.mountLabel, 'system_u:object_r:container_file_t:s0:c1,c2');
  assert.equal(spec.linux.rootfsPropagation, 'rslave');
  assert.deepStrictEqual(spec.mounts.find(({ destination }) => destination === '/etc/hosts')?.options, ['rbind', 'rprivate', 'ro']);
});

test('buildSpec() makes no device nodes where a mount of the request is /dev', () => {
  const device = {
    hostPath: '/dev/null',
    path: '/dev/x',
    type: 'c',
    major: 1,
    minor: 3,
    fileMode: 0o600,
    uid: 0,
    gid: 0,
    access: 'r',
  } as const;
  const mounts = [resolvedMount({ containerPath: '/dev/', hostPath: '/dev' }, '/dev')];
  const spec = buildSpec(containerInput({ devices: [device], mounts }));

  assert.deepStrictEqual(spec.linux.devices, []);
  assert.deepStrictEqual(spec.linux.resources.devices, [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'r' },
  ]);
  assert.deepStrictEqual(
    spec.mounts.filter(({ destination }) => destination.startsWith('/dev')).map(({ destination, source }) => [destination, source]),
    [['/dev', '/dev']],
  );
});

test('buildSpec() of an infra container is a confined, read-only sleeper', () => {
  const { seccomp, ...linux } = buildSpec(infraInput({ host: { ...HOST, oomScoreAdjFloor: 0 } })).linux;
  const none: string[] = [];

  assert.equal(seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
  assert.deepStrictEqual(linux, {
    namespaces: [
      { type: 'mount' },
      { type: 'pid' },
      { type: 'network', path: '/run/ns/net' },
      { type: 'ipc', path: '/run/ns/ipc' },
      { type: 'uts', path: '/run/ns/uts' },
      { type: 'cgroup' },
    ],
    devices: [],
    cgroupsPath: '/kubepods/pod1/5',
    resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2 } },
    maskedPaths: MASKED,
    readonlyPaths: READONLY,
  });
  const { linux: _linux, ...rest } = buildSpec(infraInput({ host: { ...HOST, oomScoreAdjFloor: 0 } }));
  assert.deepStrictEqual(rest, {
    ociVersion: '1.0.2',
    root: { path: '/run/infra/rootfs', readonly: true },
    process: {
      terminal: false,
      user: { uid: 65535, gid: 65535, additionalGids: [65535] },
      args: ['/pause'],
      env: ['PATH=/'],
      cwd: '/',
      capabilities: { bounding: none, effective: none, permitted: none, inheritable: none, ambient: none },
      rlimits: [],
      noNewPrivileges: true,
      oomScoreAdj: 0,
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: FLAGS },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'noexec', 'mode=755', 'size=64k', 'ro'] },
    ],
    annotations: { 'io.kubernetes.cri.container-type': 'sandbox', ...ANNOTATIONS },
  });
});

test('buildSpec() of an infra container runs as the sandbox asks', () => {
  const asked = sandboxConfig({ linux: { securityContext: { runAsUser: { value: 7n }, runAsGroup: { value: 8n } } } });
  const { user } = buildSpec(infraInput({ sandboxConfig: asked })).process;

  assert.deepStrictEqual(user, { uid: 7, gid: 8, additionalGids: [8] });
});
