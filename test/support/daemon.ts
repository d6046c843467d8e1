import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { execa } from 'execa';
import { writeJson } from 'fs-extra/esm';
import { ContainerState } from '../../api/cri/enums.ts';
import { connect } from '../../src/cli/cri-client.ts';
import type { CriClient } from '../../src/cli/cri-client.ts';
import { collectStandstills, watchThreads } from './standstills.ts';
import { sweep } from './sweep.ts';
import type { IMAGES } from './test-image.ts';
import { writeArchive } from './test-image.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/podwright');
/** Runs the build that scripts/test-build.ts makes with the crash tests' marks, or src/ as it stands. */
const programEnv = (): Record<string, string> => (process.env['PODWRIGHT_DIST'] === undefined ? { PODWRIGHT_FROM_SOURCE: '1' } : {});
const START_TIMEOUT_MS = 60_000;
const CLI_TIMEOUT_MS = 60_000;
/** The daemon reads the directory every five seconds even without a notice of the kernel. */
const CNI_TIMEOUT_MS = 30_000;

export interface DaemonOptions {
  /** Environment besides our own: PODWRIGHT_KILL_AT, PODWRIGHT_STAGE_LOG. */
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of `podwright serve` besides the usual ones. */
  readonly args?: readonly string[];
  /** The configuration file. */
  readonly config?: string;
  /** The CNI plugins of the network, the default: bridge with host-local, and portmap. 'none': no configuration at all. */
  readonly cniPlugins?: readonly object[] | 'none';
  /** The root, where it must be elsewhere than in the daemon's own directory. */
  readonly root?: string;
  /** Images to load after the first start; default busybox. */
  readonly images?: readonly (keyof typeof IMAGES)[];
  /** The test stops the daemon's process itself: how long its event loop stands still then says nothing of the daemon. */
  readonly isHeldUp?: boolean;
}

/** Programs to test with, where not the machine's own. */
const OCI_RUNTIME = process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc';
const CONMON = process.env['PODWRIGHT_TEST_CONMON'];
const CNI_BIN_DIRS = (process.env['PODWRIGHT_TEST_CNI_BIN'] ?? '/opt/cni/bin:/usr/lib/cni').split(':');

/** As /run is on a node. {@link sweep} unmounts it. */
export async function mountRunDirectory(directory: string): Promise<void> {
  await mkdir(directory);
  await execa('mount', ['-t', 'tmpfs', '-o', 'mode=0711', 'podwright-test', directory]);
}

/** A daemon of our own build with everything of its own: root, run directory, sockets, CNI configuration, bridge, cgroups. */
export class TestDaemon {
  /** All of its files are below. */
  readonly directory: string;
  readonly root: string;
  readonly runDir: string;
  readonly socket: string;
  /** Where NRI plugins connect. */
  readonly nriSocket: string;
  readonly logFile: string;
  /** Where pods' logs go, as /var/log/pods. */
  readonly logDirectory: string;
  readonly cniConfDir: string;
  /** host-local's records: one file per address. */
  readonly cniDataDir: string;
  /** Where CNI plugins are looked up before the usual places; for test/support/cni.ts installPlugin. */
  readonly cniBinDir: string;
  readonly bridge: string;
  /** The cgroup that stands for /kubepods. */
  readonly cgroup: string;
  readonly #options: DaemonOptions;
  #child: ChildProcess | undefined;
  #client: CriClient | undefined;

  private constructor(directory: string, options: DaemonOptions) {
    const suffix = basename(directory).slice(-6);
    this.directory = directory;
    this.root = options.root ?? join(directory, 'root');
    this.runDir = join(directory, 'run');
    this.socket = join(directory, 'cri.sock');
    this.nriSocket = join(directory, 'nri.sock');
    this.logFile = join(directory, 'daemon.log');
    this.logDirectory = join(directory, 'logs');
    this.cniConfDir = join(directory, 'cni');
    this.cniDataDir = join(directory, 'cni-data');
    this.cniBinDir = join(directory, 'cni-bin');
    this.bridge = `pw${suffix}`;
    this.cgroup = `/pw-${suffix}`;
    this.#options = options;
  }

