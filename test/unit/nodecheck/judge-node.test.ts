import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusReport } from '../../../src/admin/reports.ts';
import { judgeCgroups, type CgroupFacts } from '../../../src/nodecheck/cgroups.ts';
import { judgeDaemon } from '../../../src/nodecheck/daemon.ts';
import { judgeDevices } from '../../../src/nodecheck/device-nodes.ts';
import { judgeDisks, type DiskFacts } from '../../../src/nodecheck/disks.ts';
import { isAtLeast, type Finding } from '../../../src/nodecheck/finding.ts';
import { judgeKernel } from '../../../src/nodecheck/kernel.ts';
import { judgeNetworks, type NetworkFacts } from '../../../src/nodecheck/network.ts';
import { judgeOtherRuntimes } from '../../../src/nodecheck/other-runtimes.ts';
import { judgeClock, judgeRegistries } from '../../../src/nodecheck/registries.ts';
import { judgePrograms, type HandlerFacts } from '../../../src/nodecheck/runtimes.ts';
import { judgeSysctls } from '../../../src/nodecheck/sysctls.ts';

/** What is not ok, a line each; every error says what must be. */
function wrong(findings: readonly Finding[]): string[] {
  for (const { level, is, must } of findings) if (level === 'error') assert.ok(must !== undefined, `${is}: says what must be`);
  return findings.filter(({ level }) => level !== 'ok').map(({ level, is }) => `${level} ${is}`);
}

test('isAtLeast() reads the first version in a text', () => {
  const cases: [string, boolean | undefined][] = [
    ['conmon version 2.1.6', true],
    ['v2.0.30', false],
    ['10.0', true],
    ['none', undefined],
  ];
  for (const [text, is] of cases) assert.equal(isAtLeast(text, 2, 1), is, text);
});

test('a kernel without overlayfs, namespaces or seccomp is told', () => {
  const good = {
    release: '6.18.0',
    filesystems: ['proc', 'overlay'],
    hasOverlayModule: false,
    namespaces: ['mnt', 'net', 'pid', 'ipc', 'uts', 'cgroup', 'user'],
    seccompActions: 'kill_process allow',
    maxUserNamespaces: 1000,
  };
  assert.deepEqual(wrong(judgeKernel(good)), []);
  assert.deepEqual(wrong(judgeKernel({ ...good, filesystems: [], hasOverlayModule: true })), [
    'note overlayfs is a module that is not loaded yet; the first container loads it',
  ]);
  const bare = {
    release: '4.9.1',
    filesystems: [],
    hasOverlayModule: false,
    namespaces: ['mnt'],
    seccompActions: '',
    maxUserNamespaces: 0,
  };
  assert.deepEqual(wrong(judgeKernel(bare)), [
    'error Linux 4.9.1',
    'error the kernel has no overlayfs',
    'error the kernel has no namespaces of the kind net, pid, ipc, uts, cgroup',
    'note no user namespaces: pods with hostUsers: false are refused',
    'warning the kernel has no seccomp filters',
  ]);
});

test('a device that is a file is told with the command that mends it', () => {
  const device = { path: '/dev/null', major: 1, minor: 3 };
  assert.deepEqual(wrong(judgeDevices([{ ...device, is: 'right' }])), []);
  const found = judgeDevices([{ ...device, is: 'a file' }, { path: '/dev/zero', major: 1, minor: 5, is: 'right' }]); // prettier-ignore
  assert.deepEqual(wrong(found), ['error /dev/null is a file']);
  assert.equal(found[0]?.advice, 'rm -f /dev/null; mknod -m 666 /dev/null c 1 3');
});

test('sysctls are told with the value and the line to write', () => {
  const found = judgeSysctls({ 'net.ipv4.ip_forward': 0, 'fs.inotify.max_user_instances': 128, 'kernel.pid_max': 4_194_304 });
  assert.deepEqual(
    found.filter(({ level }) => level !== 'ok').map(({ is, must }) => `${is.split(':')[0]} | ${must}`),
    [
      'net.ipv4.ip_forward is 0 | 1',
      'the kernel has no net.bridge.bridge-nf-call-iptables | net.bridge.bridge-nf-call-iptables = 1',
      'the kernel has no net.bridge.bridge-nf-call-ip6tables | net.bridge.bridge-nf-call-ip6tables = 1',
      'fs.inotify.max_user_instances is 128 | 512 or more',
    ],
  );
  assert.match(found.find(({ is }) => is.includes('ip_forward'))?.advice ?? '', /^sysctl -w net\.ipv4\.ip_forward=1, /);
});

