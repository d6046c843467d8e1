import type { Readable, Writable } from 'node:stream';
import type { ArchiveFormat, ImageReport, LeakReport, StatusReport } from './reports.ts';

/** What the admin socket needs of the domain; main.ts hands it in. */
export interface AdminBackend {
  status(): Promise<StatusReport>;
  leaks(): Promise<LeakReport>;
  listImages(): Promise<readonly ImageReport[]>;
  /** Loads every image of an archive. `signal` aborts when the client leaves. */
  loadImages(archive: Readable, signal: AbortSignal, progress: (message: string) => void): Promise<readonly ImageReport[]>;
  /** Writes one archive of the images. A reference that is not there must be refused before the first byte. */
  saveImages(references: readonly string[], format: ArchiveFormat, target: Writable, signal: AbortSignal): Promise<void>;
  /** All metrics as Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
