import { DaemonError } from './errors.ts';
import type { Log } from './log.ts';

/** One call of an RPC, as its handler sees it. */
export interface Call {
  /** Names the call in every log line. */
  readonly requestId: string;
  /** Aborts when the caller's deadline passes or the caller cancels; the reason is a DaemonError DeadlineExceeded or Canceled. */
  readonly signal: AbortSignal;
  /** Whether the caller has given a deadline. */
  readonly hasDeadline: boolean;
  /** A log whose lines carry the request id and the RPC's name. */
  readonly log: Log;
}

const UNIMPLEMENTED = new WeakSet<object>();

/** The handler of an RPC that is not there yet: it answers UNIMPLEMENTED with the RPC's name. */
export function unimplemented(rpc: string): () => never {
  const handler = (): never => {
    throw new DaemonError('Unimplemented', `${rpc}: not implemented`);
  };
  UNIMPLEMENTED.add(handler);
  return handler;
}

/** Whether a handler was made by {@link unimplemented}. */
export function isUnimplemented(handler: object): boolean {
  return UNIMPLEMENTED.has(handler);
}
