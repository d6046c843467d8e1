import type { MetricSpecs } from './metric-spec.ts';

/** An RPC takes from a millisecond (Version) to minutes (a pull, an exec without a timeout). */
const RPC_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** A step takes from a part of a millisecond (a record) to minutes (a layer, a CNI plugin that hangs, until timeouts.cni_add). */
export const STEP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300];

/** What is asked of the daemon, and the pieces of work that come of it. */
export const CALL_METRICS = {
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
  operationsUnderWay: {
    name: 'operations_under_way',
    kind: 'gauge',
    labels: ['operation'],
    help: 'Pieces of such work under way now.',
  },
  oldestOperation: {
    name: 'oldest_operation_age_seconds',
    kind: 'gauge',
    labels: ['operation'],
    help: 'For how long the oldest of them has been under way; 0 where there is none.',
  },
  stepSeconds: {
    name: 'step_duration_seconds',
    kind: 'histogram',
    labels: ['step', 'outcome'],
    help: 'Time of the steps of that work, by `outcome`: `ok` or `failed`. Some are side by side, and some are parts of others.',
    buckets: STEP_SECONDS,
  },
  parked: {
    name: 'parked_requests',
    kind: 'gauge',
    labels: ['kind'],
    help: 'Pods and containers that were finished after their call had ended, and wait for its retry, by `kind`: `sandbox` or `container`.',
  },
} as const satisfies MetricSpecs;
