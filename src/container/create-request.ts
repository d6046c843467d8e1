import type { PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { ImageRecord } from '../image/store.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { ContainerRecord } from './container.ts';

/** All that a creation needs besides the parts. */
export interface CreateRequest {
  readonly record: ContainerRecord;
  readonly sandbox: Sandbox;
  readonly sandboxConfig: PodSandboxConfig;
  readonly image: ImageRecord;
  /** Those of `record.volumeImageIds`. */
  readonly volumeImages: readonly ImageRecord[];
  /** The process whose PID namespace a TARGET container joins. */
  readonly targetProcess?: ProcessIdentity | undefined;
}
