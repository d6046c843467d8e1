import type { Readable } from 'node:stream';
import type { LeakFixReport, StacksReport } from './debug-reports.ts';

/** What a person asks of a daemon that has trouble; the daemon hands it in. Each is refused while one of its kind is under way. */
export interface DebugBackend {
  /** Removes what no record claims. */
  fixLeaks(signal: AbortSignal): Promise<LeakFixReport>;
  /** A CPU profile of so many seconds, as JSON. */
  profile(seconds: number, signal: AbortSignal): Promise<string>;
  /** Hands a snapshot of the heap to `send`, which is done when it is sent. */
  heap(send: (snapshot: Readable) => Promise<void>): Promise<void>;
  stacks(): Promise<StacksReport>;
}
