/** Spans by OTLP. A file of its own in the build: loaded only where tracing is configured, and so on its own feet. */
import { hostname } from 'node:os';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace, type Context, type Span } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { SpanQueue, type SpanFate } from './span-queue.ts';
import type { OpenSpan, SpanIds, SpanStart, SpanWriter } from './span-writer.ts';

export interface OtlpOptions {
  /** `http://HOST:PORT`, or with a path where that of the receiver is not the usual one. */
  readonly endpoint: string;
  readonly version: string;
  /** Of traces that begin here. Those that a caller began go by the caller. */
  readonly samplesPerMillion: number;
  /** Hears of spans when they have left, or not. */
  readonly tell: (fate: SpanFate, count: number, why?: string) => void;
}

/** OTLP over HTTP, of each signal: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request */
const TRACES_PATH = '/v1/traces';
/** Most that one request may take, with its retries, milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
/** https://www.w3.org/TR/trace-context/#traceparent-header; later versions may have more behind the flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;
const LIMITS = { attributeCountLimit: 32, attributeValueLengthLimit: 2000, eventCountLimit: 256 };

/** Makes spans and sends them to a receiver of OTLP over HTTP. */
export function openOtlp({ endpoint, version, samplesPerMillion, tell }: OtlpOptions): SpanWriter {
  const url = new URL(endpoint);
  if (url.pathname === '/') url.pathname = TRACES_PATH;
  const exporter = new OTLPTraceExporter({ url: url.href, timeoutMillis: REQUEST_TIMEOUT_MS, concurrencyLimit: 1 });
  const queue = new SpanQueue(exporter, tell);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'podwright', 'service.version': version, 'host.name': hostname() }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(samplesPerMillion / 1_000_000) }),
    spanLimits: LIMITS,
    spanProcessors: [queue],
  });
  const tracer = provider.getTracer('podwright', version);
  return {
    start: (start) => {
      const { name, startedAtMs, isCall, attributes } = start;
      const kind = isCall ? SpanKind.SERVER : SpanKind.INTERNAL;
      const span = tracer.startSpan(name, { startTime: startedAtMs, kind, attributes }, parentOf(start));
      return span.isRecording() ? opened(span) : undefined;
    },
    close: async () => queue.shutdown(),
  };
}

function opened(span: Span): OpenSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    ids: { traceId, spanId },
    event: (words, atMs) => {
      span.addEvent(words, {}, atMs);
    },
    end: ({ endedAtMs, error, attributes = {} }) => {
      span.setAttributes(attributes);
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end(endedAtMs);
    },
  };
}

function parentOf({ parent, traceparent }: Pick<SpanStart, 'parent' | 'traceparent'>): Context {
  if (parent !== undefined) return within(parent, TraceFlags.SAMPLED, false);
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  return within({ traceId, spanId }, Number.parseInt(flags, 16) & TraceFlags.SAMPLED, true);
}

function within(ids: SpanIds, traceFlags: TraceFlags, isRemote: boolean): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags, isRemote });
}
