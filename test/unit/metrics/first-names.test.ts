import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstNames } from '../../../src/metrics/first-names.ts';

test('the first names stay, and later ones are others', () => {
  const nameOf = firstNames(2);
  assert.deepEqual(['a', 'b', 'a', 'c', 'b', 'd'].map(nameOf), ['a', 'b', 'a', 'other', 'b', 'other']);
});
