import { join } from 'node:path';
import type { SpecDirectories } from '../cdi/spec-directories.ts';
import type { HookDirectories } from '../hooks/hook-directories.ts';
import type { ImageUses } from '../image/image-uses.ts';
import type { ImageStore } from '../image/store.ts';
import type { Criu } from '../ociruntime/criu.ts';
import type { OciRuntime } from '../ociruntime/oci-runtime.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import type { MonitoredParts } from '../podsandbox/parts.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import type { RootfsStore } from '../storage/rootfs.ts';
import { Bundle } from './bundle.ts';
import type { ChosenCgroups } from './chosen-cgroups.ts';
import type { ContainerRecord } from './container.ts';
import type { ContainerStore } from './container-store.ts';
import type { ContainerLifecycle } from './lifecycle.ts';
import type { OomLevel } from './oom-report.ts';

/** What may be done with checkpoints, and with what. */
export interface CheckpointParts {
  readonly level: 'none' | 'checkpoint_only' | 'checkpoint_restore';
  readonly criu: Criu;
  /** Most one may take where the request does not say, milliseconds. */
  readonly timeoutMs: number;
}

/** What the operations of a container work with. */
export interface ContainerParts extends MonitoredParts {
  readonly store: ContainerStore;
  /** Bundles, one directory per container: RUN/bundles. */
  readonly bundleDirectory: string;
  /** Records, one directory per container: ROOT/containers. */
  readonly recordDirectory: string;
  readonly sandboxes: Sandboxes;
  readonly images: ImageStore;
  /** Whether a namespace may use them. */
  readonly imageUses: Pick<ImageUses, 'check' | 'checkArchive'>;
  readonly rootfs: RootfsStore;
  readonly cgroups: Cgroups;
  readonly chosenCgroups: ChosenCgroups;
  readonly cdi: SpecDirectories;
  readonly hooks: HookDirectories;
  readonly lifecycle: ContainerLifecycle;
  /** Host paths that are never made where a mount names them and they are not there. */
  readonly absentMountSourcesToReject: () => readonly string[];
  /** What becomes of the VOLUMEs of an image. */
  readonly imageVolumes: () => 'mkdir' | 'bind' | 'ignore';
  /** A file of mounts that every container gets; empty where there is none. */
  readonly defaultMountsFile: () => string;
  /** Files of execs under way: RUN/exec. */
  readonly execDirectory: string;
  readonly checkpoints: CheckpointParts;
  /** Counts a container in which the kernel has killed for lack of memory. */
  readonly countOom: (level: OomLevel) => void;
  /** Whose OOM kills have been told: RUN/oom.json, there while a pod with some is. */
  readonly oomLedgerFile: string;
}

export function runtimeOf(parts: Pick<ContainerParts, 'runtimes'>, record: ContainerRecord): OciRuntime {
  return parts.runtimes.get(record.runtimeHandler);
}

export function bundleOf(
  { bundleDirectory, recordDirectory }: Pick<ContainerParts, 'bundleDirectory' | 'recordDirectory'>,
  id: string,
): Bundle {
  return new Bundle(join(bundleDirectory, id), join(recordDirectory, id));
}
