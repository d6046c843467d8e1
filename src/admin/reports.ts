import type { ErrorKind } from '../base/errors.ts';

/** What the admin socket answers with: plain JSON, shared with the command line. Times are ISO 8601. */
export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly memory: { readonly residentBytes: number; readonly heapBytes: number };
  readonly eventLoop: EventLoopReport;
  readonly listenPath: string;
  readonly root: string;
  readonly runDir: string;
  readonly cgroupManager: string;
  /** The runtime handler of pods that name none. */
  readonly defaultRuntime: string;
  readonly configFiles: readonly string[];
  /** What the daemon works with: runtimes, monitor, Node, each with the version it says. */
  readonly programs: readonly ProgramReport[];
  readonly conditions: readonly ConditionReport[];
  readonly sandboxes: Readonly<Record<string, number>>;
  readonly containers: Readonly<Record<string, number>>;
  readonly images: number;
  /** Work under way, and work that waits to be tried again. */
  readonly unfinished: readonly UnfinishedWork[];
  /** Records that could not be read at the start and were set aside. */
  readonly setAside: readonly string[];
  /** CDI spec files, or directories of them, that cannot be used: their devices are not there. */
  readonly brokenCdiSpecs: readonly BrokenFileReport[];
  /** NRI plugins; absent where the configuration has none. */
  readonly nri?: NriReport;
  /** Why cAdvisor is told no names, where `cadvisor.crio_compat` wants it to be. */
  readonly cadvisorFault?: string;
}

export interface EventLoopReport {
  /** How late it came to its timers in the last one to two minutes, milliseconds: of a hundred looks, and the longest. */
  readonly p99Ms: number;
  readonly longestMs: number;
  /** How often it stood still for over 50 ms since the start, which was not the machine's doing. */
  readonly standstills: number;
  readonly lastStandstill?: { readonly what: string; readonly startedAt: string; readonly ownMs: number };
}

interface NriReport {
  /** Where plugins connect; empty: nowhere. */
  readonly listenPath: string;
  /** Why they cannot, where they are meant to. */
  readonly listenFault?: string;
  /** In the order in which they are called; then those that are not ready. */
  readonly plugins: readonly PluginReport[];
}

interface PluginReport {
  /** `INDEX-NAME`; `unknown` of one that has not registered. */
  readonly name: string;
  readonly kind: 'external' | 'launched' | 'builtin';
  readonly state: 'registering' | 'waiting' | 'ready' | 'gone' | 'down';
  readonly pid?: number;
  /** The version of the NRI module that it was built with; empty where it does not say. */
  readonly version: string;
  /** What it has subscribed to. */
  readonly events: readonly string[];
  /** Since when it is in its state. */
  readonly since: string;
  readonly calls: number;
  readonly failures: number;
  /** How long its calls took, milliseconds: on average, and the longest. */
  readonly meanMs: number;
  readonly longestMs: number;
  readonly lastError?: string;
}

interface BrokenFileReport {
  readonly path: string;
  readonly error: string;
}

export interface ProgramReport {
  readonly name: string;
  readonly path: string;
  readonly version: string;
}

export interface ConditionReport {
  readonly type: string;
  readonly ok: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface UnfinishedWork {
  /** `run pod sandbox k8s_a_b_c_0`, `release network pods of pod shop/web-1, sandbox 12ab...` */
  readonly what: string;
  readonly since?: string;
  readonly detail?: string;
}

/** The difference of what stores claim and what adapters find. */
export interface LeakReport {
  /** Exists under our names or root, and no record claims it. */
  readonly leaked: readonly Item[];
  /** Claimed by a record, and does not exist. */
  readonly missing: readonly Item[];
}

export interface Item {
  /** `mount`, `namespace`, `cgroup`, `process`, `address`, `directory`, `network attachment`, ... */
  readonly kind: string;
  readonly name: string;
}

export interface ImageReport {
  readonly id: string;
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

/** What was found of one layer of the images. */
export interface LayerReport {
  readonly image: string;
  readonly chain: string;
  readonly digest: string;
  readonly tree: 'sound' | 'damaged' | 'unknown' | 'outside';
  readonly blob: 'sound' | 'damaged' | 'absent';
  readonly repair: 'none' | 'mended' | 'fetched' | 'dropped' | 'in use';
  /** Why one that was dropped could not be fetched again. */
  readonly error?: string;
}

/** Where an image would be pulled from, and why. */
export interface ResolveReport {
  readonly name: string;
  readonly reason: string;
  readonly meanings: readonly {
    readonly reference: string;
    readonly refusal?: string;
    readonly endpoints: readonly {
      readonly host: string;
      readonly scheme: 'https' | 'http' | 'any';
      readonly path: string;
      readonly isMirror: boolean;
      /** False: not for this tag, for content only. */
      readonly isAskedFirst: boolean;
      readonly reason: string;
      readonly verifies: boolean;
      readonly authorities: number;
      readonly hasClientCertificate: boolean;
      /** Names alone. */
      readonly headers: readonly string[];
      readonly dialTimeoutMs?: number;
      /** What the node's credentials come from. */
      readonly credentials?: string;
      readonly credentialsFault?: string;
    }[];
  }[];
}

export type ArchiveFormat = 'oci' | 'docker';

/** One line of the answer to an image load. The last is `done` or `failed`. */
export type LoadEvent =
  | { readonly event: 'progress'; readonly message: string }
  | { readonly event: 'image'; readonly image: ImageReport }
  | { readonly event: 'done' }
  | ({ readonly event: 'failed' } & FailureReport);

export interface FailureReport {
  readonly kind: ErrorKind;
  readonly message: string;
}

/** The trailer that carries a failure, URI-encoded, where the first bytes of the answer had left already. */
export const FAILURE_TRAILER = 'podwright-failure';
