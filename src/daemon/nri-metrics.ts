import { firstNames } from '../metrics/first-names.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { PluginsOptions } from '../nri/plugins.ts';

/** Most plugins that have numbers of their own: one may come back under ever new names. */
const MOST_PLUGINS = 100;

/** Counts what NRI plugins do. */
export function nriMetrics(metrics: Metrics): Required<Pick<PluginsOptions, 'onCall' | 'onWish' | 'onCount'>> {
  metrics.set('nriPlugins', {}, 0);
  const nameOf = firstNames(MOST_PLUGINS);
  return {
    onCall: ({ plugin: name, call, ms, failed }) => {
      const plugin = nameOf(name);
      metrics.observe('nriSeconds', { plugin, call }, ms / 1000);
      if (failed) metrics.add('nriFailures', { plugin, call });
    },
    onWish: ({ plugin: name, call, adjusts, updates, evictions }) => {
      const plugin = nameOf(name);
      const counts = { adjustment: adjusts ? 1 : 0, update: updates, eviction: evictions };
      for (const [what, count] of Object.entries(counts)) if (count > 0) metrics.add('nriWishes', { plugin, call, what }, count);
    },
    onCount: (count) => {
      metrics.set('nriPlugins', {}, count);
    },
  };
}
