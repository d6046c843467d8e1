import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathExists } from 'fs-extra/esm';
import { PodSandboxState } from '../../../api/cri/enums.ts';
import type { TestDaemon } from '../../support/daemon.ts';
import type { Downtime } from './log-review.ts';
import type { TestKubelet } from './kubelet.ts';
import type { ContainerView, PodManifest, PodStatus } from './pods.ts';
import { NODE_NAME } from './pods.ts';

/** How long a step of the kubelet may take, milliseconds: it looks at its pods once a second, and at each one in turn. */
const STEP_TIMEOUT_MS = 90_000;
const POLL_MS = 200;

/** A daemon and a kubelet on it, and what the cases ask of both. */
export class World {
  readonly daemon: TestDaemon;
  readonly kubelet: TestKubelet;
  /** A host path for volumes; gone at the end. */
  readonly hostDirectory: string;
  readonly downtimes: Downtime[] = [];

  constructor(daemon: TestDaemon, kubelet: TestKubelet, hostDirectory: string) {
    this.daemon = daemon;
    this.kubelet = kubelet;
    this.hostDirectory = hostDirectory;
  }

  /** Applies a pod, does the work, and removes the pod; in the end nothing of it may be left with the daemon. */
  async withPod(manifest: PodManifest, work: (name: string) => Promise<void>): Promise<void> {
    const { name } = manifest.metadata;
    await this.kubelet.apply(manifest);
    try {
      await work(name);
    } finally {
      await this.kubelet.removeManifest(name);
    }
    await this.untilGone(name);
  }

  /** Ends the daemon, does the work while it is down, and starts it again. */
  async withDaemonDown(signal: 'SIGTERM' | 'SIGKILL', work: () => Promise<void>): Promise<void> {
    const from = Date.now();
    await this.daemon.stop(signal);
    try {
      await work();
    } finally {
      await this.daemon.start();
      this.downtimes.push({ from, to: Date.now() });
    }
  }

  /** Waits until the pod is as asked, and gives it. */
  async untilPod(name: string, what: string, is: (pod: PodStatus) => boolean, timeoutMs = STEP_TIMEOUT_MS): Promise<PodStatus> {
    const end = Date.now() + timeoutMs;
    let last: PodStatus | undefined;
    for (;;) {
      last = (await this.kubelet.pods().catch(() => [])).find((pod) => pod.name === name);
      if (last !== undefined && is(last)) return last;
      if (Date.now() > end) assert.fail(`pod ${name}: is not ${what} after ${timeoutMs} ms: ${JSON.stringify(last)}`);
      await sleep(POLL_MS);
    }
  }

  untilReady(name: string): Promise<PodStatus> {
    return this.untilPod(name, 'ready', (pod) => pod.ready);
  }

  /** Waits until the kubelet does not know the pod and its sandbox is stopped; the kubelet removes those once a minute. */
  async untilGone(name: string, timeoutMs = STEP_TIMEOUT_MS): Promise<void> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const pods = await this.kubelet.pods();
      const sandboxes = await this.sandboxesOf(name);
      if (sandboxes.length === 0 && !pods.some((pod) => pod.name === name)) return;
      const left = `sandboxes ${JSON.stringify(sandboxes)}`;
      if (Date.now() > end) assert.fail(`pod ${name}: is still there ${timeoutMs} ms after its manifest went: ${left}`);
      await sleep(POLL_MS);
    }
  }

  /** Ids of the pod's sandboxes that are ready. */
  async sandboxesOf(name: string): Promise<string[]> {
    const labelSelector = { 'io.kubernetes.pod.name': `${name}-${NODE_NAME}` };
    const state = { state: PodSandboxState.SANDBOX_READY };
    const { items } = await this.daemon.runtime.listPodSandbox({ filter: { labelSelector, state } });
    return items.map(({ id }) => id);
  }

  /** What a command in a container prints, asked for through the kubelet: one ExecSync. */
  async run(name: string, containerName: string, ...command: readonly string[]): Promise<string> {
    const query = new URLSearchParams({ cmd: command.join(' ') });
    return this.kubelet.ask(`/run/default/${name}-${NODE_NAME}/${containerName}?${query.toString()}`, 'POST');
  }

  /** The log as the kubelet serves it: `kubectl logs`. */
  async log(name: string, containerName: string, query = ''): Promise<string> {
    return this.kubelet.ask(`/containerLogs/default/${name}-${NODE_NAME}/${containerName}${query}`);
  }

  /** The directory of a pod's logs, as the kubelet names it. */
  logDirectory(pod: PodStatus): string {
    return join(this.kubelet.podLogs, `default_${pod.name}-${NODE_NAME}_${pod.uid}`);
  }

  /** What is set in a container's cgroup; it must run. */
  async limitsOf(view: ContainerView): Promise<{ readonly memory: string; readonly cpu: string }> {
    const { info } = await this.daemon.runtime.containerStatus({ containerId: idOf(view), verbose: true });
    const lines = (await readFile(`/proc/${pidOf(info)}/cgroup`, 'utf8')).split('\n');
    const read = async (controller: string, file: string): Promise<string> => {
      const isV2 = controller === '';
      const path = lines.map((line) => line.split(':')).find(([, names = '']) => names.split(',').includes(controller))?.[2] ?? '';
      const folder = isV2 ? join('/sys/fs/cgroup', path) : join('/sys/fs/cgroup', controller, path);
      return (await readFile(join(folder, file), 'utf8')).trim();
    };
    if ((await hierarchies()).includes('')) return { memory: await read('', 'memory.max'), cpu: await read('', 'cpu.max') };
    const cpu = [await read('cpu', 'cpu.cfs_quota_us'), await read('cpu', 'cpu.cfs_period_us')];
    return { memory: await read('memory', 'memory.limit_in_bytes'), cpu: cpu.join(' ') };
  }
}

/** Below /sys/fs/cgroup: the one of version 2, or those of version 1 that the kubelet uses for its pods. */
export async function hierarchies(): Promise<readonly string[]> {
  return (await pathExists('/sys/fs/cgroup/cgroup.controllers')) ? [''] : ['memory', 'cpu', 'pids'];
}

/** The id in podwright://ID. */
export function idOf(view: ContainerView): string {
  const match = /^podwright:\/\/([0-9a-f]{64})$/.exec(view.containerID);
  return match?.[1] ?? assert.fail(`container ${view.name}: its ID is ${view.containerID}, must be podwright://<64 hex digits>`);
}

/** The one container of a pod, or the named one. */
export function containerOf(pod: PodStatus, name?: string): ContainerView {
  const found = name === undefined ? pod.containers[0] : [...pod.containers, ...pod.initContainers].find((view) => view.name === name);
  return found ?? assert.fail(`pod ${pod.name}: no container ${name ?? ''}: ${JSON.stringify(pod)}`);
}

/** The process id that verbose ContainerStatus tells. */
export function pidOf(info: Readonly<Record<string, string>>): number {
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid?: number };
  return pid ?? assert.fail(`ContainerStatus: verbose info has no pid: ${JSON.stringify(info)}`);
}
