import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ensureDir, pathExists, writeJson } from 'fs-extra/esm';
import type { PodManifest, PodStatus } from './pods.ts';
import { NODE_NAME, podsFromKubelet } from './pods.ts';

const START_TIMEOUT_MS = 60_000;
/** For programs of this machine that come to an end by themselves. */
const LIMITS = { timeout: 30_000, killSignal: 'SIGKILL' } as const;

/** Directories that the kubelet has no flag for, and that a kubelet of this machine's own may be using. */
const FIXED_DIRECTORIES = ['/var/lib/kubelet', '/var/log/containers', '/var/run/crio'];
/** What the kubelet sets at its start (pkg/kubelet/cm setupKernelTunables), for the whole machine. */
const TUNABLES = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];

export interface KubeletOptions {
  /** The kubelet's own program. */
  readonly program: string;
  /** Everything of it is below; made, and removed by {@link TestKubelet.destroy}. */
  readonly directory: string;
  /** Our daemon's. */
  readonly socket: string;
  /** Where kubepods will be, as "/pw-1a2b3c"; made, and removed at the end. */
  readonly cgroupRoot: string;
}

/**
 * A kubelet without an API server, on static pods.
 *
 * It runs in a mount namespace in which the fixed directories and the machine's tunables are files of ours, so that
 * nothing of the machine changes, while mounts below its own directory (volumes in memory) reach the daemon.
 */
export class TestKubelet {
  readonly logFile: string;
  /** As /var/log/pods. */
  readonly podLogs: string;
  /** What the kubelet sees as /var/log/containers. */
  readonly containerLogs: string;
  /** What its cAdvisor sees as CRI-O's socket. */
  readonly crioSocket: string;
  /** As /var/lib/kubelet. */
  readonly root: string;
  readonly cgroup: string;
  readonly #manifests: string;
  readonly #options: KubeletOptions;
  #ports: { readonly https: number; readonly http: number } | undefined;
  #child: ChildProcess | undefined;
  #madeDirectories: readonly string[] = [];

  constructor(options: KubeletOptions) {
    const { directory } = options;
    this.#options = options;
    this.logFile = join(directory, 'kubelet.log');
    this.podLogs = join(directory, 'pod-logs');
    this.root = join(directory, 'root');
    this.containerLogs = join(directory, 'fixed', 'var_log_containers');
    this.crioSocket = join(directory, 'fixed', 'var_run_crio', 'crio.sock');
    this.cgroup = `${options.cgroupRoot}/kubepods`;
    this.#manifests = join(directory, 'manifests');
  }

