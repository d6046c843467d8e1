/** containerd and CRI-O, each with everything of its own below one directory, as a benchmark's rivals: the same runtime, monitor and plugins. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { mkdirs, writeJson } from 'fs-extra/esm';
import { connect } from '../../src/cli/cri-client.ts';
import type { CriClient } from '../../src/cli/cri-client.ts';
import { mountRunDirectory } from '../support/daemon.ts';
import { sweep } from '../support/sweep.ts';
import { childrenOf } from './runtime-process.ts';

/** What all runtimes of a run have in common. */
export interface Parts {
  /** Paths of runc or crun, and of conmon. */
  readonly runtime: string;
  readonly conmon: string;
  readonly cniBinDirs: readonly string[];
  /** `HOST:PORT`, without TLS. */
  readonly registry: string | undefined;
}

export type PeerKind = 'containerd' | 'crio';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 10;
const SUBREAPER = join(import.meta.dirname, 'fixtures/subreaper.ts');

/** One of them that runs. */
export class Peer {
  readonly directory: string;
  readonly root: string;
  readonly bridge: string;
  readonly network: string;
  readonly cgroup: string;
  readonly socket: string;
  readonly #kind: PeerKind;
  readonly #program: string;
  #reaper: ChildProcess | undefined;
  #client: CriClient | undefined;
  #daemon = 0;

  private constructor(kind: PeerKind, program: string, directory: string) {
    const suffix = basename(directory).slice(-6);
    this.#kind = kind;
    this.#program = program;
    this.directory = directory;
    this.root = join(directory, 'root');
    this.bridge = `pb${suffix}`;
    this.network = `net-${this.bridge}`;
    this.cgroup = `/pb-${suffix}`;
    this.socket = join(directory, 'cri.sock');
  }

  static async start(kind: PeerKind, program: string, parts: Parts): Promise<Peer> {
    const peer = new Peer(kind, program, await mkdtemp(join(tmpdir(), 'pb-')));
    // Root of a pod with a user namespace goes through it to its root file system.
    await chmod(peer.directory, 0o711);
    await mkdirs(join(peer.directory, 'cni'));
    await mountRunDirectory(join(peer.directory, 'run'));
    const plugins = bridgePlugins(peer.bridge, join(peer.directory, 'cni-data'));
    await writeJson(join(peer.directory, 'cni/10-bench.conflist'), { cniVersion: '1.0.0', name: peer.network, plugins });
    await (kind === 'crio' ? configureCrio(peer.directory, program, parts) : configureContainerd(peer.directory, parts));
    try {
      await peer.launch();
    } catch (error) {
      await peer.end();
      throw error;
    }
    return peer;
  }

