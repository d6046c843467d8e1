import type { Container } from '../container/container.ts';
import type { Containers } from '../container/containers.ts';
import { readInterfaces, type InterfaceCounters } from '../linux/network-stats.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import type { Sample, Sampler } from './sampler.ts';

/** What a container uses: the CRI's ContainerStats. */
export interface ContainerUsage {
  readonly container: Container;
  /** Undefined where it does not run. */
  readonly sample: Sample | undefined;
  readonly writableLayer: WritableLayer;
}

export interface WritableLayer {
  /** The directory by which ImageFsInfo names the file system. */
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

/** What a pod uses: the CRI's PodSandboxStats. */
export interface PodUsage {
  readonly sandbox: Sandbox;
  /** Undefined where its cgroup is gone. */
  readonly sample: Sample | undefined;
  readonly interfaces: readonly InterfaceCounters[] | undefined;
  /** Those that run. */
  readonly containers: readonly ContainerUsage[];
}

export interface PodUsageOptions {
  readonly sandboxes: Pick<Sandboxes, 'cgroupOf' | 'networkNamespaceOf'>;
  readonly containers: Pick<Containers, 'cgroupOf' | 'ofSandbox' | 'writableLayerUsage'>;
  readonly sampler: Pick<Sampler, 'sample'>;
  /** The directory by which ImageFsInfo names the file system of writable layers. */
  readonly writableLayerMountpoint: string;
}

/** Gathers what pods and containers use. A part that cannot be read fails the whole of it. */
export class PodUsageReader {
  readonly #options: PodUsageOptions;

  constructor(options: PodUsageOptions) {
    this.#options = options;
  }

  /** Also of one that has ended: its writable layer stays. */
  async ofContainer(container: Container): Promise<ContainerUsage> {
    const { containers, sampler, writableLayerMountpoint } = this.#options;
    const { record, state } = container;
    const [sample, layer] = await Promise.all([
      state.is === 'Running' ? sampler.sample(containers.cgroupOf(container), state.startedAtNs) : undefined,
      containers.writableLayerUsage(record),
    ]);
    return { container, sample, writableLayer: { ...layer, mountpoint: writableLayerMountpoint } };
  }

  async ofPod(sandbox: Sandbox): Promise<PodUsage> {
    const { sandboxes, containers, sampler } = this.#options;
    const { record } = sandbox;
    const running = containers.ofSandbox(record.id).filter(({ state }) => state.is === 'Running');
    const [sample, usages] = await Promise.all([
      sampler.sample(sandboxes.cgroupOf(record), record.createdAtNs),
      Promise.all(running.map(async (container) => this.ofContainer(container))),
    ]);
    return { sandbox, sample, interfaces: interfacesOf(sandboxes, sandbox), containers: usages };
  }
}

/** None for a pod on the node's network: those figures are the node's. */
export function interfacesOf(
  sandboxes: Pick<Sandboxes, 'networkNamespaceOf'>,
  { record, state }: Sandbox,
): InterfaceCounters[] | undefined {
  const path = sandboxes.networkNamespaceOf(record);
  return path === undefined || state.is !== 'Ready' ? undefined : readInterfaces(path);
}
