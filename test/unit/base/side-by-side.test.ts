import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mapSideBySide } from '../../../src/base/side-by-side.ts';

test('mapSideBySide() does no more at once than it may, and gives results in the order of the items', async () => {
  let [running, most] = [0, 0];
  const results = await mapSideBySide([5, 1, 4, 2, 3], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await sleep(item);
    running -= 1;
    return item * 10;
  });
  assert.deepEqual(results, [50, 10, 40, 20, 30]);
  assert.equal(most, 2);
  assert.deepEqual(await mapSideBySide([], 2, async () => Promise.reject(new Error('never'))), []);
  await assert.rejects(
    mapSideBySide([1], 2, async () => Promise.reject(new Error('no'))),
    /no/,
  );
});
