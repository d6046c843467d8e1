import type { ImageStore } from '../image/store.ts';
import type { OciRuntime } from '../ociruntime/oci-runtime.ts';
import type { MonitorOptions } from '../ociruntime/monitor.ts';
import type { CgroupPlacement } from '../ociruntime/placement.ts';
import type { RuntimeHandlers } from '../ociruntime/runtime-handlers.ts';
import type { Cgroups } from '../linux/cgroups.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import type { SpecSettings } from '../spec/input.ts';
import type { RootfsStore } from '../storage/rootfs.ts';
import type { ContainerRecord } from './container.ts';

/** What the operations of a container work with. */
export interface ContainerParts {
  /** Bundles, one directory per container: RUN/bundles. */
  readonly bundleDirectory: string;
  /** RUN/sandboxes and RUN/ns, as the sandboxes made them. */
  readonly sandboxRunDirectory: string;
  readonly namespaceDirectory: string;
  readonly sandboxes: Sandboxes;
  readonly images: ImageStore;
  readonly rootfs: RootfsStore;
  readonly placement: CgroupPlacement;
  readonly cgroups: Cgroups;
  readonly runtimes: RuntimeHandlers;
  readonly monitor: MonitorOptions;
  readonly hostFacts: () => HostFacts;
  readonly specSettings: () => SpecSettings;
  /** Files of execs under way: RUN/exec. */
  readonly execDirectory: string;
  /** Most the runtime may take to create a container, milliseconds. */
  readonly createTimeoutMs: number;
}

export function runtimeOf(parts: Pick<ContainerParts, 'runtimes'>, record: ContainerRecord): OciRuntime {
  return parts.runtimes.get(record.runtimeHandler);
}