  get pid(): number {
    return this.#child?.pid ?? assert.fail('the kubelet is not running');
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Directories, the cgroup and the shared mount. */
  async prepare(): Promise<void> {
    const { directory, cgroupRoot } = this.#options;
    await mkdir(directory);
    await execa('mount', ['--bind', directory, directory], LIMITS);
    // Where the file system below is shared, it would get each mount of ours as well, and nobody would unmount it there.
    await execa('mount', ['--make-private', directory], LIMITS);
    await execa('mount', ['--make-shared', directory], LIMITS);
    for (const path of [this.#manifests, this.root, this.podLogs, join(directory, 'plugins')]) await mkdir(path);
    for (const path of FIXED_DIRECTORIES) await ensureDir(join(directory, 'fixed', path.slice(1).replaceAll('/', '_')));
    for (const path of TUNABLES) {
      const copy = join(directory, 'fixed', path.replaceAll('/', '_'));
      await writeFile(copy, await readFile(join('/proc/sys', path)));
    }
    this.#madeDirectories = await makeMissing(FIXED_DIRECTORIES);
    await makeCgroup(cgroupRoot);
    await writeFile(join(directory, 'enter.sh'), enterScript(directory));
  }

  /**
   * Starts the kubelet and waits until it says that it is healthy.
   * @param change fields of its configuration other than the usual ones.
   */
  async start(change: object = {}): Promise<void> {
    assert.equal(this.isRunning, false, 'the kubelet runs already');
    const { directory, program } = this.#options;
    this.#ports ??= { https: await freePort(), http: await freePort() };
    await writeJson(join(directory, 'config.json'), { ...this.#configuration(), ...change }, { spaces: 2 });
    const log = await open(this.logFile, 'a');
    const args = [
      '--config',
      join(directory, 'config.json'),
      '--root-dir',
      this.root,
      '--cert-dir',
      join(directory, 'certificates'),
      '--hostname-override',
      NODE_NAME,
      '--node-ip',
      nodeAddress(),
      '--v',
      '2',
    ];
    this.#child = spawn('unshare', ['--mount', '--propagation', 'unchanged', '--', 'sh', join(directory, 'enter.sh'), program, ...args], {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    await log.close();
    const end = Date.now() + START_TIMEOUT_MS;
    while ((await this.get('/pods').catch(() => undefined)) === undefined) {
      assert.ok(this.isRunning, `the kubelet ended while it started:\n${await this.logTail()}`);
      assert.ok(Date.now() < end, `the kubelet does not answer after ${START_TIMEOUT_MS} ms:\n${await this.logTail()}`);
      await sleep(200);
    }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (!this.isRunning || this.#child === undefined) return;
    const ended = once(this.#child, 'exit', { signal: AbortSignal.timeout(30_000) });
    process.kill(this.pid, signal);
    await ended;
  }

  /** Puts a static pod where the kubelet finds it; the same name replaces it. */
  async apply(pod: PodManifest): Promise<void> {
    const file = join(this.#manifests, `${pod.metadata.name}.json`);
    const part = join(this.#options.directory, `${pod.metadata.name}.part`);
    await writeJson(part, pod, { spaces: 2 });
    await rename(part, file);
  }

  async removeManifest(name: string): Promise<void> {
    await rm(join(this.#manifests, `${name}.json`), { force: true });
  }

  async removeAllManifests(): Promise<void> {
    for (const file of await readdir(this.#manifests)) await rm(join(this.#manifests, file));
  }

  /** What the kubelet says of all its pods. */
  async pods(): Promise<PodStatus[]> {
    return podsFromKubelet(await this.get('/pods'));
  }

  /** The text at a path of the read-only port. */
  async get(path: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#port('http')}${path}`, { signal: AbortSignal.timeout(20_000) });
    const text = await response.text();
    assert.equal(response.status, 200, `GET ${path}: ${response.status}: ${text}`);
    return text;
  }

  /** The text at a path of the main port, which has its own certificate: container logs, commands. */
  async ask(path: string, method: 'GET' | 'POST' = 'GET'): Promise<string> {
    const url = `https://127.0.0.1:${this.#port('https')}${path}`;
    const args = ['-sSk', '--max-time', '20', '--fail-with-body', '-X', method, url];
    return (await execa('curl', args, { ...LIMITS, stripFinalNewline: false })).stdout;
  }

  async logTail(lines = 60): Promise<string> {
    const text = await readFile(this.logFile, 'utf8').catch(() => '');
    return `--- ${this.logFile}\n${text.split('\n').slice(-lines).join('\n')}\n---\n`;
  }

  /** Ends the kubelet and takes away what `prepare` has made; cgroups too, once nothing is in them. */
  async destroy(): Promise<void> {
    await this.stop('SIGKILL').catch(() => undefined);
    const { directory, cgroupRoot } = this.#options;
    for (const mount of await mountsAt(directory)) await execa('umount', ['-l', mount], LIMITS).catch(() => undefined);
    for (const top of ['', ...(await readdir('/sys/fs/cgroup'))]) await removeCgroups(join('/sys/fs/cgroup', top, cgroupRoot));
    for (const made of this.#madeDirectories) await rmdir(made).catch(() => undefined);
  }

  #port(which: 'http' | 'https'): number {
    return this.#ports?.[which] ?? assert.fail('the kubelet was never started');
  }

  /** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
  #configuration(): object {
    const off = ['memory.available', 'nodefs.available', 'nodefs.inodesFree', 'imagefs.available', 'imagefs.inodesFree'];
    return {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      containerRuntimeEndpoint: `unix://${this.#options.socket}`,
      staticPodPath: this.#manifests,
      podLogsDir: this.podLogs,
      address: '127.0.0.1',
      port: this.#port('https'),
      readOnlyPort: this.#port('http'),
      healthzPort: 0,
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: 'AlwaysAllow' },
      volumePluginDir: join(this.#options.directory, 'plugins'),
      cgroupDriver: 'cgroupfs',
      cgroupsPerQOS: true,
      cgroupRoot: this.#options.cgroupRoot,
      enforceNodeAllocatable: ['pods'],
      failCgroupV1: false,
      failSwapOn: false,
      makeIPTablesUtilChains: false,
      oomScoreAdj: 0,
      resolvConf: '/etc/resolv.conf',
      clusterDomain: 'cluster.local',
      fileCheckFrequency: '2s',
      evictionHard: Object.fromEntries(off.map((name) => [name, '0%'])),
      imageGCHighThresholdPercent: 100,
      containerLogMaxSize: '64Ki',
      containerLogMaxFiles: 10,
      containerLogMonitorInterval: '3s',
      shutdownGracePeriod: '0s',
    };
  }
}

/** Makes the fixed directories and the tunables our own, in this mount namespace only, and becomes the given command. */
function enterScript(directory: string): string {
  const bind = (from: string, to: string): string[] => [
    // Without this the mount would go to the machine, where the file system it is on is shared.
    `mount --make-private "$(stat -c %m ${to})"`,
    `mount --bind ${join(directory, 'fixed', from)} ${to}`,
  ];
  return [
    'set -e',
    ...FIXED_DIRECTORIES.flatMap((path) => bind(path.slice(1).replaceAll('/', '_'), path)),
    ...TUNABLES.flatMap((path) => bind(path.replaceAll('/', '_'), `/proc/sys/${path}`)),
    'exec "$@"\n',
  ].join('\n');
}

async function makeMissing(paths: readonly string[]): Promise<string[]> {
  const made: string[] = [];
  for (const path of paths) {
    if (await pathExists(path)) continue;
    await ensureDir(path);
    made.push(path);
  }
  return made;
}

/** In every hierarchy; version 1 cpusets start empty and must be given their parent's. */
async function makeCgroup(cgroup: string): Promise<void> {
  const hierarchies = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => /- cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
  for (const hierarchy of hierarchies) {
    await ensureDir(join(hierarchy, cgroup));
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = join(hierarchy, cgroup, file);
      if ((await readFile(own, 'utf8').catch(() => 'not here')).trim() !== '') continue;
      const parent = await readFile(join(hierarchy, file), 'utf8').catch(() => '');
      if (parent !== '') await writeFile(own, parent);
    }
  }
}

/** Leaves a cgroup that still has processes, for the sweep or the inventory to find. */
async function removeCgroups(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeCgroups(join(folder, entry.name));
  }
  await rmdir(folder).catch(() => undefined);
}

async function mountsAt(directory: string): Promise<string[]> {
  const targets = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
  return targets.filter((target) => target === directory || target.startsWith(`${directory}/`)).reverse();
}

/** The kubelet refuses a loopback address for its node. */
function nodeAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? assert.fail('this machine has no IPv4 address');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : assert.fail('no port');
}
