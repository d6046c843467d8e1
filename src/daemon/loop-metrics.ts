import type { Log, LogFields } from '../base/log.ts';
import { EventLoopWatch, STANDSTILL_MS, type Standstill } from '../linux/event-loop-watch.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** What the longest lag is of: the window under way, and the one before. */
const WINDOW_MS = 60_000;

/** Watches the event loop: counts how late it is, and tells its standstills. */
export function watchEventLoop(metrics: Metrics, log: Log): EventLoopWatch {
  let windowStartedMs = performance.now();
  let [longestMs, longestBeforeMs] = [0, 0];
  const turnWindow = (): void => {
    const windows = Math.floor((performance.now() - windowStartedMs) / WINDOW_MS);
    if (windows === 0) return;
    longestBeforeMs = windows === 1 ? longestMs : 0;
    longestMs = 0;
    windowStartedMs += windows * WINDOW_MS;
  };
  metrics.whenRead(() => {
    turnWindow();
    metrics.set('longestLoopLag', {}, Math.max(longestMs, longestBeforeMs) / 1000);
  });
  return EventLoopWatch.start(
    (standstill) => {
      tellStandstill(standstill, metrics, log);
    },
    (lagMs) => {
      turnWindow();
      longestMs = Math.max(longestMs, lagMs);
      metrics.observe('loopLag', {}, lagMs / 1000);
    },
  );
}

/** Standstills that the machine caused are counted, and logged at debug only: an overloaded node has many. */
function tellStandstill({ startedAt, what, durationMs, ownMs, processorMs, parts }: Standstill, metrics: Metrics, log: Log): void {
  metrics.add('standstills', { what });
  metrics.add('standstillSeconds', { what }, durationMs / 1000);
  const fields: LogFields = { what, durationMs, ownMs, processorMs, startedAt: startedAt.toISOString(), parts: parts.join(', ') };
  if (ownMs > STANDSTILL_MS) log.warn('the event loop stood still', fields);
  else log.debug('the machine let the event loop stand still', fields);
}
