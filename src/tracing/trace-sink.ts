import type { Operation, RequestContext, Step, StepSink, Subject } from '../base/steps.ts';
import type { OpenSpan, SpanIds, SpanWriter } from './span-writer.ts';

/** A call that is traced. */
interface TracedCall {
  readonly span: OpenSpan;
  /** What to add to performance.now() for milliseconds since 1970: one for all of a call, so that its spans fit together. */
  readonly clockMs: number;
}

/** Makes spans of what is done: one of each call under its caller's, below it one of each operation, below that one of each step. */
export function traceSink(writer: SpanWriter): StepSink {
  const calls = new WeakMap<RequestContext, TracedCall>();
  return {
    requestBegan: (request) => {
      const { rpc, requestId, traceparent } = request;
      const clockMs = Date.now() - performance.now();
      const attributes = { 'rpc.system.name': 'grpc', 'rpc.method': rpc, 'podwright.request_id': requestId };
      const span = writer.start({ name: rpc, startedAtMs: clockMs + performance.now(), isCall: true, traceparent, attributes });
      if (span === undefined) return undefined;
      calls.set(request, { span, clockMs });
      return span.ids;
    },
    requestEnded: (request, { code, error }) => {
      const call = calls.get(request);
      call?.span.end({ endedAtMs: call.clockMs + performance.now(), error, attributes: { 'rpc.response.status_code': code } });
    },
    operationEnded: (operation) => {
      const { request } = operation;
      // A call that is not kept has no spans below it either.
      if (request !== undefined && request.trace === undefined) return;
      const clockMs = (request && calls.get(request)?.clockMs) ?? Date.now() - performance.now();
      writeOperation(writer, operation, request?.trace, clockMs + performance.now());
    },
  };
}

function writeOperation(writer: SpanWriter, operation: Operation, parent: SpanIds | undefined, endedAtMs: number): void {
  const { what, durationMs = 0, error, subject, facts, steps, notes, left, number } = operation;
  const startedAtMs = endedAtMs - durationMs;
  const attributes = {
    'podwright.operation': number,
    ...describe(subject),
    ...prefixed(facts),
    ...(left === 0 ? {} : { 'podwright.steps_left_out': left }),
  };
  const span = writer.start({ name: what, startedAtMs, isCall: false, parent, attributes });
  if (span === undefined) return;
  const spans: (OpenSpan | undefined)[] = [];
  for (const each of steps) {
    const above = spans[each.parent] ?? span;
    spans.push(startOfStep(writer, each, above.ids, startedAtMs));
  }
  for (const { words, atMs, parent: index } of notes) (spans[index] ?? span).event(words, startedAtMs + atMs);
  // One that goes on after its operation has ended is cut there.
  for (const [index, each] of steps.entries()) {
    const stepEndMs = each.durationMs === undefined ? endedAtMs : startedAtMs + each.startedMs + each.durationMs;
    spans[index]?.end({ endedAtMs: stepEndMs, error: each.error });
  }
  span.end({ endedAtMs, error });
}

function startOfStep(writer: SpanWriter, { name, detail, startedMs }: Step, parent: SpanIds, operationMs: number): OpenSpan | undefined {
  const attributes: Record<string, string> = detail === '' ? {} : { 'podwright.detail': detail };
  return writer.start({ name, startedAtMs: operationMs + startedMs, isCall: false, parent, attributes });
}

function prefixed(facts: Operation['facts']): Record<string, string | number> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [`podwright.${name}`, value]));
}

/** The container's and the image's by the names of OpenTelemetry's conventions. */
function describe({ sandboxId, containerId, image, name }: Subject): Record<string, string> {
  return {
    ...(sandboxId === undefined ? {} : { 'podwright.sandbox_id': sandboxId }),
    ...(containerId === undefined ? {} : { 'container.id': containerId }),
    ...(image === undefined ? {} : { 'container.image.name': image }),
    ...(name === undefined ? {} : { 'podwright.name': name }),
  };
}
