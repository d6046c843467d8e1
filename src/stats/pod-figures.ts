import type { Container } from '../container/container.ts';
import type { Containers } from '../container/containers.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import type { FiguresReader, Strain } from './figures.ts';
import type { Figures, FileSystemFigures } from './pod-metrics.ts';
import { interfacesOf } from './pod-usage.ts';

/** What the metrics of a pod are made of. */
export interface PodFigures {
  readonly cgroup: string;
  readonly ofPod: Figures;
  /** A pod's network belongs to none of its containers. */
  readonly ofNetwork: Figures;
  /** Of those that run. */
  readonly containers: readonly ContainerFigures[];
}

export interface ContainerFigures {
  readonly container: Container;
  readonly cgroup: string;
  readonly figures: Figures;
}

export interface PodFiguresOptions {
  readonly sandboxes: Pick<Sandboxes, 'cgroupOf' | 'networkNamespaceOf'>;
  readonly containers: Pick<Containers, 'cgroupOf' | 'ofSandbox' | 'writableLayerUsage'>;
  readonly figures: FiguresReader;
  /** A directory on the file system of writable layers. */
  readonly writableLayerMountpoint: string;
}

/** Gathers the figures of pods, one look after the other: a scrape may take longer, other calls must not. */
export class PodFiguresReader {
  readonly #options: PodFiguresOptions;

  constructor(options: PodFiguresOptions) {
    this.#options = options;
  }

  /** Of the file system that all writable layers are on: the same for all of a scrape. */
  async ofFileSystem(): Promise<FileSystemFigures> {
    return this.#options.figures.ofFileSystem(this.#options.writableLayerMountpoint);
  }

  async ofPod(sandbox: Sandbox, fileSystem: FileSystemFigures): Promise<PodFigures> {
    const { sandboxes, containers, figures } = this.#options;
    const cgroup = sandboxes.cgroupOf(sandbox.record);
    const ofPod = await figures.ofCgroup(cgroup);
    const ofNetwork = { interfaces: interfacesOf(sandboxes, sandbox) };
    const running = containers.ofSandbox(sandbox.record.id).filter(({ state }) => state.is === 'Running');
    const ofContainers: ContainerFigures[] = [];
    for (const container of running) ofContainers.push(await this.#ofContainer(container, fileSystem));
    return { cgroup, ofPod, ofNetwork, containers: ofContainers };
  }

  /** Signs that a container lacks something; nothing of one that does not run. */
  async strainOfContainer(container: Container): Promise<Strain> {
    const { containers, figures } = this.#options;
    return container.state.is === 'Running' ? figures.strainOf(containers.cgroupOf(container)) : {};
  }

  /** The same of a pod, as long as its cgroup is there. */
  async strainOfPod({ record }: Sandbox): Promise<Strain> {
    return this.#options.figures.strainOf(this.#options.sandboxes.cgroupOf(record));
  }

  async #ofContainer(container: Container, fileSystem: FileSystemFigures): Promise<ContainerFigures> {
    const { containers, figures: reader } = this.#options;
    const { record, state } = container;
    const cgroup = containers.cgroupOf(container);
    const [found, { usedBytes }] = await Promise.all([reader.ofCgroup(cgroup), containers.writableLayerUsage(record)]);
    const isRunning = found.usage !== undefined && state.is === 'Running';
    const figures: Figures = {
      ...found,
      ...withShares(found, 'resources' in state ? state.resources?.cpuShares : undefined),
      ...(isRunning ? { processes: await reader.ofProcesses(cgroup, state.process.pid), startedAtNs: state.startedAtNs } : {}),
      fileSystem: { ...fileSystem, usedBytes: BigInt(usedBytes) },
    };
    return { container, cgroup, figures };
  }
}

/** Runtimes turn shares into a version 2 weight by more than one formula; what was asked for is what people look for. */
function withShares({ counters }: Figures, shares: bigint | undefined): Pick<Figures, 'counters'> {
  if (counters === undefined || shares === undefined || shares <= 0n) return {};
  return { counters: { ...counters, limits: { ...counters.limits, cpuShares: shares } } };
}
