import type { Architecture } from './architecture.ts';

export const COMPRESSIONS = ['xz', 'zstd', 'none'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** What is released. */
export interface Release {
  readonly version: string;
  readonly architecture: Architecture;
  /** The modification time of every file, seconds since 1970. */
  readonly time: number;
  readonly compression: Compression;
}

/** Where a package is made, and of what. */
export interface Making {
  readonly release: Release;
  /** What lies in /usr/lib/podwright. */
  readonly program: string;
  /** For what is needed on the way; made anew. */
  readonly work: string;
  /** The directory of the result. */
  readonly out: string;
}

export interface Made {
  readonly file: string;
  readonly installedBytes: number;
}
