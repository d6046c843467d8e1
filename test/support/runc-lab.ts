import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDir, remove } from 'fs-extra/esm';
import { busyboxLayer } from '../../scripts/make-demo-image.ts';
import type { Cgroups } from '../../src/linux/cgroups/cgroups.ts';
import { detectCgroups } from '../../src/linux/cgroups/detect.ts';
import { pinNamespaces, unpinNamespaces } from '../../src/linux/namespaces.ts';
import { mountTmpfs, readMounts, unmountAllBelow } from '../../src/linux/mounts.ts';
import { run } from '../../src/linux/spawn.ts';
import type { RunResult } from '../../src/linux/spawn.ts';
import { readHostFacts } from '../../src/ocispec/host-facts.ts';
import type { HostFacts } from '../../src/ocispec/host-facts.ts';
import type { ContainerSpecInput } from '../../src/ocispec/input.ts';
import type { OciSpec } from '../../src/ocispec/oci-types.ts';
import { specToJson } from '../../src/ocispec/spec-json.ts';
import { resolveUser } from '../../src/ocispec/user.ts';
import { containerInput, SETTINGS } from './spec-inputs.ts';

/** PODWRIGHT_TEST_RUNC tries another version or runtime. */
export const RUNC = process.env['PODWRIGHT_TEST_RUNC'] ?? '/usr/sbin/runc';
const TIMEOUT_MS = 60_000;

/** A pod by hand (namespaces, /dev/shm, files) and busybox as rootfs, for running built specs with runc. */
export class RuncLab {
  readonly directory: string;
  readonly rootfs: string;
  readonly host: HostFacts;
  readonly #cgroups: Cgroups;
  readonly #cgroup: string;
  #count = 0;

  private constructor(directory: string, host: HostFacts, cgroups: Cgroups) {
    this.directory = directory;
    this.rootfs = join(directory, 'rootfs');
    this.host = host;
    this.#cgroups = cgroups;
    this.#cgroup = `/podwright-test-${randomBytes(4).toString('hex')}`;
  }

  static async make(): Promise<RuncLab> {
    const directory = await mkdtemp(join(tmpdir(), 'podwright-spec-'));
    const lab = new RuncLab(directory, await readHostFacts(), await detectCgroups());
    await mkdir(lab.rootfs);
    const { tar } = await busyboxLayer('none');
    await check(run('tar', { args: ['-x', '-f', '-', '-C', lab.rootfs], input: tar, timeoutMs: TIMEOUT_MS }), 'tar');
    await ensureDir(join(lab.rootfs, 'etc'));
    await writeFile(join(lab.rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
    await writeFile(join(lab.rootfs, 'etc/group'), 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n');
    await writeFile(join(directory, 'hosts'), '10.9.8.7 from-the-pod\n');
    await mkdir(join(directory, 'shm'));
    mountTmpfs(join(directory, 'shm'), { sizeBytes: 1024 * 1024, mode: 0o1777 });
    await mkdir(join(directory, 'ns'));
    pinNamespaces(join(directory, 'ns'), { net: true, ipc: true, uts: true, hostname: 'pod-host', loopback: true });
    return lab;
  }

  /** What the spec of a container in this pod is built from, less what a test changes. */
  async input(changes: Partial<Omit<ContainerSpecInput, 'plan'>> = {}): Promise<ContainerSpecInput> {
    this.#count += 1;
    const input = containerInput({
      ...changes,
      rootfsPath: this.rootfs,
      namespaces: { ...this.namespaces, pid: 'new', ...changes.namespaces },
      cgroupsPath: `${this.#cgroup}/c${this.#count}`,
      podFiles: { hosts: join(this.directory, 'hosts'), shm: join(this.directory, 'shm') },
      hostMounts: await readMounts(),
      settings: {
        ...(changes.settings ?? SETTINGS),
        defaultCapabilities: ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID', 'CAP_SYS_CHROOT'],
        defaultUlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1_000_000_000 }],
      },
      host: this.host,
    });
    return { ...input, user: await resolveUser(this.rootfs, input.plan.user) };
  }

  get namespaces(): { net: string; ipc: string; uts: string } {
    const path = (name: string): string => join(this.directory, 'ns', name);
    return { net: path('net'), ipc: path('ipc'), uts: path('uts') };
  }

  get cgroup(): string {
    return this.#cgroup;
  }

  /** Runs a spec to its end. */
  async run(spec: OciSpec): Promise<RunResult> {
    const { bundle, id } = await this.#bundle(spec);
    try {
      return await this.runc('run', '--bundle', bundle, id);
    } finally {
      await this.runc('delete', '--force', id);
    }
  }

  /** Starts a spec and leaves it running; the answer is its id, for {@link runc}, and its pid. */
  async start(spec: OciSpec): Promise<{ id: string; pid: number }> {
    const { bundle, id } = await this.#bundle(spec);
    // Its output goes nowhere: a pipe would be held open by the container for as long as it runs.
    await check(
      run('sh', {
        args: ['-c', 'exec "$@" >/dev/null 2>&1 </dev/null', 'sh', ...this.#line('run', '--detach', '--bundle', bundle, id)],
        timeoutMs: TIMEOUT_MS,
      }),
      'runc run',
    );
    const state = JSON.parse((await this.runc('state', id)).stdout.toString()) as { pid: number };
    return { id, pid: state.pid };
  }

  async runc(...args: readonly string[]): Promise<RunResult> {
    const [program, ...rest] = this.#line(...args);
    return run(program!, { args: rest, timeoutMs: TIMEOUT_MS });
  }

  #line(...args: readonly string[]): string[] {
    return [RUNC, '--root', join(this.directory, 'runc'), ...args];
  }

  async #bundle(spec: OciSpec): Promise<{ bundle: string; id: string }> {
    this.#count += 1;
    const id = `spec-${this.#count}`;
    const bundle = join(this.directory, id);
    await mkdir(bundle);
    await writeFile(join(bundle, 'config.json'), specToJson(spec));
    return { bundle, id };
  }

  async remove(): Promise<void> {
    const list = await this.runc('list', '--quiet');
    for (const id of list.stdout.toString().split('\n').filter(Boolean)) await this.runc('delete', '--force', id);
    unpinNamespaces(join(this.directory, 'ns'));
    await unmountAllBelow(this.directory);
    await this.#cgroups.remove(this.#cgroup);
    await remove(this.directory);
  }
}

async function check(running: Promise<RunResult>, what: string): Promise<void> {
  const { exit, stderr } = await running;
  if (exit.code !== 0) throw new Error(`${what}: ${JSON.stringify(exit)}: ${stderr.toString()}`);
}
