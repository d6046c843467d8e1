import type { ErrorKind } from '../base/errors.ts';
import type { KillBy, MakeIn } from './cgroups/tree-calls.ts';
import type { OverlayOptions } from './overlay.ts';
import type { TmpfsOptions } from './mounts.ts';
import type { ProcessWait } from './read-waits.ts';
import type { LoggedOomKill } from './oom-log.ts';
import type { NameOptions, PinnableNamespace, PinOptions } from './namespaces.ts';

/** What the kernel threads do, by what they take and give. Each runs the function of its name; all paths are ours. */
export interface Jobs {
  mountOverlay: { request: OverlayOptions; result: undefined };
  tryIdMappedOverlay: { request: { readonly directory: string }; result: undefined };
  mountTmpfs: { request: TmpfsOptions & { readonly target: string }; result: undefined };
  /** syncfs(2). */
  syncFileSystem: { request: { readonly directory: string }; result: undefined };
  removeTrees: { request: { readonly paths: readonly string[]; readonly mostPauses: number }; result: string[] };
  unmount: { request: { readonly path: string }; result: undefined };
  unmountAllBelow: { request: { readonly prefix: string }; result: undefined };
  pinNamespaces: { request: PinOptions & { readonly directory: string }; result: undefined };
  setNetworkSysctls: { request: { readonly netnsPath: string; readonly sysctls: Readonly<Record<string, string>> }; result: undefined };
  renewNames: { request: NameOptions; result: undefined };
  unpinNamespaces: { request: { readonly directory: string; readonly kinds?: readonly PinnableNamespace[] }; result: undefined };
  /** `progress[0]` is the process that is being read. */
  pidsByEnvironment: { request: { readonly wanted: readonly (readonly string[])[]; readonly progress: Int32Array }; result: number[] };
  readOomLog: { request: object; result: readonly LoggedOomKill[] };
  readWaits: { request: { readonly pid: number }; result: readonly ProcessWait[] };
  makeCgroup: { request: { readonly trees: readonly MakeIn[]; readonly names: readonly string[] }; result: boolean };
  makeCgroupLeaf: { request: CgroupPlaces; result: undefined };
  moveToCgroup: { request: CgroupPlaces & { readonly pid: number }; result: undefined };
  removeCgroup: { request: CgroupPlaces & { readonly isLast: boolean }; result: boolean };
  removeUnusedCgroup: { request: CgroupPlaces & { readonly used: string }; result: boolean };
  removeEmptyCgroup: { request: CgroupPlaces; result: undefined };
  cgroupChildren: { request: CgroupPlaces; result: string[] };
  cgroupProcesses: { request: { readonly directory: string }; result: number[] };
  killInCgroup: { request: CgroupPlaces; result: undefined };
  killCgroup: { request: { readonly path: string; readonly directory: string; readonly by: KillBy }; result: number[] };
  /** For a root in file systems that may not answer. */
  readStartInRoot: { request: { readonly root: string; readonly path: string; readonly limitBytes: number }; result: Uint8Array };
}

/** The directories of one cgroup, in different trees. */
interface CgroupPlaces {
  readonly directories: readonly string[];
}

export type JobKind = keyof Jobs;
export type JobRequest = { [K in JobKind]: { readonly kind: K } & Jobs[K]['request'] }[JobKind];

export type JobAnswer =
  | { readonly is: 'done'; readonly result: Jobs[JobKind]['result'] }
  | { readonly is: 'failed'; readonly kind: ErrorKind | undefined; readonly message: string; readonly fields: SystemErrorFields };

/** What a system error carries besides its message; a structured clone of an Error loses it. */
export type SystemErrorFields = Pick<NodeJS.ErrnoException, 'code' | 'errno' | 'syscall' | 'path'>;
