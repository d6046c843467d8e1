import type { MetricSpecs } from './metric-spec.ts';

/** A plugin takes from under a millisecond to nri.request_timeout. */
const NRI_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** NRI plugins. */
export const NRI_METRICS = {
  nriSeconds: {
    name: 'nri_plugin_call_duration_seconds',
    kind: 'histogram',
    labels: ['plugin', 'call'],
    help: 'Time that NRI plugins took to answer, by plugin (INDEX-NAME; `other` after a hundred of them) and call. Its _count is the number of calls.',
    buckets: NRI_SECONDS,
  },
  nriFailures: {
    name: 'nri_plugin_failures_total',
    kind: 'counter',
    labels: ['plugin', 'call'],
    help: 'Calls of NRI plugins that ended with an error, or without an answer.',
  },
  nriWishes: {
    name: 'nri_plugin_requests_total',
    kind: 'counter',
    labels: ['plugin', 'call', 'what'],
    help: 'What NRI plugins asked for: `adjustment` of the container that is created, `update` or `eviction` of another; by the call that they answered, or UpdateContainers of their own.',
  },
  nriPlugins: {
    name: 'nri_plugins',
    kind: 'gauge',
    labels: [],
    help: 'NRI plugins that are ready.',
  },
} as const satisfies MetricSpecs;
