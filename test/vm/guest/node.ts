/** The node inside the guest: the unit as it is installed, and the daemon behind it. */
import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ensureDir } from 'fs-extra/esm';
import { AdminClient } from '../../../src/cli/admin-client.ts';
import { connect } from '../../../src/cli/cri-client.ts';
import type { CriClient } from '../../../src/cli/cri-client.ts';
import { difference, takeInventory } from '../../support/inventory.ts';
import type { Inventory } from '../../support/inventory.ts';
import type { PodHost } from '../../support/pods.ts';

export type Driver = 'systemd' | 'cgroupfs';

/** Everything is slow here: the processor is emulated. */
export const PATIENCE_MS = 180_000;

const SETTLE_MS = 30_000;
const CGROUP_ROOT = '/sys/fs/cgroup';

/** Most processes of a container, from the configuration that the test writes. */
export const PIDS_LIMIT = 123;

export async function output(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execa(program, args, { timeout: PATIENCE_MS });
  return stdout.trimEnd();
}

export class GuestNode implements PodHost {
  readonly driver: Driver;
  readonly logDirectory = '/var/log/pods';
  readonly root = '/var/lib/podwright';
  readonly runDir = '/run/podwright';
  /** Below it are all pods, as below the kubelet's. */
  readonly cgroup: string;
  #client: CriClient | undefined;

  constructor(driver: Driver) {
    this.driver = driver;
    this.cgroup = driver === 'systemd' ? '/kubepods.slice' : '/kubepods';
  }

  get client(): CriClient {
    this.#client ??= connect(join(this.runDir, 'podwright.sock'));
    return this.#client;
  }

  get runtime(): CriClient['runtime'] {
    return this.client.runtime;
  }

  get images(): CriClient['image'] {
    return this.client.image;
  }

  get admin(): AdminClient {
    return new AdminClient(join(this.runDir, 'admin.sock'));
  }

  /** Writes the configuration for this driver and starts the unit, anew where it runs. Ends when systemd has heard READY. */
  async restartWithDriver(): Promise<void> {
    await ensureDir('/etc/podwright/conf.d');
    const lines = [
      // "auto" must find systemd by itself.
      ...(this.driver === 'systemd' ? [] : ['cgroup_manager = "cgroupfs"']),
      `pids_limit = ${PIDS_LIMIT}`,
      '[runtime.handlers.runc]',
      '[runtime.handlers.crun]',
    ];
    await writeFile('/etc/podwright/conf.d/vm.toml', `${lines.join('\n')}\n`);
    await output('sync', '/etc/podwright/conf.d/vm.toml');
    await this.restart();
  }

  /** `systemctl restart`; an old connection is not used again. */
  async restart(): Promise<void> {
    this.#forgetConnection();
    await output('systemctl', 'restart', 'podwright.service');
  }

  /** SIGKILL for the daemon alone, as the kernel's OOM killer would, and `meanwhile` before systemd has it up again. */
  async kill9(meanwhile: () => Promise<void>): Promise<void> {
    const pid = await this.mainPid();
    process.kill(pid, 'SIGKILL');
    this.#forgetConnection();
    await meanwhile();
    await this.untilReady(pid);
  }

  /** As {@link kill9}, but systemd starts it only when `meanwhile` has ended. */
  async whileDown(meanwhile: () => Promise<void>): Promise<void> {
    process.kill(await this.mainPid(), 'SIGKILL');
    this.#forgetConnection();
    await output('systemctl', 'stop', 'podwright.service');
    try {
      await meanwhile();
    } finally {
      await output('systemctl', 'start', 'podwright.service');
      await this.untilReady();
    }
  }

  /** Waits until the unit is active with another process than `notPid`, and answers. */
  async untilReady(notPid = 0): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const pid = await this.mainPid();
      if (pid !== 0 && pid !== notPid && (await this.#isReady())) return;
      assert.ok(
        Date.now() < end,
        `podwright.service is not up: ${await output('systemctl', 'show', '-P', 'ActiveState', 'podwright.service')}`,
      );
      await sleep(500);
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      const { status } = await this.runtime.status({ verbose: false }, { timeoutMs: 5000 });
      return status?.conditions.every((condition) => condition.status) === true;
    } catch {
      this.#forgetConnection();
      return false;
    }
  }

  async mainPid(): Promise<number> {
    return Number(await output('systemctl', 'show', '-P', 'MainPID', 'podwright.service'));
  }

