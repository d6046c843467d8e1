import type { Networks } from '../cni/networks.ts';
import type { Containers } from '../container/containers.ts';
import type { CgroupDriver } from '../ociruntime/placement.ts';
import type { RuntimeHandlers } from '../ociruntime/runtime-handlers.ts';
import type { PodParts } from '../pod/stop-pod.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import type { PodFiguresReader } from '../stats/pod-figures.ts';
import type { PodUsageReader } from '../stats/pod-usage.ts';
import type { StreamingServer } from '../streaming/server.ts';

/** What the RPCs of the RuntimeService work with. */
export interface RuntimeServiceParts {
  readonly sandboxes: Sandboxes;
  readonly containers: Containers;
  readonly pod: PodParts;
  readonly networks: Networks;
  readonly runtimes: RuntimeHandlers;
  readonly cgroupDriver: CgroupDriver;
  readonly usage: PodUsageReader;
  readonly figures: PodFiguresReader;
  readonly streaming: StreamingServer;
  /** Told of each event that a client lost, since it did not read in time. */
  readonly onEventLost?: () => void;
  /** The configuration in force, for `Status` with verbose. */
  readonly describe: () => Readonly<Record<string, unknown>>;
}
