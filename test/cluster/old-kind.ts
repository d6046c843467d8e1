/** What a test that moves a node knows of the runtime that the node had. */
import type { TestDaemon } from '../support/daemon.ts';

/** What is known of one kind of runtime, with everything where it has it by default, and `podwright check` looks. */
export interface OldRuntimeKind {
  readonly socket: string;
  /** Where it has its things. */
  readonly places: readonly string[];
  /** As the node's status names it. */
  readonly inStatus: string;
  /** As `podwright check` names it. */
  readonly inCheck: string;
  /** Its images on the disk, which `podwright check` names. */
  readonly store: string;
  /** Its file in the directory that `configure` is given. */
  readonly configFile: string;
  readonly migrateFlags: (directory: string) => readonly string[];
  /** What the report of the migration names at least. */
  readonly inReport: RegExp;
  /** A shell script that prints the name of each image that has come along, by `$LOAD`, a command that takes the archive `$ARCHIVE`. */
  readonly moveImages: string;
  /** What it may say of an image that it cannot give away. */
  readonly refusal: RegExp;
}

/** What its configuration is made of. */
export interface OldParts {
  readonly directory: string;
  readonly program: string;
  readonly daemon: TestDaemon;
  readonly cniBinDirs: readonly string[];
  /** An archive of images that no registry has, as `docker save` writes it: their names. */
  readonly archive: string;
  readonly images: readonly string[];
}