  #forgetConnection(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /** The cgroups above all pods, which the kubelet makes once. */
  async makeParentCgroups(): Promise<void> {
    if (this.driver === 'systemd') await output('systemctl', 'start', 'kubepods-burstable.slice');
    else await makeCgroup('/kubepods/burstable');
  }

  /** The parent that the kubelet would give, made as the kubelet makes it: with all controllers. */
  async makePodCgroup(uid: string): Promise<string> {
    const name = `pod${uid.replaceAll('-', '_')}`;
    if (this.driver === 'systemd') {
      await output('systemctl', 'start', `kubepods-burstable-${name}.slice`);
      return `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-${name}.slice`;
    }
    const path = `/kubepods/burstable/${name}`;
    await makeCgroup(path);
    return path;
  }

  /** As the kubelet sets a pod's limit. What is written to a slice's files systemd takes back. */
  async limitPod(path: string, memoryBytes: bigint): Promise<void> {
    if (this.driver === 'systemd') await output('systemctl', 'set-property', '--runtime', basename(path), `MemoryMax=${memoryBytes}`);
    else await writeFile(join(CGROUP_ROOT, path, 'memory.max'), memoryBytes.toString());
  }

  /** What the kubelet does with a pod's cgroup when the pod is gone. */
  async removePodCgroup(path: string): Promise<void> {
    if (this.driver === 'systemd') await output('systemctl', 'stop', path.split('/').at(-1) ?? '');
    else await output('rmdir', join(CGROUP_ROOT, path));
  }

  async pidOf(containerId: string): Promise<number> {
    const { info } = await this.runtime.containerStatus({ containerId, verbose: true });
    return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
  }

  /** What exists of the daemon's making. */
  async inventory(): Promise<Inventory> {
    const common = { home: this.runDir, directories: [this.root, this.runDir], network: 'podwright', bridge: 'podwright0' };
    const found = await takeInventory({
      ...common,
      cgroup: this.cgroup,
      cniDataDir: '/var/lib/cni/networks',
      daemonPid: await this.mainPid(),
    });
    const units = await output(
      'systemctl',
      'list-units',
      '--all',
      '--plain',
      '--no-legend',
      'podwright-*.scope',
      'podwright-*.slice',
      'kubepods*.slice',
    );
    // crun keeps a cache beside its containers.
    const ours = found.filter((line) => !line.endsWith('/crun/.cache'));
    return [...ours, ...units.split('\n').filter((line) => line !== '').map((line) => `unit ${line.split(' ')[0] ?? ''}`)]; // prettier-ignore
  }

  /** Fails with the list of what exists now and did not then. */
  async assertNothingNew(earlier: Inventory): Promise<void> {
    const end = Date.now() + SETTLE_MS;
    for (;;) {
      const left = difference(earlier, await this.inventory());
      if (left.length === 0) return;
      if (Date.now() > end) assert.fail(`left over:\n  ${left.join('\n  ')}`);
      await sleep(1000);
    }
  }

  /** Addresses that host-local has given out. */
  async addresses(): Promise<string[]> {
    const entries = await readdir('/var/lib/cni/networks/podwright').catch(() => []);
    return entries.filter((name) => /^[0-9a-f]+[.:]/.test(name));
  }
}

async function makeCgroup(path: string): Promise<void> {
  let directory = CGROUP_ROOT;
  for (const part of path.split('/').slice(1)) {
    const controllers = (await readFile(join(directory, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    await writeFile(join(directory, 'cgroup.subtree_control'), controllers.map((each) => `+${each}`).join(' '));
    directory = join(directory, part);
    await ensureDir(directory);
  }
}

/** The cgroup that a process is in, from the root of the only hierarchy. */
export async function cgroupOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8');
  return /^0::(.*)$/m.exec(text)?.[1] ?? assert.fail(`process ${pid} is in no v2 cgroup: ${text}`);
}

/** The content of a file of that cgroup. */
export async function cgroupFile(path: string, file: string): Promise<string> {
  return (await readFile(join(CGROUP_ROOT, path, file), 'utf8')).trimEnd();
}

/** The monitor of a container: the conmon whose command line has the id. */
export async function monitorOf(containerId: string, pid: number): Promise<number> {
  const parent = Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const command = await readFile(`/proc/${parent}/cmdline`, 'utf8');
  assert.ok(
    command.includes('conmon') && command.includes(containerId),
    `the parent of ${pid} is no monitor of ${containerId}: ${command}`,
  );
  return parent;
}
