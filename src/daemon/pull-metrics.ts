import type { PullCounts } from '../image/arrivals.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Counts what becomes of pulls. All labels are of closed sets. */
export function pullMetrics(metrics: Metrics): PullCounts {
  metrics.set('pullsInProgress', {}, 0);
  return {
    begun: () => {
      metrics.add('pullsInProgress', {});
    },
    received: ({ isMirror }, bytes) => {
      metrics.add('pullBytes', { source: isMirror ? 'mirror' : 'registry' }, bytes);
    },
    retried: (what) => {
      metrics.add('pullRetries', { what });
    },
    ended: ({ outcome, ms, layers }) => {
      metrics.add('pullsInProgress', {}, -1);
      metrics.add('pulls', { outcome });
      const isFetched = layers.fetched + layers.chunks > 0;
      metrics.observe('pullSeconds', { result: outcome !== 'OK' ? 'failed' : isFetched ? 'fetched' : 'present' }, ms / 1000);
      for (const [layer, count] of Object.entries(layers)) if (count > 0) metrics.add('pullLayers', { outcome: layer }, count);
    },
  };
}
