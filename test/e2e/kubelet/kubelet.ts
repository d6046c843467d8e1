import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ensureDir, writeJson } from 'fs-extra/esm';
import {
  copyTunables,
  enterScript,
  FIXED_DIRECTORIES,
  makeCgroup,
  makeMissing,
  nodeAddress,
  placeOf,
} from '../../support/kubelet-places.ts';
import { removeCgroups } from '../../support/sweep.ts';
import type { PodManifest, PodStatus } from './pods.ts';
import { NODE_NAME, podsFromKubelet } from './pods.ts';

const START_TIMEOUT_MS = 60_000;
/** For programs of this machine that come to an end by themselves. */
const LIMITS = { timeout: 30_000, killSignal: 'SIGKILL' } as const;

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
    for (const path of FIXED_DIRECTORIES) await ensureDir(placeOf(join(directory, 'fixed'), path));
    await copyTunables(join(directory, 'fixed'));
    this.#madeDirectories = await makeMissing(FIXED_DIRECTORIES);
    await makeCgroup(cgroupRoot);
    await writeFile(join(directory, 'enter.sh'), enterScript(join(directory, 'fixed'), FIXED_DIRECTORIES));
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
    await removeCgroups(cgroupRoot);
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

async function mountsAt(directory: string): Promise<string[]> {
  const targets = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
  return targets.filter((target) => target === directory || target.startsWith(`${directory}/`)).reverse();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : assert.fail('no port');
}