  /** Makes the directories and the configuration; nothing is started. */
  static async prepare(options: DaemonOptions = {}): Promise<TestDaemon> {
    const daemon = new TestDaemon(await mkdtemp(join(tmpdir(), 'pw-')), options);
    // Root of a pod with a user namespace goes through it to its root file system.
    await chmod(daemon.directory, 0o711);
    await mkdir(daemon.cniConfDir);
    await mkdir(daemon.cniBinDir);
    await mkdir(join(daemon.directory, 'conf.d'));
    await mkdir(daemon.logDirectory);
    await mountRunDirectory(daemon.runDir);
    await writeFile(join(daemon.directory, 'podwright.toml'), options.config ?? '');
    if (options.cniPlugins !== 'none') await daemon.writeCniConf(options.cniPlugins ?? daemon.bridgePlugins());
    return daemon;
  }

  /** A started daemon with its images loaded. */
  static async start(options: DaemonOptions = {}): Promise<TestDaemon> {
    const daemon = await TestDaemon.prepare(options);
    try {
      await daemon.start();
      await daemon.loadImages(options.images ?? ['busybox']);
    } catch (error) {
      process.stdout.write(await daemon.logTail());
      await daemon.destroy();
      throw error;
    }
    return daemon;
  }

  get network(): string {
    return `net-${this.bridge}`;
  }