test('cgroups: missing controllers, and a manager that does not fit', () => {
  const good: CgroupFacts = {
    version: 'v2',
    isHybrid: false,
    controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'],
    handedOn: ['cpu', 'memory', 'pids'],
    hasSystemd: true,
    hasPressure: true,
    driver: 'systemd',
  };
  assert.deepEqual(wrong(judgeCgroups(good)), []);
  assert.deepEqual(wrong(judgeCgroups({ ...good, controllers: ['cpuset', 'cpu', 'io', 'hugetlb', 'pids'], driver: 'cgroupfs' })), [
    'error the kernel gives no controller memory',
    'warning cgroup_manager is cgroupfs beside systemd on cgroup v2: two managers of one tree',
  ]);
  assert.deepEqual(wrong(judgeCgroups({ ...good, hasSystemd: false })), [
    'error cgroup_manager is systemd, and systemd is not process 1 here',
  ]);
});

const NETWORK: NetworkFacts = {
  directory: '/etc/cni/net.d',
  handlers: [],
  network: { name: 'pods', file: '/etc/cni/net.d/10.conflist', cniVersion: '1.0.0' },
  problem: '',
  skipped: [],
  plugins: [{ type: 'bridge', capabilities: ['portMappings'], versions: ['0.4.0', '1.0.0'] }],
};

test('a network without a configuration, a plugin, its version or port mappings', () => {
  const judge = (facts: Partial<NetworkFacts>): string[] => wrong(judgeNetworks([{ ...NETWORK, ...facts }], ['/opt/cni/bin']));
  assert.deepEqual(judge({}), []);
  assert.deepEqual(judge({ network: undefined, plugins: [], problem: 'no network configuration in /etc/cni/net.d' }), [
    'error no network configuration in /etc/cni/net.d: the node is not ready',
  ]);
  const plugins = [
    { type: 'bridge', capabilities: [], versions: ['0.4.0'] },
    { type: 'gone', capabilities: [], versions: undefined, fault: 'plugin binary gone not found in /opt/cni/bin' },
    { type: 'mute', capabilities: [], versions: undefined, fault: 'run mute: not finished after 3 s' },
  ];
  assert.deepEqual(judge({ plugins }), [
    'error plugin bridge knows CNI 0.4.0, and /etc/cni/net.d/10.conflist is of 1.0.0',
    'error plugin gone of /etc/cni/net.d/10.conflist is not there',
    'warning plugin mute does not say its versions: run mute: not finished after 3 s',
    'note no plugin of "pods" takes port mappings: hostPort of pods does nothing, unless the network does it by itself',
  ]);
});

test('runtimes and conmon that are missing or old', () => {
  const gone = { version: undefined, fault: 'ENOENT' };
  const handler: HandlerFacts = { name: 'runc', path: 'runc', isDefault: true, features: undefined, ...gone };
  const conmon = { name: 'conmon', path: '/usr/bin/conmon', version: 'conmon version 2.0.25' };
  const iptables = { name: 'iptables', path: 'iptables', version: 'iptables v1.8.9' };
  const facts = {
    handlers: [handler, { ...handler, name: 'kata', isDefault: false }],
    conmon,
    criu: undefined,
    iptables,
    apparmorParser: undefined,
  };
  assert.deepEqual(wrong(judgePrograms(facts)), [
    'error the runtime of handler runc, runc, cannot be run: ENOENT',
    'warning the runtime of handler kata, runc, cannot be run: ENOENT',
    'error conmon version 2.0.25, /usr/bin/conmon',
  ]);
});

