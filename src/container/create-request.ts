import type { ContainerConfig, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { ImageRecord } from '../image/store.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { CdiEdits } from '../ocispec/cdi-edits.ts';
import type { OciHooks } from '../ocispec/oci-types.ts';
import type { SpecPlan } from '../ocispec/input.ts';
import type { CheckpointSource } from './checkpoint-source.ts';
import type { CheckpointOrigin, ContainerRecord } from './container.ts';
import type { PidNamespace } from './pid-namespace.ts';
import type { ContainerSelinux } from './selinux.ts';

/** What a caller asks for. */
export interface ContainerRequest {
  readonly name: string;
  readonly sandbox: Sandbox;
  readonly config: ContainerConfig;
  /** The pod's configuration as the caller has it; missing where it is that of the sandbox. */
  readonly sandboxConfig: PodSandboxConfig | undefined;
  /** The checkpoint that it is made from, where it is not its image that says so. */
  readonly from?: CheckpointOrigin | undefined;
}

/** All that a creation needs besides the parts: a request that has passed every check that needs no look at the disk. */
export interface CreateRequest {
  readonly record: ContainerRecord;
  readonly sandbox: Sandbox;
  readonly sandboxConfig: PodSandboxConfig;
  readonly image: ImageRecord;
  /** Whose `record.checkpoint` it is. */
  readonly checkpoint: CheckpointSource | undefined;
  /** Those of `record.volumeImageIds`. */
  readonly volumeImages: readonly ImageRecord[];
  readonly specPlan: SpecPlan;
  /** Undefined where nothing is labelled. */
  readonly selinux: ContainerSelinux | undefined;
  readonly cdi: CdiEdits | undefined;
  readonly hooks: OciHooks | undefined;
  readonly pidNamespace: PidNamespace;
}
