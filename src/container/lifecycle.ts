import type { LinuxContainerResources } from '../../api/cri/runtime.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { RuntimeFacts } from '../ocispec/input.ts';
import type { OciResources, OciSpec } from '../ocispec/oci-types.ts';
import type { Container, ContainerRecord } from './container.ts';

/** A container about to be made, with the spec that it gets of us. */
export interface Creation {
  readonly record: ContainerRecord;
  readonly sandbox: Sandbox;
  readonly spec: OciSpec;
  readonly runtime: RuntimeFacts;
}

/** What a container is made with in the end. */
export interface AdjustedCreation {
  readonly spec: OciSpec;
  /** As ContainerStatus shows them, and as a later update changes them. */
  readonly resources: LinuxContainerResources | undefined;
  /** OCI linux.cgroupsPath, where it is not the record's. */
  readonly chosenCgroup?: string | undefined;
}

/** A change of limits: what the CRI has a word for, and what only the runtime has. */
export interface ResourceChange {
  readonly cri: LinuxContainerResources;
  readonly more?: OciResources | undefined;
}

export interface UpdateSteps {
  /** Called before anybody is asked: a request that we refuse ourselves is not shown to the others. */
  readonly check: () => Promise<void>;
  /** Takes the container's lock, checks again, and does it. */
  readonly apply: (change: ResourceChange) => Promise<void>;
}

/** Who else takes part in the life of containers, see {@link import('../podsandbox/lifecycle.ts').SandboxLifecycle}. */
export interface ContainerLifecycle {
  /**
   * A container is made by `make`, which shows it, from what the others have adjusted.
   * @param work ends the waiting for an answer.
   * @throws a refusal, what `make` throws, or the reason of `work`. The others have been told then that it is gone.
   */
  create<T>(creation: Creation, work: AbortSignal, make: (adjusted: AdjustedCreation) => Promise<T>): Promise<T>;
  /**
   * A container is started by `launch`, under its lock. `launch` calls `ask` first.
   * @throws what `launch` throws; `ask` throws a refusal.
   */
  start(container: Container, launch: (ask: () => Promise<void>) => Promise<void>): Promise<void>;
  /** The limits of a container change, to what the others make of `change`. No lock is held. @throws a refusal, or what a step throws. */
  update(container: Container, change: LinuxContainerResources, steps: UpdateSteps): Promise<void>;
  /**
   * A container ends, which `record` puts on record and shows. Its lock is held. What the others ask for in return is done when
   * the lock is free, see {@link settled}. @throws what `record` throws.
   */
  end(container: Container, record: () => Promise<Container>): Promise<void>;
  /** Resolves when everything is done that was asked for at the end of a container. No lock is held. */
  settled(id: string): Promise<void>;
  /** It is being removed, which `begin` records. Its lock is held. @throws what `begin` throws. */
  remove(container: Container, begin: () => Promise<void>): Promise<void>;
}

/** Nobody else takes part. */
export const noContainerLifecycle: ContainerLifecycle = {
  create: async ({ record, spec }, _work, make) => make({ spec, resources: record.config.linux?.resources }),
  start: async (_container, launch) => launch(async () => Promise.resolve()),
  update: async (_container, change, { apply }) => apply({ cri: change }),
  end: async (_container, record) => {
    await record();
  },
  settled: async () => Promise.resolve(),
  remove: async (_container, begin) => begin(),
};
