import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutText, fitTable } from '../../../src/cli/fit-table.ts';
import { ageText, timeText } from '../../../src/cli/words.ts';

const COLUMNS = [
  { title: 'NAME', cut: { least: 10, keep: 'ends' } },
  { title: 'N', right: true },
  { title: 'IMAGE', cut: { least: 8, keep: 'end' } },
] as const;
const ROWS = [
  ['kube-system/coredns-5d78c9869d-abcde', '7', 'registry.example/team/app:1.25'],
  ['x', '12345', ''],
];

test('a table is as wide as it needs where nobody says how wide it may be', () => {
  assert.deepEqual(fitTable(COLUMNS, ROWS, undefined), [
    'NAME                                      N  IMAGE',
    'kube-system/coredns-5d78c9869d-abcde      7  registry.example/team/app:1.25',
    'x                                     12345',
  ]);
});

test('what may be cut is cut until the lines fit, the widest first, and no further than it may', () => {
  const lines = fitTable(COLUMNS, ROWS, 50);
  assert.ok(lines.every((line) => line.length <= 50));
  assert.match(lines[1] ?? '', /^kube-sys\S*~\S+-abcde +7 ~\S+app:1\.25$/);
  const least = fitTable(COLUMNS, ROWS, 5);
  assert.deepEqual(
    least.map((line) => line.length),
    [22, 25, 16],
  );
});

test('what programs named cannot steer the terminal', () => {
  assert.doesNotMatch(fitTable(COLUMNS, [['a\u001b[2Jb', '', '\n']], undefined).join(''), /\p{Cc}/u);
});

test('a cut text keeps what it is told to keep', () => {
  assert.equal(cutText('abcdefghij', 5, 'start'), 'abcd~');
  assert.equal(cutText('abcdefghij', 5, 'end'), '~ghij');
  assert.equal(cutText('abcdefghij', 5, 'ends'), 'ab~ij');
  assert.equal(cutText('abc', 3, 'end'), 'abc');
  assert.equal(cutText('abc', 1, 'ends'), '~');
});

test('ages have the unit that says most', () => {
  const now = 1_000_000_000_000;
  const age = (seconds: number): string => ageText(BigInt(now - seconds * 1000) * 1_000_000n, now);
  assert.deepEqual([0, 59, 119, 120, 185, 3600, 7200, 9000, 40_000, 86_400, 200_000, 864_000].map(age), [
    '0s',
    '59s',
    '119s',
    '2m',
    '3m5s',
    '60m',
    '2h',
    '2h30m',
    '11h',
    '24h',
    '2d7h',
    '10d',
  ]);
  assert.equal(age(-5), '0s');
  assert.equal(timeText(0n), undefined);
  assert.equal(timeText(1_000_000_000_123_456_789n), '2001-09-09T01:46:40.123Z');
});
