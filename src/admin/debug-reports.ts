import type { Item } from './reports.ts';

/** What became of the things that no record claims. */
export interface LeakFixReport {
  readonly removed: readonly Item[];
  /** Still there, and why. */
  readonly kept: readonly (Item & { readonly error: string })[];
  /** Claimed by a record, and does not exist: nothing to remove. */
  readonly missing: readonly Item[];
}
