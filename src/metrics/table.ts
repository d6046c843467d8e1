import { CALL_METRICS } from './call-metrics.ts';
import { DAEMON_METRICS } from './daemon-metrics.ts';
import { IMAGE_METRICS } from './image-metrics.ts';
import type { MetricSpec, MetricSpecs } from './metric-spec.ts';
import { NODE_METRICS } from './node-metrics.ts';
import { NRI_METRICS } from './nri-metrics.ts';
import { TROUBLE_METRICS } from './trouble-metrics.ts';

/**
 * Every metric of the daemon, a file for each area; docs/metrics.md is printed from here. Names end in their unit, and in `_total` where
 * they only grow.
 */
export const METRICS = {
  ...DAEMON_METRICS,
  ...CALL_METRICS,
  ...NODE_METRICS,
  ...TROUBLE_METRICS,
  ...IMAGE_METRICS,
  ...NRI_METRICS,
} as const satisfies MetricSpecs;

export type MetricKey = keyof typeof METRICS;
export type MetricsOfKind<Kind extends MetricSpec['kind']> = {
  [Key in MetricKey]: (typeof METRICS)[Key]['kind'] extends Kind ? Key : never;
}[MetricKey];
/** A value for each label of a metric, no more and no less. */
export type Labels<Key extends MetricKey> = Readonly<Record<(typeof METRICS)[Key]['labels'][number], string>>;

export const PREFIX = 'podwright_';
