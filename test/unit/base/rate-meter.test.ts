import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateMeter } from '../../../src/base/rate-meter.ts';

const START_MS = 1_000_000_000_250;

test('a rate is that of the last five seconds, and falls to nothing when nothing comes', () => {
  const rate = new RateMeter();
  assert.equal(rate.bytesPerSecond(START_MS), 0);
  for (let ms = 0; ms < 20_000; ms += 100) rate.add(ms < 10_000 ? 50_000 : 100, START_MS + ms);
  const steady = rate.bytesPerSecond(START_MS + 20_000);
  assert.ok(Math.abs(steady - 1000) < 50, `${steady}`);
  assert.equal(rate.bytesPerSecond(START_MS + 26_000), 0);
  rate.add(5000, START_MS + 60_000);
  assert.ok(rate.bytesPerSecond(START_MS + 60_000) <= 1250);
});

test('a rate just begun is that since its first byte, over half a second at least', () => {
  const rate = new RateMeter();
  rate.add(1000, START_MS);
  assert.equal(rate.bytesPerSecond(START_MS + 1), 2000);
  rate.add(1000, START_MS + 1000);
  assert.equal(rate.bytesPerSecond(START_MS + 1000), 2000);
  assert.equal(rate.bytesPerSecond(START_MS + 2000), 1000);
});

test('a clock that is set back makes no negative rate', () => {
  const rate = new RateMeter();
  rate.add(1000, START_MS);
  rate.add(1000, START_MS - 60_000);
  assert.ok(rate.bytesPerSecond(START_MS - 60_000) > 0);
});
