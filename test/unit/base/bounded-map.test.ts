import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedMap } from '../../../src/base/bounded-map.ts';

test('a bounded map keeps as many as it may, and what was set last', () => {
  const map = new BoundedMap<string, number>(3);
  for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index);
  map.set('a', 7);
  map.set('d', 3);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => map.get(key)),
    [7, undefined, 2, 3],
  );
  for (let index = 0; index < 1000; index += 1) map.set(`k${index}`, index);
  assert.equal(map.size, 3);
  map.delete('k999');
  assert.equal(map.get('k999'), undefined);
  assert.equal(map.size, 2);
});
