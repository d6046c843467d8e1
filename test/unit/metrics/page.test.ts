import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { metricsPage } from '../../../src/metrics/page.ts';
import { METRICS } from '../../../src/metrics/table.ts';
import type { MetricSpec } from '../../../src/metrics/metric-spec.ts';

test('docs/metrics.md is what npm run generate prints', async () => {
  assert.equal(await readFile(new URL('../../../docs/metrics.md', import.meta.url), 'utf8'), metricsPage());
});

test('every metric has a unit in its name, its own help, and _total exactly where it only grows', () => {
  for (const { name, kind, help } of Object.values(METRICS) as MetricSpec[]) {
    assert.match(name, /^[a-z]+(_[a-z]+)*$/);
    assert.equal(name.endsWith('_total'), kind === 'counter', name);
    if (kind === 'histogram') assert.match(name, /_(seconds|bytes)$/);
    assert.match(help, /\.$/);
  }
});
