import { basename, dirname } from 'node:path';
import type { PluginRun } from '../cni/plugin.ts';
import type { Config } from '../config/schema.ts';
import { observeSpawns } from '../linux/spawn-posix.ts';
import { firstNames } from '../metrics/first-names.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Most plugins that have numbers of their own: configurations may name ever new ones. */
const MOST_PLUGINS = 100;

/** Counts the programs that are started. Only what the configuration names has a name of its own, so that there are few. */
export function countPrograms(config: Config, metrics: Metrics): void {
  const { runtime, conmon, checkpoint, cni } = config;
  const paths = [...Object.values(runtime.handlers).map(({ path }) => path), conmon, checkpoint.criu];
  const named = new Set(paths.map((path) => basename(path)));
  const pluginDirectories = new Set(cni.binDirs);
  observeSpawns((path, ok) => {
    const name = basename(path);
    const program = named.has(name) ? name : pluginDirectories.has(dirname(path)) ? 'CNI plugin' : 'other';
    metrics.add('spawns', { program, outcome: ok ? 'ok' : 'failed' });
  });
}

/** Times CNI plugins. */
export function cniMetrics(metrics: Metrics): (run: PluginRun) => void {
  const nameOf = firstNames(MOST_PLUGINS);
  return ({ plugin, command, seconds, ok }) => {
    metrics.observe('cniSeconds', { plugin: nameOf(plugin), verb: command, outcome: ok ? 'ok' : 'failed' }, seconds);
  };
}