  /** Starts it and waits for its first answer, as often as it was killed before. */
  async launch(): Promise<void> {
    const log = await open(join(this.directory, 'daemon.log'), 'a');
    const flags =
      this.#kind === 'crio'
        ? ['-c', join(this.directory, 'crio.conf'), '-d', join(this.directory, 'crio.conf.d')]
        : ['-c', join(this.directory, 'config.toml')];
    const path = `${dirname(this.#program)}:${process.env['PATH'] ?? ''}`;
    const confs = {
      CONTAINER_REGISTRIES_CONF: join(this.directory, 'registries.conf'),
      CONTAINERS_REGISTRIES_CONF: join(this.directory, 'registries.conf'),
    };
    const reaper = spawn(process.execPath, [SUBREAPER, this.#program, ...flags], {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, ...confs, PATH: path },
    });
    this.#reaper = reaper;
    await log.close();
    this.#client?.close();
    this.#client = connect(this.socket);
    const end = Date.now() + START_TIMEOUT_MS;
    while (
      !(await this.client.runtime.version({}, { timeoutMs: 1000 }).then(
        () => true,
        () => false,
      ))
    ) {
      // prettier-ignore
      assert.ok(reaper.exitCode === null && Date.now() < end, `${this.#program} does not answer: ${await this.logTail()}`);
      await sleep(POLL_MS);
    }
    [this.#daemon = 0] = await childrenOf(this.rootPid);
  }

  get client(): CriClient {
    return this.#client ?? assert.fail('it is not running');
  }

  /** Below which all of its processes are. */
  get rootPid(): number {
    return this.#reaper?.pid ?? assert.fail('it is not running');
  }

  get pid(): number {
    return this.#daemon;
  }

  async logTail(): Promise<string> {
    const text = await readFile(join(this.directory, 'daemon.log'), 'utf8').catch(() => '');
    return text.split('\n').slice(-20).join('\n');
  }

  async kill9(): Promise<void> {
    const reaper = this.#reaper;
    if (reaper === undefined || reaper.exitCode !== null) return;
    const ended = once(reaper, 'exit');
    if (this.#daemon !== 0) process.kill(this.#daemon, 'SIGKILL');
    else reaper.kill('SIGKILL');
    await ended;
  }

  /** Ends it and takes away all that is left of it. */
  async end(): Promise<void> {
    await this.kill9();
    this.#client?.close();
    await sweep(this);
    await execa('nft', ['delete', 'table', 'ip', 'crio-hostports'], { reject: false });
  }
}

/** A bridge of its own with host-local and portmap, as the tests' daemons have. */
export function bridgePlugins(bridge: string, dataDir: string): readonly object[] {
  const [a = 0, b = 0] = Buffer.from(bridge).subarray(-2);
  const ranges = [[{ subnet: `10.${128 + (a % 64)}.${b}.0/24` }]];
  const ipam = { type: 'host-local', dataDir, ranges, routes: [{ dst: '0.0.0.0/0' }] };
  return [
    { type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true, ipam },
    { type: 'portmap', capabilities: { portMappings: true } },
  ];
}

async function configureContainerd(directory: string, { runtime, cniBinDirs, registry = '' }: Parts): Promise<void> {
  await mkdirs(join(directory, 'certs.d', registry));
  const hosts = `server = "http://${registry}"\n[host."http://${registry}"]\ncapabilities = ["pull", "resolve"]\n`;
  await writeFile(join(directory, 'certs.d', registry, 'hosts.toml'), hosts);
  const lines = [
    'version = 3',
    `root = "${directory}/root"`,
    `state = "${directory}/run"`,
    '[grpc]',
    `address = "${directory}/cri.sock"`,
    '[plugins."io.containerd.cri.v1.images".registry]',
    `config_path = "${directory}/certs.d"`,
    '[plugins."io.containerd.cri.v1.images".pinned_images]',
    `sandbox = "${registry}/bench/pause:1"`,
    '[plugins."io.containerd.cri.v1.runtime"]',
    // This process may lack CAP_SYS_RESOURCE, and theirs then too.
    'restrict_oom_score_adj = true',
    '[plugins."io.containerd.cri.v1.runtime".cni]',
    `bin_dirs = [${cniBinDirs.map((each) => JSON.stringify(each)).join()}]`,
    `conf_dir = "${directory}/cni"`,
    '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]',
    'runtime_type = "io.containerd.runc.v2"',
    '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]',
    `BinaryName = "${runtime}"`,
    'SystemdCgroup = false',
    '[plugins."io.containerd.nri.v1.nri"]',
    'disable = true',
  ];
  await writeFile(join(directory, 'config.toml'), `${lines.join('\n')}\n`);
}

async function configureCrio(directory: string, program: string, { runtime, conmon, cniBinDirs, registry = '' }: Parts): Promise<void> {
  for (const name of ['crio.conf.d', 'hooks', 'policies']) await mkdirs(join(directory, name));
  await writeFile(join(directory, 'registries.conf'), `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`);
  await writeFile(join(directory, 'policy.json'), '{"default": [{"type": "insecureAcceptAnything"}]}');
  const lines = [
    '[crio]',
    `root = "${directory}/root"`,
    `runroot = "${directory}/run/storage"`,
    'storage_driver = "overlay"',
    `log_dir = "${directory}/pod-logs"`,
    `version_file = "${directory}/run/version"`,
    `version_file_persist = "${directory}/version"`,
    `clean_shutdown_file = "${directory}/clean.shutdown"`,
    '[crio.api]',
    `listen = "${directory}/cri.sock"`,
    'stream_address = "127.0.0.1"',
    'stream_port = "0"',
    '[crio.runtime]',
    'conmon_cgroup = "pod"',
    'cgroup_manager = "cgroupfs"',
    'default_runtime = "bench"',
    `container_exits_dir = "${directory}/run/exits"`,
    `container_attach_socket_dir = "${directory}/run/attach"`,
    `namespaces_dir = "${directory}/run/ns"`,
    `pinns_path = "${join(dirname(program), 'pinns')}"`,
    `hooks_dir = ["${directory}/hooks"]`,
    'apparmor_profile = "unconfined"',
    'irqbalance_config_restore_file = "disable"',
    'enable_criu_support = false',
    '[crio.runtime.runtimes.bench]',
    `runtime_path = "${runtime}"`,
    `runtime_root = "${directory}/run/oci"`,
    `monitor_path = "${conmon}"`,
    'monitor_cgroup = "pod"',
    '[crio.image]',
    `pause_image = "${registry}/bench/pause:1"`,
    `signature_policy = "${directory}/policy.json"`,
    `signature_policy_dir = "${directory}/policies"`,
    '[crio.network]',
    `network_dir = "${directory}/cni"`,
    `plugin_dirs = [${cniBinDirs.map((each) => JSON.stringify(each)).join()}]`,
    '[crio.stats]',
    'included_pod_metrics = ["all"]',
    '[crio.nri]',
    'enable_nri = false',
  ];
  await writeFile(join(directory, 'crio.conf'), `${lines.join('\n')}\n`);
}
