import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { EventLoopReport } from '../admin/reports.ts';
import { outsideOfRequests } from '../base/steps.ts';
import type { Log, LogFields } from '../base/log.ts';
import { EventLoopWatch, STANDSTILL_MS, type Standstill } from '../linux/event-loop-watch.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** What the figures of now are of: the window under way, and the one before. */
const WINDOW_MS = 60_000;
const NS_PER_MS = 1e6;
/** Nanoseconds, to one part in a hundred: some 40 KB. */
const FORM = { lowest: 1, highest: 3_600_000 * NS_PER_MS, figures: 2 } as const;

/** How late the event loop was in the last one to two minutes. */
class RecentLag {
  #now: RecordableHistogram = createHistogram(FORM);
  #before: RecordableHistogram = createHistogram(FORM);
  #startedMs = performance.now();

  add(lagMs: number): void {
    this.#turn();
    this.#now.record(Math.max(1, Math.round(lagMs * NS_PER_MS)));
  }

  /** Milliseconds: of a hundred looks, and the longest. */
  figures(): { readonly p99Ms: number; readonly longestMs: number } {
    this.#turn();
    const both = createHistogram(FORM);
    both.add(this.#now);
    both.add(this.#before);
    return both.count === 0 ? { p99Ms: 0, longestMs: 0 } : { p99Ms: both.percentile(99) / NS_PER_MS, longestMs: both.max / NS_PER_MS };
  }

  #turn(): void {
    const windows = Math.floor((performance.now() - this.#startedMs) / WINDOW_MS);
    if (windows === 0) return;
    this.#startedMs += windows * WINDOW_MS;
    [this.#now, this.#before] = [this.#before, this.#now];
    this.#now.reset();
    if (windows > 1) this.#before.reset();
  }
}

/** The watch of the event loop, for who reports of it. */
export interface LoopWatch {
  report(): EventLoopReport;
  stop(): void;
}

/** Watches the event loop: counts how late it is, and tells its standstills. */
export function watchEventLoop(metrics: Metrics, log: Log): LoopWatch {
  const recent = new RecentLag();
  let standstills = 0;
  let last: EventLoopReport['lastStandstill'];
  metrics.whenRead(() => {
    metrics.set('longestLoopLag', {}, recent.figures().longestMs / 1000);
  });
  const watch = EventLoopWatch.start(
    (standstill) => {
      // Of no call: the timer that sees it may have been begun in one.
      outsideOfRequests(() => {
        tellStandstill(standstill, metrics, log);
      });
      if (standstill.ownMs <= STANDSTILL_MS) return;
      standstills += 1;
      last = { what: standstill.what, startedAt: standstill.startedAt.toISOString(), ownMs: standstill.ownMs };
    },
    (lagMs) => {
      recent.add(lagMs);
      metrics.observe('loopLag', {}, lagMs / 1000);
    },
  );
  return {
    report: () => ({ ...recent.figures(), standstills, ...(last === undefined ? {} : { lastStandstill: last }) }),
    stop: () => {
      watch.stop();
    },
  };
}

/** Standstills that the machine caused are counted, and logged at debug only: an overloaded node has many. */
function tellStandstill({ startedAt, what, durationMs, ownMs, processorMs, parts }: Standstill, metrics: Metrics, log: Log): void {
  metrics.add('standstills', { what });
  metrics.add('standstillSeconds', { what }, durationMs / 1000);
  const fields: LogFields = { what, durationMs, ownMs, processorMs, startedAt: startedAt.toISOString(), parts: parts.join(', ') };
  if (ownMs > STANDSTILL_MS) log.warn('the event loop stood still', fields);
  else log.debug('the machine let the event loop stand still', fields);
}
