import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_RETRY_AFTER_MS, retryAfterMs } from '../../../src/registry/retry-after.ts';

const NOW_MS = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT');

const CASES: readonly (readonly [string | string[] | undefined, number | undefined])[] = [
  ['0', 0],
  ['2', 2000],
  [' 2 ', 2000],
  ['30', 30_000],
  ['31', MAX_RETRY_AFTER_MS],
  ['9'.repeat(400), MAX_RETRY_AFTER_MS],
  ['Sun, 06 Nov 1994 08:49:47 GMT', 10_000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
  ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
  ['Sun, 06 Nov 2094 08:00:00 GMT', MAX_RETRY_AFTER_MS],
  ['Sun, 06 Nov 1994 99:49:47 GMT', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['2e3', undefined],
  ['1994-11-06T08:49:47Z', undefined],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
  [['2', '3'], undefined],
];

for (const [value, expected] of CASES) {
  const shown = value === undefined ? 'that is absent' : JSON.stringify(value).slice(0, 40);
  test(`Retry-After ${shown} is ${expected} ms`, () => {
    assert.equal(retryAfterMs(value, NOW_MS), expected);
  });
}
