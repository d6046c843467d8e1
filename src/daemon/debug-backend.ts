import type { LeakFixReport } from '../admin/debug-reports.ts';
import type { DebugBackend } from '../admin/debug-backend.ts';
import { withTimeout } from '../base/deadline.ts';
import { fail } from '../base/errors.ts';
import { trimHeap } from '../linux/heap.ts';
import { inventoryOf } from '../pod/inventory.ts';
import { findMissing, fixLeaks, type TellRemoval } from '../pod/leftovers.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { DaemonParts } from './build.ts';
import { leakMetrics } from './object-metrics.ts';

/** How long leaks are removed by one request, milliseconds; the rest waits for the next one. */
const FIX_MS = 5 * 60_000;

/** What helps with a daemon that has trouble, out of the daemon's parts. */
export function debugBackend(parts: DaemonParts, metrics: Metrics): DebugBackend {
  const count = leakMetrics(metrics);
  const fixing = new OneAtATime('check --leaks --fix');
  const looking = new OneAtATime('debug profile, heap');
  const telling = new OneAtATime('debug stacks');
  return {
    fixLeaks: async (signal) => fixing.run(async () => fixReport(parts, signal, count)),
    profile: async (seconds, signal) =>
      looking.run(async () => {
        parts.log.debug('debug profile: begun', { durationMs: seconds * 1000 });
        return (await import('./cpu-profile.ts')).takeCpuProfile(seconds * 1000, signal);
      }),
    heap: async (send) =>
      looking.run(async () => {
        await send((await import('./heap-snapshot.ts')).takeHeapSnapshot());
        trimHeap();
      }),
    stacks: async () => telling.run(async () => (await import('./stacks.ts')).takeStacks()),
  };
}

/** Refuses in words what must not be done twice at once. */
class OneAtATime {
  readonly #what: string;
  #since: Date | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#since !== undefined)
      return fail(
        'FailedPrecondition',
        `${this.#what}: one is under way since ${this.#since.toISOString()}, must have ended before the next`,
      );
    this.#since = new Date();
    try {
      return await work();
    } finally {
      this.#since = undefined;
    }
  }
}

async function fixReport({ restoreParts, log }: DaemonParts, signal: AbortSignal, count: TellRemoval): Promise<LeakFixReport> {
  const removed: LeakFixReport['removed'][number][] = [];
  const kept: LeakFixReport['kept'][number][] = [];
  const limit = withTimeout(signal, FIX_MS, 'check --leaks --fix');
  try {
    await fixLeaks(inventoryOf(restoreParts), log, limit.signal, (removal) => {
      count(removal);
      const { row, id, error } = removal;
      if (error === undefined) removed.push({ kind: row.kind, name: id });
      else kept.push({ kind: row.kind, name: id, error });
    });
  } finally {
    limit.clear();
  }
  return { removed, kept, missing: await findMissing(restoreParts) };
}
