import type { Metrics } from '../metrics/metrics.ts';
import type { PluginsOptions } from '../nri/plugins.ts';

/** Counts what NRI plugins do. */
export function nriMetrics(metrics: Metrics): Required<Pick<PluginsOptions, 'onCall' | 'onWish' | 'onCount'>> {
  metrics.set('nriPlugins', {}, 0);
  return {
    onCall: ({ plugin, call, ms, failed }) => {
      metrics.observe('nriSeconds', { plugin, call }, ms / 1000);
      if (failed) metrics.add('nriFailures', { plugin, call });
    },
    onWish: ({ plugin, call, adjusts, updates, evictions }) => {
      const counts = { adjustment: adjusts ? 1 : 0, update: updates, eviction: evictions };
      for (const [what, count] of Object.entries(counts)) if (count > 0) metrics.add('nriWishes', { plugin, call, what }, count);
    },
    onCount: (count) => {
      metrics.set('nriPlugins', {}, count);
    },
  };
}
