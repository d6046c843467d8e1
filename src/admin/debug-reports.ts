import type { ThreadReport } from '../base/thread-report.ts';
import type { Item } from './reports.ts';

/** What became of the things that no record claims. */
export interface LeakFixReport {
  readonly removed: readonly Item[];
  /** Still there, and why. */
  readonly kept: readonly (Item & { readonly error: string })[];
  /** Claimed by a record, and does not exist: nothing to remove. */
  readonly missing: readonly Item[];
}

/** Where a daemon is. */
export interface StacksReport {
  readonly pid: number;
  readonly at: string;
  /** Whether the daemon itself told it; else it is what the kernel says of its process. */
  readonly answered: boolean;
  /** What its event loop waits for, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  /** Work under way, each with the steps that have not ended. */
  readonly operations: readonly {
    readonly what: string;
    readonly about: string;
    readonly since: string;
    readonly rpc?: string;
    readonly requestId?: string;
    readonly steps: readonly { readonly name: string; readonly detail: string; readonly since: string }[];
  }[];
  readonly threads: readonly ThreadReport[];
  readonly children: readonly ThreadReport[];
}