test('disks that are full, read-only, remote or hang', () => {
  const GIB = 2 ** 30;
  const room = { freeBytes: 50 * GIB, totalBytes: 100 * GIB, freeInodes: 90, totalInodes: 100 };
  const disk: DiskFacts = { name: 'root', path: '/r', type: 'ext4', mountpoint: '/', options: ['rw'], room };
  assert.deepEqual(wrong(judgeDisks([disk, { ...disk, name: 'run_dir', type: 'tmpfs', options: ['rw', 'noexec', 'nosuid'] }])), []);
  const { room: _room, ...silent } = disk;
  assert.deepEqual(
    wrong(
      judgeDisks([
        { ...disk, room: { ...room, freeBytes: 0.5 * GIB } },
        { ...disk, room: { ...room, freeInodes: 3 } },
        { ...disk, type: 'nfs4', options: ['ro', 'noexec'] },
        { ...silent, fault: 'run stat: not finished after 3 s' },
      ]),
    ),
    [
      'error root /r: 0.5 GiB of 100.0 GiB free (0 %), 90 % of the inodes',
      'warning root /r: 50.0 GiB of 100.0 GiB free (50 %), 3 % of the inodes',
      'error root /r is on nfs4',
      'error root /r is mounted ro, noexec',
      'error root /r, on / (ext4), does not answer: run stat: not finished after 3 s',
    ],
  );
});

test('registries that do not answer, and a clock that is wrong by the middle one of them', () => {
  const answer = { host: 'r.example', reason: 'mirror', durationMs: 12.4 };
  assert.deepEqual(
    wrong(
      judgeRegistries({
        warnings: [],
        unasked: 2,
        answers: [
          { ...answer, status: 401 },
          { ...answer, fault: 'no answer within 5 s' },
        ],
      }),
    ),
    ['warning r.example (mirror): no answer within 5 s', 'note 2 more registries are configured and were not asked'],
  );
  const ahead = (...each: number[]): string[] => wrong(judgeClock(each.map((aheadMs) => ({ ...answer, aheadMs }))));
  assert.deepEqual(ahead(400, -900_000, 700), []);
  assert.deepEqual(ahead(-400_000), ['error the clock is 400 s before that of the registry']);
  assert.deepEqual(ahead(20_000, 20_000), ['warning the clock is 20 s behind that of the registries']);
  assert.deepEqual(wrong(judgeClock([], 0)), ['error it is 1970-01-01T00:00:00.000Z here']);
});

test('what another runtime has left is told, and what of it is alive as a warning', () => {
  assert.deepEqual(wrong(judgeOtherRuntimes({ sockets: [], processes: [], directories: [], monitors: [] })), []);
  const facts = {
    sockets: [
      { path: '/run/crio/crio.sock', answers: false },
      { path: '/run/containerd/containerd.sock', answers: true },
    ],
    processes: [{ name: 'containerd', pid: 7 }],
    directories: ['/var/lib/containerd'],
    monitors: [
      { of: 'CRI-O' as const, pid: 12 },
      { of: 'CRI-O' as const, pid: 9 },
    ],
  };
  assert.deepEqual(wrong(judgeOtherRuntimes(facts)), [
    'warning pods that CRI-O has made still run: 2 monitors of theirs, the first with pid 9',
    'warning containerd runs, pid 7',
    'note /run/crio/crio.sock is there, and nobody answers on it',
    'warning another runtime answers on /run/containerd/containerd.sock',
    'note /var/lib/containerd has the images of another runtime',
  ]);
});

test('a daemon that hangs, is older, not ready or stuck', () => {
  assert.deepEqual(wrong(judgeDaemon({ is: 'silent', words: 'no answer' }, '1')), [
    'error the daemon is there and does not answer: no answer',
  ]);
  const status = {
    version: '0.9.0',
    pid: 1,
    startedAt: '2026-01-01T00:00:00Z',
    conditions: [{ type: 'NetworkReady', ok: false, reason: 'NotReady', message: 'no network' }],
    unfinished: [
      { what: 'create container a', since: '2026-01-01T00:00:00Z' },
      { what: 'create container b', since: '2026-01-01T00:59:00Z' },
    ],
    setAside: ['x.json'],
    brokenCdiSpecs: [],
    cadvisorFault: '/c.sock: a process listens there already',
  } as unknown as StatusReport;
  assert.deepEqual(wrong(judgeDaemon({ is: 'running', status, openFilesLimit: 1024 }, '1.0.0', Date.parse('2026-01-01T01:00:00Z'))), [
    'warning the daemon is of version 0.9.0, this program of 1.0.0',
    'error NetworkReady is not: NotReady: no network',
    'warning create container a: under way since 2026-01-01T00:00:00Z',
    'warning the record x.json could not be read and was set aside',
    'warning cAdvisor gets no names of pods and containers: /c.sock: a process listens there already',
    'warning the daemon may open 1024 files',
  ]);
});
