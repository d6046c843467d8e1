/** One metric: its name without the prefix `podwright_`, what it counts, and its labels. */
export interface MetricSpec {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram's buckets, in the unit of its name. */
  readonly buckets?: readonly number[];
}

/** An RPC takes from a millisecond (Version) to minutes (a pull, an exec without a timeout). */
const RPC_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** A step takes from a part of a millisecond (a record) to minutes (a layer, a CNI plugin that hangs). */
const STEP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300];

/** A pull of what is here takes milliseconds, one of a model an hour. */
const PULL_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1800, 3600];

/** A plugin takes from under a millisecond to nri.request_timeout. */
const NRI_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Every metric of the daemon; docs/metrics.md is printed from here. Names end in their unit, and in `_total` where they only
 * grow.
 */
export const METRICS = {
  buildInfo: {
    name: 'build_info',
    kind: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; the labels name the version of podwright and of Node.',
  },
  rpcSeconds: {
    name: 'rpc_duration_seconds',
    kind: 'histogram',
    labels: ['rpc', 'code'],
    help: 'Time from a request being read to its answer being ready, by RPC and gRPC code; of a stream, its whole life. Its _count is the number of calls.',
    buckets: RPC_SECONDS,
  },
  rpcErrors: {
    name: 'rpc_errors_total',
    kind: 'counter',
    labels: ['rpc', 'code'],
    help: 'Calls that did not end with OK, by RPC and gRPC code.',
  },
  rpcInFlight: {
    name: 'rpc_in_flight',
    kind: 'gauge',
    labels: ['rpc'],
    help: 'Calls being answered now, by RPC.',
  },
  operationSeconds: {
    name: 'operation_duration_seconds',
    kind: 'histogram',
    labels: ['operation', 'outcome'],
    help: 'Time of pieces of work on pods, containers and images, whoever waited for them, by `outcome`: `ok` or `failed`.',
    buckets: RPC_SECONDS,
  },
  stepSeconds: {
    name: 'step_duration_seconds',
    kind: 'histogram',
    labels: ['step', 'outcome'],
    help: 'Time of the steps of that work, by `outcome`: `ok` or `failed`. Some are side by side, and some are parts of others.',
    buckets: STEP_SECONDS,
  },
  standstills: {
    name: 'event_loop_standstills_total',
    kind: 'counter',
    labels: ['what'],
    help: 'Times that the daemon answered nobody for over 50 ms, by what ran. `machine`: it had no processor to run on; `stopped`: a signal had stopped it.',
  },
  standstillSeconds: {
    name: 'event_loop_standstill_seconds_total',
    kind: 'counter',
    labels: ['what'],
    help: 'How long these standstills were together, by what ran.',
  },
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
  pulls: {
    name: 'image_pulls_total',
    kind: 'counter',
    labels: ['outcome'],
    help: 'Pulls that have ended; callers that asked for the same at once share one. By what became of them: `OK`, or the kind of failure, such as `NotFound`, `RegistryUnavailable`, `Canceled`.',
  },
  pullsInProgress: { name: 'image_pulls_in_progress', kind: 'gauge', labels: [], help: 'Pulls under way.' },
  pullSeconds: {
    name: 'image_pull_duration_seconds',
    kind: 'histogram',
    labels: ['result'],
    help: 'Time that pulls took: `fetched` ones, for which a layer at least was fetched; `present` ones, for which none was; `failed` ones.',
    buckets: PULL_SECONDS,
  },
  pullBytes: {
    name: 'image_pull_received_bytes_total',
    kind: 'counter',
    labels: ['source'],
    help: 'Bytes of layers and configs that came over the network, while they come: from a `registry`, or a `mirror` in its place.',
  },
  pullLayers: {
    name: 'image_pull_layers_total',
    kind: 'counter',
    labels: ['outcome'],
    help: 'Layers of pulls that have ended: `fetched` whole, put together of `chunks` of which some were here, `present` already, or `dropped` before they were finished.',
  },
  pullRetries: {
    name: 'image_pull_retries_total',
    kind: 'counter',
    labels: ['what'],
    help: 'What failed in pulls and was tried again: a `stream` that broke and was taken up, a `request` made again at the same endpoint, or at the next `endpoint`.',
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricKey = keyof typeof METRICS;
export type MetricsOfKind<Kind extends MetricSpec['kind']> = {
  [Key in MetricKey]: (typeof METRICS)[Key]['kind'] extends Kind ? Key : never;
}[MetricKey];
/** A value for each label of a metric, no more and no less. */
export type Labels<Key extends MetricKey> = Readonly<Record<(typeof METRICS)[Key]['labels'][number], string>>;

export const PREFIX = 'podwright_';
