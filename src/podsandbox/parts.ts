import type { Log } from '../base/log.ts';
import type { Networks } from '../cni/networks.ts';
import type { MonitorOptions } from '../ociruntime/spawn-monitor.ts';
import type { CgroupPlacement } from '../ociruntime/placement.ts';
import type { RuntimeHandlers } from '../ociruntime/runtime-handlers.ts';
import type { ApparmorFacts } from '../ocispec/apparmor.ts';
import type { HostFacts } from '../ocispec/host-facts.ts';
import type { SpecSettings } from '../ocispec/input.ts';
import type { SelinuxFacts } from '../ocispec/selinux.ts';
import type { SandboxLifecycle } from './lifecycle.ts';
import type { SandboxStore } from './sandbox-store.ts';
import { SandboxPaths, type SandboxDirectories } from './sandbox-paths.ts';

/** What is needed to make anything that runs under a monitor: containers, and the infra process of a sandbox. */
export interface MonitoredParts {
  readonly placement: CgroupPlacement;
  readonly runtimes: RuntimeHandlers;
  readonly monitor: MonitorOptions;
  readonly hostFacts: () => HostFacts;
  /** As it is now; undefined where AppArmor is off. */
  readonly apparmor: (handler: string) => Promise<ApparmorFacts | undefined>;
  /** Undefined where nothing is labelled. */
  readonly selinux: SelinuxFacts | undefined;
  /** The owner's choices for the pods of a runtime handler. */
  readonly specSettings: (handler: string) => SpecSettings;
  /** Most the runtime of a handler may take for one creation, milliseconds. */
  readonly createTimeoutMs: (handler: string) => number;
  readonly log: Log;
}

/** What the operations of a sandbox work with. */
export interface SandboxParts extends MonitoredParts {
  readonly store: SandboxStore;
  readonly directories: SandboxDirectories;
  /** What all layers of images lie in. */
  readonly layersDirectory: string;
  /** Sysctls that every pod gets unless it names them itself. */
  readonly defaultSysctls: () => Readonly<Record<string, string>>;
  readonly networks: Networks;
  readonly lifecycle: SandboxLifecycle;
  /** Most all CNI DELs of a pod may take, milliseconds. */
  readonly detachBudgetMs: number;
}

export function pathsOf({ directories }: Pick<SandboxParts, 'directories'>, id: string): SandboxPaths {
  return new SandboxPaths(directories, id);
}
