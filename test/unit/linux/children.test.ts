import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCodeOf } from '../../../src/linux/children.ts';

test('an exit code is the code, or 128 and the signal', () => {
  assert.deepStrictEqual([exitCodeOf({ code: 0 }), exitCodeOf({ code: 255 }), exitCodeOf({ signal: 9 })], [0, 255, 137]);
});