  /** The usual network: a bridge of our own, so that no other daemon's is touched. */
  bridgePlugins(): readonly object[] {
    const [a = 0, b = 0] = Buffer.from(this.bridge).subarray(-2);
    const subnet = `10.${64 + (a % 64)}.${b}.0/24`;
    return [
      {
        type: 'bridge',
        bridge: this.bridge,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: { type: 'host-local', dataDir: this.cniDataDir, ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ];
  }

  async writeCniConf(plugins: readonly object[], cniVersion = '1.0.0'): Promise<void> {
    const list = { cniVersion, name: this.network, plugins };
    await writeJson(join(this.cniConfDir, '10-test.conflist'), list, { spaces: 2 });
  }

  /** Has the running daemon use these plugins from now on: it watches the directory, so a change takes it a moment. */
  async useCniPlugins(plugins: readonly object[]): Promise<void> {
    await this.writeCniConf(plugins);
    const end = Date.now() + CNI_TIMEOUT_MS;
    while (!isDeepStrictEqual(await this.#cniPlugins(), plugins)) {
      assert.ok(Date.now() < end, `the network has not the plugins ${JSON.stringify(plugins)} after ${CNI_TIMEOUT_MS} ms`);
      await sleep(50);
    }
  }

  get pid(): number {
    return this.#child?.pid ?? assert.fail('the daemon is not running');
  }

  get client(): CriClient {
    return this.#client ?? assert.fail('the daemon is not running');
  }

  get runtime(): CriClient['runtime'] {
    return this.client.runtime;
  }

  get images(): CriClient['image'] {
    return this.client.image;
  }

  /** Starts the daemon and waits until Status says RuntimeReady. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.launch(env);
    const end = Date.now() + START_TIMEOUT_MS;
    while (!(await this.#isReady())) {
      assert.ok(this.isRunning, `the daemon ended while it started:\n${await this.logTail()}`);
      assert.ok(Date.now() < end, `the daemon is not ready after ${START_TIMEOUT_MS} ms:\n${await this.logTail()}`);
      await sleep(50);
    }
  }

  /** Starts the daemon and waits for nothing. */
  async launch(env: Readonly<Record<string, string>> = {}): Promise<void> {
    assert.equal(this.isRunning, false, 'the daemon runs already');
    const log = await open(this.logFile, 'a');
    // A test run that is killed takes its daemons along.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', PROGRAM, 'serve', ...this.#flags()], {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      env: { ...process.env, ...programEnv(), CACHE_DIRECTORY: join(this.directory, 'cache'), ...this.#options.env, ...env },
    });
    await log.close();
    if (this.#child.pid !== undefined) watchThreads(this.#child.pid, this.logFile);
    this.#client?.close();
    this.#client = connect(this.socket);
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the daemon has ended by itself (PODWRIGHT_KILL_AT). */
  async ended(timeoutMs = 30_000): Promise<void> {
    if (!this.isRunning || this.#child === undefined) return;
    await once(this.#child, 'exit', { signal: AbortSignal.timeout(timeoutMs) });
  }

  /** Ends the daemon with a signal and waits for its end. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.isRunning) {
      process.kill(this.pid, signal);
      await this.ended();
    }
    this.#client?.close();
    this.#client = undefined;
  }

  async kill9(): Promise<void> {
    await this.stop('SIGKILL');
  }

  async restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.stop();
    await this.start(env);
  }

  /** Runs a subcommand of our program against this daemon. @throws where it fails. */
  async cli(...args: readonly string[]): Promise<string> {
    const flags = ['--config', join(this.directory, 'podwright.toml'), '--run-dir', this.runDir];
    const options = { timeout: CLI_TIMEOUT_MS, env: programEnv(), stripFinalNewline: false };
    const { stdout } = await execa(PROGRAM, [...args, ...flags], options);
    return stdout;
  }

  async loadImages(names: readonly (keyof typeof IMAGES)[], format: 'oci' | 'docker' = 'oci'): Promise<void> {
    if (names.length === 0) return;
    const archive = await writeArchive(names, format);
    try {
      await this.cli('image', 'load', archive.path);
    } finally {
      await archive.remove();
    }
  }

  /** The last lines of the daemon's log. */
  async logTail(lines = 60): Promise<string> {
    const text = await readFile(this.logFile, 'utf8').catch(() => '');
    return `--- ${this.logFile}\n${text.split('\n').slice(-lines).join('\n')}\n---\n`;
  }

  /** Ends the daemon and takes away everything of it, also what it left behind. */
  async destroy(): Promise<void> {
    await this.#removePods().catch(() => undefined);
    await this.stop().catch(() => undefined);
    if (this.isRunning) await this.kill9();
    if (this.#options.isHeldUp !== true) await collectStandstills(this.logFile);
    await sweep(this);
  }

  async #removePods(): Promise<void> {
    if (!this.isRunning) return;
    const limit = { timeoutMs: 10_000 };
    const { containers } = await this.runtime.listContainers({ filter: { state: { state: ContainerState.CONTAINER_RUNNING } } }, limit);
    await Promise.allSettled(containers.map(({ id }) => this.runtime.stopContainer({ containerId: id, timeout: 0n }, limit)));
    const { items } = await this.runtime.listPodSandbox({}, limit);
    for (const { id } of items) {
      await this.runtime.stopPodSandbox({ podSandboxId: id }, limit);
      await this.runtime.removePodSandbox({ podSandboxId: id }, limit);
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      const { status } = await this.runtime.status({ verbose: false }, { timeoutMs: 1000 });
      return status?.conditions.find((condition) => condition.type === 'RuntimeReady')?.status === true;
    } catch {
      return false;
    }
  }

  /** The plugins of the network that a pod would be attached to now, as they were configured. */
  async #cniPlugins(): Promise<readonly unknown[] | undefined> {
    const { info } = await this.runtime.status({ verbose: true });
    const { network } = JSON.parse(info['cni'] ?? '{}') as { network?: { plugins: readonly { document: unknown }[] } };
    return network?.plugins.map(({ document }) => document);
  }

  #flags(): string[] {
    const { args = [] } = this.#options;
    return [
      '--config', join(this.directory, 'podwright.toml'),
      '--config-dir', join(this.directory, 'conf.d'),
      '--root', this.root,
      '--run-dir', this.runDir,
      '--listen', this.socket,
      '--nri-listen', this.nriSocket,
      '--cni-conf-dir', this.cniConfDir,
      ...[this.cniBinDir, ...CNI_BIN_DIRS].flatMap((folder) => ['--cni-bin-dir', folder]),
      '--runtime', `runc=${OCI_RUNTIME}`,
      ...(CONMON === undefined ? [] : ['--conmon', CONMON]),
      '--log-level', 'debug',
      ...args,
    ]; // prettier-ignore
  }
}
