import type { ImageDetailReport, PruneReport } from './image-reports.ts';
import type { PullSnapshot } from '../base/pull-snapshot.ts';
import type { ImageReport } from './reports.ts';

/** What the admin socket needs to show pulls, and to do with images what the CRI has no word for. */
export interface ImageBackend {
  /** The pulls under way, some of them where they are very many. */
  pulls(): { readonly pulls: readonly PullSnapshot[]; readonly leftOut: number };
  /** Calls `listener` with each pull that has ended, until the function returned is called. */
  onPullEnded(listener: (pull: PullSnapshot) => void): () => void;
  /** Pulls as the CRI does, with the node's own credentials. `seen` gets what tells how far it is. */
  pullImage(name: string, signal: AbortSignal, seen: (progress: () => PullSnapshot) => void): Promise<ImageReport>;
  /** @throws NotFound. */
  inspectImage(reference: string): Promise<ImageDetailReport>;
  /** Removes an image with all its names. @throws NotFound; FailedPrecondition where a container uses it. */
  removeImage(reference: string): Promise<ImageReport>;
  /** Removes the images that no container uses and that are not pinned. */
  pruneImages(isDryRun: boolean, signal: AbortSignal): Promise<PruneReport>;
}
