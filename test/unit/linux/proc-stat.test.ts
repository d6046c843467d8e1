import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStat } from '../../../src/linux/proc-stat.ts';

test('parseStat reads past a command name with blanks and parentheses', () => {
  const line = '812 (a) R (b)) S 1 812 811 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765432109876543210 100 200 18446744073709551615\n';
  assert.deepEqual(parseStat(line), { state: 'S', parentPid: 1, processGroup: 812, session: 811, startTime: '98765432109876543210' });
});

test('parseStat refuses a line that is cut', () => {
  assert.throws(() => parseStat('812 (sh) S 1 812'), /too few fields/);
});
