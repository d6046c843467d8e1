import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coveredBy, standstillsIn } from '../../support/standstills.ts';

test('the standstills that count are read from a daemon’s log', () => {
  const log = `2026-11-25T17:26:04.100Z INFO  serving the CRI what=nothing durationMs=1
2026-11-25T17:26:04.300Z DEBUG the machine let the event loop stand still what=machine durationMs=900 ownMs=10 processorMs=10 startedAt=2026-11-25T17:26:03.000Z parts=""
2026-11-25T17:26:04.459Z WARN  the event loop stood still what="garbage collection" durationMs=401 ownMs=300 processorMs=1 startedAt=2026-11-25T17:26:03.453Z parts="Version 400 ms"
`;
  const [found, ...more] = standstillsIn(log);
  assert.deepEqual(more, []);
  assert.equal(found?.fromMs, Date.parse('2026-11-25T17:26:03.453Z'));
  assert.deepEqual([found.durationMs, found.ownMs], [401, 300]);
});

test('a span is covered by the parts of the gaps that lie in it', () => {
  const gaps = [
    { fromMs: 0, toMs: 10 },
    { fromMs: 90, toMs: 120 },
    { fromMs: 190, toMs: 900 },
  ];
  assert.equal(coveredBy(gaps, { fromMs: 100, toMs: 200 }), 30);
  assert.equal(coveredBy([], { fromMs: 100, toMs: 200 }), 0);
});
