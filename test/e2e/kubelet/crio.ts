/** A CRI-O of its own, for comparison: storage, state, network and sockets are below one directory. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { remove, writeJson } from 'fs-extra/esm';
import { connect } from '../../../src/cli/cri-client.ts';
import { IMAGES, writeArchive } from '../../support/test-image.ts';

const START_TIMEOUT_MS = 180_000;
const LIMITS = { timeout: 300_000, killSignal: 'SIGKILL' } as const;
/** Of the pod's container, which has no processes where the pod shares none. */
const PAUSE_IMAGE = 'localhost/podwright-test/pause:1';

export interface CrioOptions {
  /** CRI-O and pinns, which is built beside it. */
  readonly crio: string;
  readonly pinns: string;
  readonly directory: string;
  /** Where it listens. */
  readonly socket: string;
}

export class CrioNode {
  readonly logFile: string;
  readonly #options: CrioOptions;
  #child: ChildProcess | undefined;

  constructor(options: CrioOptions) {
    this.#options = options;
    this.logFile = join(options.directory, 'crio.log');
  }

  /** "1.37.0". */
  async version(): Promise<string> {
    const { stdout } = await execa(this.#options.crio, ['--version'], LIMITS);
    return /^(?:crio version|Version:)\s+(\S+)/m.exec(stdout)?.[1] ?? assert.fail(`crio --version says ${stdout}`);
  }

  async start(): Promise<void> {
    const { directory, crio, socket } = this.#options;
    for (const name of ['cni', 'hooks', 'registries.d', 'conf.d']) await mkdir(join(directory, name), { recursive: true });
    await writeJson(join(directory, 'policy.json'), { default: [{ type: 'insecureAcceptAnything' }] });
    await writeFile(join(directory, 'registries.conf'), '');
    await writeJson(join(directory, 'cni/10-test.conflist'), network(directory));
    await writeFile(join(directory, 'crio.conf'), configuration(this.#options));
    await this.#loadImages();
    const log = await open(this.logFile, 'a');
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', crio, '-c', join(directory, 'crio.conf'), '-d', join(directory, 'conf.d')], {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, CONTAINERS_REGISTRIES_CONF: join(directory, 'registries.conf') },
    });
    await log.close();
    const client = connect(socket);
    try {
      const end = Date.now() + START_TIMEOUT_MS;
      const isUp = async (): Promise<boolean> => client.runtime.version({}, { timeoutMs: 1000 }).then(() => true, () => false); // prettier-ignore
      while (!(await isUp())) {
        assert.ok(this.#child.exitCode === null && Date.now() < end, `CRI-O does not answer:\n${await readFile(this.logFile, 'utf8')}`);
        await sleep(200);
      }
    } finally {
      client.close();
    }
  }

  async #loadImages(): Promise<void> {
    await this.#loadImage('busybox', IMAGES.busybox);
    // Its command waits, as pause does.
    await this.#loadImage('stopSignal', PAUSE_IMAGE);
  }

  async #loadImage(source: keyof typeof IMAGES, name: string): Promise<void> {
    const archive = await writeArchive([source], 'docker');
    const store = `[overlay@${this.#options.directory}/storage+${this.#options.directory}/run/storage]`;
    try {
      await execa('skopeo', ['--insecure-policy', 'copy', `docker-archive:${archive.path}`, `containers-storage:${store}${name}`], LIMITS);
    } finally {
      await archive.remove();
    }
  }

  /** Removes its pods, ends it, and takes away all of it. */
  async destroy(): Promise<void> {
    const { directory } = this.#options;
    if (this.#child?.exitCode === null && this.#child.signalCode === null) {
      await this.#removePods();
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
    for (const target of mounts.filter((one) => one.startsWith(`${directory}/`)).reverse()) await execa('umount', ['-l', target], LIMITS);
    await remove(directory);
  }

  async #removePods(): Promise<void> {
    const client = connect(this.#options.socket);
    try {
      const { items } = await client.runtime.listPodSandbox({}, { timeoutMs: 10_000 });
      for (const { id } of items) {
        await client.runtime.stopPodSandbox({ podSandboxId: id }, { timeoutMs: 60_000 });
        await client.runtime.removePodSandbox({ podSandboxId: id }, { timeoutMs: 60_000 });
      }
    } finally {
      client.close();
    }
  }
}

function network(directory: string): object {
  const ranges = [[{ subnet: '10.137.0.0/24' }]];
  const ipam = { type: 'host-local', dataDir: join(directory, 'cni-data'), ranges, routes: [{ dst: '0.0.0.0/0' }] };
  return {
    cniVersion: '1.0.0',
    name: 'crio-compared',
    plugins: [{ type: 'bridge', bridge: 'criocompared', isGateway: true, ipMasq: false, ipam }],
  };
}

/** What a node of its own needs to be told; the rest are CRI-O's defaults. */
function configuration({ directory, socket, pinns }: CrioOptions): string {
  const at = (name: string): string => JSON.stringify(join(directory, name));
  return `[crio]
root = ${at('storage')}
runroot = ${at('run/storage')}
storage_driver = "overlay"
log_dir = ${at('pod-logs')}
version_file = ${at('run/version')}
version_file_persist = ""
clean_shutdown_file = ${at('clean.shutdown')}
[crio.api]
listen = ${JSON.stringify(socket)}
stream_address = "127.0.0.1"
stream_port = "0"
[crio.runtime]
conmon_cgroup = "pod"
cgroup_manager = "cgroupfs"
default_runtime = "runc"
container_exits_dir = ${at('run/exits')}
container_attach_socket_dir = ${at('run/attach')}
namespaces_dir = ${at('run/ns')}
pinns_path = ${JSON.stringify(pinns)}
hooks_dir = [${at('hooks')}]
apparmor_profile = "unconfined"
irqbalance_config_restore_file = "disable"
enable_criu_support = false
[crio.runtime.runtimes.runc]
runtime_path = "/usr/sbin/runc"
runtime_root = ${at('run/oci')}
monitor_path = "/usr/bin/conmon"
monitor_cgroup = "pod"
[crio.image]
pause_image = "${PAUSE_IMAGE}"
pause_command = ""
signature_policy = ${at('policy.json')}
signature_policy_dir = ${at('registries.d')}
[crio.network]
network_dir = ${at('cni')}
plugin_dirs = ["/opt/cni/bin", "/usr/lib/cni"]
[crio.nri]
enable_nri = false
`;
}
