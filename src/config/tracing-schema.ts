import { httpEndpoint, wholeNumber } from './kinds.ts';
import { key, section } from './schema-nodes.ts';

/** The table `tracing`. */
export const tracingSection = section('OpenTelemetry traces: a span of each call, and of what was done for it. docs/tracing.md', {
  endpoint: key(
    httpEndpoint,
    '',
    'The receiver, by OTLP over HTTP: "http://127.0.0.1:4318", with a path where that is not /v1/traces; empty: no traces.',
  ),
  samplingRatePerMillion: key(
    wholeNumber(0, 1_000_000),
    0,
    'How many of a million traces that begin here are kept. Those that the kubelet began go by the kubelet; its key has the same name.',
  ),
});
