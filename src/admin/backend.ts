import type { Readable, Writable } from 'node:stream';
import type { DebugBackend } from './debug-backend.ts';
import type { ImageBackend } from './image-backend.ts';
import type { ExplainBackend } from './explain-routes.ts';
import type { ArchiveFormat, ImageReport, LayerReport, LeakReport, ResolveReport, StatusReport } from './reports.ts';

/** What the admin socket needs of the domain; main.ts hands it in. */
export interface AdminBackend extends ImageBackend {
  status(): Promise<StatusReport>;
  leaks(): Promise<LeakReport>;
  readonly explain: ExplainBackend;
  listImages(): Promise<readonly ImageReport[]>;
  /** Says where an image would be pulled from. @throws InvalidArgument for a name that cannot be pulled. */
  resolveImage(name: string, signal: AbortSignal): Promise<ResolveReport>;
  /** Loads every image of an archive. `signal` aborts when the client leaves. */
  loadImages(archive: Readable, signal: AbortSignal, progress: (message: string) => void): Promise<readonly ImageReport[]>;
  /** Compares what is stored of one image, or of all, with what was recorded, and mends what is damaged where that is asked for. */
  verifyImages(isToRepair: boolean, signal: AbortSignal, reference?: string): Promise<readonly LayerReport[]>;
  /** Writes one archive of the images. A reference that is not there must be refused before the first byte. */
  saveImages(references: readonly string[], format: ArchiveFormat, target: Writable, signal: AbortSignal): Promise<void>;
  /** All metrics as Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  readonly debug: DebugBackend;
}
