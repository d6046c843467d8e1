import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openOtlp } from '../../../src/tracing/otlp.ts';
import type { SpanStart } from '../../../src/tracing/span-writer.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const start: SpanStart = { name: 'Version', startedAtMs: Date.now(), isCall: true, attributes: {} };

/** Nobody listens there, and nothing is sent: no span is ended. */
const writer = (samplesPerMillion: number): ReturnType<typeof openOtlp> =>
  openOtlp({ endpoint: 'http://127.0.0.1:9', version: '1', samplesPerMillion, tell: () => undefined });

test('a trace that a caller began goes by the caller, whatever the rate', () => {
  for (const rate of [0, 1_000_000]) {
    assert.equal(writer(rate).start({ ...start, traceparent: `00-${TRACE}-${SPAN}-01` })?.ids.traceId, TRACE);
    assert.equal(writer(rate).start({ ...start, traceparent: `00-${TRACE}-${SPAN}-00` }), undefined);
    assert.equal(writer(rate).start({ ...start, traceparent: `01-${TRACE}-${SPAN}-03-more` })?.ids.traceId, TRACE);
  }
});

test('a traceparent that is none begins a trace', () => {
  const zeros = '0'.repeat(32);
  for (const traceparent of [
    '',
    'x',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${zeros}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}`,
  ]) {
    assert.equal(writer(0).start({ ...start, traceparent }), undefined, traceparent);
    const ids = writer(1_000_000).start({ ...start, traceparent })?.ids;
    assert.match(ids?.traceId ?? '', /^[0-9a-f]{32}$/);
    assert.notEqual(ids?.traceId, TRACE);
  }
});

test('of traces that begin here, as many are kept as the rate says', () => {
  const tenth = writer(100_000);
  let kept = 0;
  for (let n = 0; n < 5_000; n += 1) if (tenth.start(start) !== undefined) kept += 1;
  assert.ok(kept > 350 && kept < 650, `${kept} of 5000 are kept`);
});

test('a span below another is in its trace', () => {
  const above = writer(1_000_000).start(start);
  const below = writer(0).start({ ...start, isCall: false, parent: above!.ids });
  assert.equal(below?.ids.traceId, above!.ids.traceId);
});
