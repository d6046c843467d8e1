import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Setbacks } from '../../../src/nri/setbacks.ts';

test('pauses grow each time in a row, up to a minute, and begin anew after a minute without', () => {
  const setbacks = new Setbacks();
  const pauses = Array.from({ length: 6 }, () => {
    setbacks.heldUp('10-a', 1000);
    return setbacks.pauseMs('10-a', 1000);
  });

  assert.deepEqual(pauses, [5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  assert.deepEqual([setbacks.pauseMs('10-a', 50_000), setbacks.pauseMs('10-a', 100_000), setbacks.pauseMs('10-b', 1000)], [11_000, 0, 0]);
  const next = (readyMs: number): number => {
    setbacks.wasReady('10-a', readyMs);
    setbacks.heldUp('10-a', 200_000);
    return setbacks.pauseMs('10-a', 200_000);
  };
  assert.deepEqual([next(59_000), next(60_000), next(0)], [60_000, 5000, 10_000]);
});

test('only the last names are remembered', () => {
  const setbacks = new Setbacks();
  for (let count = 0; count <= 100; count += 1) setbacks.heldUp(`10-p${count}`, 0);

  assert.deepEqual([setbacks.pauseMs('10-p0', 0), setbacks.pauseMs('10-p1', 0)], [0, 5000]);
});
