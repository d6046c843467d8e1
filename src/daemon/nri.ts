import type { Log } from '../base/log.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import type { LiveConfig } from '../config/live-config.ts';
import { PluginLifecycle } from '../lifecycle/plugin-lifecycle.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { Plugins } from '../nri/plugins.ts';
import { nriMetrics } from './nri-metrics.ts';

/** The plugins of the node, and their part in what happens to pods and containers. */
export interface Nri {
  readonly plugins: Plugins;
  readonly lifecycle: PluginLifecycle;
}

/** Undefined where the configuration has no plugins: then nobody is asked, not even whether there are any. */
export function buildNri(config: LiveConfig, metrics: Metrics, log: Log): Nri | undefined {
  if (!config.current.nri.enable) return undefined;
  const { nriProcesses: processesFile } = new DiskLayout(config.current);
  const plugins = new Plugins({ settings: () => config.current.nri, log, processesFile, ...nriMetrics(metrics) });
  return { plugins, lifecycle: new PluginLifecycle(plugins, log) };
}
