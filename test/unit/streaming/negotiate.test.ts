import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listOf, negotiate } from '../../../src/streaming/negotiate.ts';

const known = ['v4', 'v3', 'v1'] as const;

test("negotiate takes the client's first protocol that is known", () => {
  assert.deepEqual(negotiate(['v9', 'v3', 'v4'], known, undefined), { protocol: 'v3' });
});

test('negotiate refuses with what it knows', () => {
  assert.deepEqual(negotiate(['v9'], known, 'v1'), { refused: 'the client offers the protocols v9, must offer one of v4, v3, v1' });
  assert.deepEqual(negotiate([], known, undefined), { refused: 'the client offers the protocols (none), must offer one of v4, v3, v1' });
});

test('negotiate has a protocol for those who offer none', () => {
  assert.deepEqual(negotiate([], known, 'v1'), { protocol: 'v1' });
});

test('listOf splits repeated and listed values', () => {
  assert.deepEqual(listOf(['a, b', ' c ', '']), ['a', 'b', 'c']);
  assert.deepEqual(listOf(undefined), []);
});
