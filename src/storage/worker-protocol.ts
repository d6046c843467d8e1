import type { ErrorKind } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { ByteString } from '../linux/at-calls.ts';
import type { TreeUsage } from '../linux/measure-tree.ts';
import type { IndexFile } from './chunks/index-file.ts';
import type { ChunkPlan, PlanRequest } from './chunks/plan-chunks.ts';
import type { UnpackChunksRequest } from './chunks/unpack-chunks.ts';
import type { UserMapping } from '../linux/user-namespace.ts';
import type { TreeSum } from './tree-sum.ts';
import type { Expected, UnpackResult } from './unpack.ts';

/** The jobs of the storage worker, by what they take and give. All paths are ours. */
export interface Jobs {
  /** Unpacks the file `source` into the empty directory `directory`, as far as `grown` and `complete` say that it is there. */
  unpack: { request: { source: string; directory: string; expected: Expected }; result: UnpackResult };
  /** Writes the chunk list of a zstd:chunked blob to the new file `list`. */
  listChunks: { request: { index: IndexFile; list: string }; result: undefined };
  /** Says what of a zstd:chunked layer is to be fetched, and writes its recipe and chunk list to new files. */
  planChunks: { request: PlanRequest; result: ChunkPlan };
  /** Unpacks a layer by a recipe; `source` has what was fetched for it, and grows like that of `unpack`. */
  unpackChunks: { request: UnpackChunksRequest; result: UnpackResult };
  /** The digest of the file `source`, which grows like that of `unpack`. */
  hash: { request: { source: string }; result: Digest };
  /** Gives the undescribed directories of a layer what they have in the layers below (topmost first). Takes and gives the sum of its tree. */
  inherit: {
    request: { layer: string; implied: readonly ByteString[]; lower: readonly string[]; tree?: TreeSum | undefined };
    result: TreeSum | undefined;
  };
  /** Makes the directory `target` look like `source`, from outside. */
  describe: { request: { source: string; target: string; user: UserMapping | undefined }; result: undefined };
  /** Writes what is dirty on the file system of `path` to its disk. */
  /** Of an open file: syncfs(2). */
  sync: { request: { fd: number }; result: undefined };
  /** Removes the directory `name` in `parent` with all below it. */
  remove: { request: { parent: string; name: string }; result: undefined };
  /** The digest of a layer's tree, as tree-digest.ts makes it. */
  digestTree: { request: { path: string }; result: Digest };
  digestFile: { request: { path: string }; result: Digest };
  /** Counts what the tree at `path` takes on disk. */
  measure: { request: { path: string }; result: TreeUsage };
}

export type JobKind = keyof Jobs;
export type JobRequest = { [K in JobKind]: { readonly kind: K } & Jobs[K]['request'] }[JobKind];

export type ToWorker =
  | { readonly is: 'start'; readonly job: number; readonly request: JobRequest }
  | { readonly is: 'grown'; readonly job: number; readonly sizeBytes: number; readonly complete: boolean }
  | { readonly is: 'cancel'; readonly job: number };

export type FromWorker =
  | { readonly is: 'done'; readonly job: number; readonly result: Jobs[JobKind]['result'] }
  | { readonly is: 'failed'; readonly job: number; readonly kind: ErrorKind; readonly message: string; readonly code: string | undefined };
