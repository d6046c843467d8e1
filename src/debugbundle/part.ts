import type { Config } from '../config/schema.ts';

/** What a part may ask of the running daemon; each fails where none answers. */
export interface DaemonAnswers {
  status(): Promise<unknown>;
  leaks(): Promise<unknown>;
  stacks(): Promise<unknown>;
  metrics(): Promise<string>;
}

export interface BundleContext {
  readonly config: Config;
  /** The configuration's files, in their order. */
  readonly configFiles: readonly string[];
  readonly daemon: DaemonAnswers;
  /** The daemon's process, where its socket tells. */
  readonly daemonPid: () => Promise<number | undefined>;
  /** Of this program. */
  readonly version: string;
}

/** One file of the bundle. */
export interface Part {
  readonly file: string;
  /** What it is, for the bundle's table of contents. */
  readonly what: string;
  /** How long it may take, milliseconds. */
  readonly limitMs: number;
  /** Its text; what is over {@link PART_LIMIT_BYTES} is cut at its beginning or end. */
  readonly read: (context: BundleContext) => Promise<string>;
  /** Where its end counts more than its beginning: logs. */
  readonly keepsEnd?: boolean;
  /** Whether it reads a disk that may hang: it begins when the others are done, since each such read may keep a thread of file work. */
  readonly isLate?: boolean;
}

/** Most one part may have, bytes. */
export const PART_LIMIT_BYTES = 4 * 1024 * 1024;
