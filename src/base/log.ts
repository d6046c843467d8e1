/**
 * What a log line may carry besides its message: one name for each meaning. Every line about a container has `containerId`, every
 * line about a pod sandbox `sandboxId`, so a search for `containerId=ID` finds all lines of that container. A number has its unit
 * in its name, unless it is a count, an id or a code.
 */
export interface LogFields {
  // The object
  readonly containerId?: string;
  /** Also in lines about its network: CNI's "container id" is the sandbox's. */
  readonly sandboxId?: string;
  /** An image as the caller named it, or its digest. */
  readonly image?: string;
  /** The digest of a layer's uncompressed archive. */
  readonly diffId?: string;
  /** The chain id of an unpacked layer. */
  readonly layer?: string;
  /** A name for an object that has no id yet: `NAMESPACE/NAME`. */
  readonly name?: string;
  /** A cgroup, relative to the root of the hierarchies. */
  readonly cgroup?: string;
  /** The file, directory or socket. */
  readonly path?: string;
  /** An NRI plugin: `INDEX-NAME`. */
  readonly plugin?: string;
  readonly pid?: number;
  readonly monitorPid?: number;

  // The call
  readonly rpc?: string;
  /** One of each call, on all of its lines. */
  readonly requestId?: string;
  /** Its span, where its trace is kept: W3C Trace Context. */
  readonly traceId?: string;
  readonly spanId?: string;
  /** The gRPC code by its name. */
  readonly code?: string;

  // What happened
  /** What failed, in words; where nobody expected it, the Error itself, which is written with its stack. */
  readonly error?: unknown;
  /** Why an object ended or was given up. */
  readonly reason?: string;
  readonly exitCode?: number;
  /** How often it was tried. */
  readonly attempts?: number;
  readonly durationMs?: number;
  /** How long until the next try. */
  readonly pauseMs?: number;
  /** What a plugin has subscribed to. */
  readonly events?: readonly string[];
  /** A line that a program has written. */
  readonly output?: string;
  /** How long something is kept. */
  readonly keptMs?: number;
  /** What an unpacked layer does not have, and why. */
  readonly leftOut?: readonly string[];

  // A program that takes long
  /** Each process of it: name, pid, state, system call, and the functions of the kernel that it is in, the innermost first. */
  readonly processes?: readonly string[];

  // A standstill of the event loop; its length is durationMs
  /** What the loop was doing. */
  readonly what?: string;
  readonly startedAt?: string;
  /** The share that was not the machine's. */
  readonly ownMs?: number;
  readonly processorMs?: number;
  readonly parts?: string;

  // The daemon
  readonly version?: string;
  readonly cgroupManager?: string;
  readonly url?: string;
  readonly signal?: string;
  /** What a reload changed. */
  readonly changes?: readonly unknown[];
  /** The RPCs that are not implemented. */
  readonly rpcs?: readonly string[];
  /** How many pod sandboxes there are. */
  readonly sandboxCount?: number;
}

/** What a record, and most lines, are about. */
export type ObjectKind = 'container' | 'sandbox';

/** The field that carries an object's id. */
export function idField(kind: ObjectKind, id: string): LogFields {
  return kind === 'container' ? { containerId: id } : { sandboxId: id };
}

/** The log as every module sees it; main.ts hands in pino, tests a collector or {@link silentLog}. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line carries these fields too. */
  with(fields: LogFields): Log;
}

/** A log that keeps nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};
