import type { FieldOwners } from '../../api/nri/messages.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { UserMapping } from '../linux/user-namespace.ts';
import type { CdiEdits } from './cdi-edits.ts';
import type { HostFacts } from './host-facts.ts';
import type { RuntimeFacts } from './input.ts';

/** What an adjustment of a container's spec depends on beside the spec. */
export interface AdjustmentContext {
  /** Of the pod's runtime handler. */
  readonly runtime: RuntimeFacts;
  readonly host: HostFacts;
  /** The ids of the pod's user namespace, where it has one. */
  readonly userMapping?: UserMapping | undefined;
  /** The host's mount table, from readAdjustmentFacts. */
  readonly hostMounts: readonly MountEntry[];
  /** Where the host has the devices that are added, by their paths in the container; from readAdjustmentFacts. */
  readonly deviceSources: ReadonlyMap<string, string>;
  /** What the CDI devices of the adjustment want done, resolved; undefined where it names none. */
  readonly cdi?: CdiEdits | undefined;
  /** What the cgroup that is asked for must be and is not, in words; undefined where it may be. */
  readonly cgroupMust?: string | undefined;
  /** Which plugin has asked for what; refusals name it. */
  readonly owners?: FieldOwners | undefined;
  /** Told of limits on huge pages that are left out for want of a controller; without it they are refused. */
  readonly warnOfMissing?: ((words: string) => void) | undefined;
}
