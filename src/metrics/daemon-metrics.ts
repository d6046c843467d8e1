import type { MetricSpecs } from './metric-spec.ts';

/** How late the event loop is: from a part of a millisecond to a standstill of seconds. */
const LAG_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** The daemon itself. Memory, heap, processor time and open descriptors are among the usual `process_*` and `nodejs_*`. */
export const DAEMON_METRICS = {
  buildInfo: {
    name: 'build_info',
    kind: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; the labels name the version of podwright and of Node.',
  },
  loopLag: {
    name: 'event_loop_lag_seconds',
    kind: 'histogram',
    labels: [],
    help: 'How late the event loop came to a timer, looked at each 20 ms while the daemon works, and each second while nothing happens.',
    buckets: LAG_SECONDS,
  },
  longestLoopLag: {
    name: 'event_loop_longest_lag_seconds',
    kind: 'gauge',
    labels: [],
    help: 'The longest of these in the last one to two minutes.',
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
  eventsDropped: {
    name: 'events_dropped_total',
    kind: 'counter',
    labels: ['stream'],
    help: 'Events that a client did not read in time, so that it lost them and must list again, by `stream`: `container events`.',
  },
  traceSpans: {
    name: 'trace_spans_total',
    kind: 'counter',
    labels: ['outcome'],
    help: 'Spans of traces, where these are configured: `sent`; `dropped`, since more came than left; or `failed`: the receiver did not take them.',
  },
  restored: {
    name: 'restored_objects',
    kind: 'gauge',
    labels: ['kind'],
    help: 'What the last start has found on the disk and taken up again, by `kind`: `sandbox`, `container` or `image`.',
  },
  startSeconds: {
    name: 'start_duration_seconds',
    kind: 'gauge',
    labels: [],
    help: 'How long the last start took, from the process to the open socket.',
  },
  leaksFound: {
    name: 'leaks_found_total',
    kind: 'counter',
    labels: ['kind'],
    help: 'Things that no record claimed, found by a start or by `podwright check --leaks --fix`, by kind. What is found again counts again.',
  },
  leaksCleaned: {
    name: 'leaks_cleaned_total',
    kind: 'counter',
    labels: ['kind'],
    help: 'Of these, what was removed.',
  },
} as const satisfies MetricSpecs;
