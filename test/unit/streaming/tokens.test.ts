import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf } from '../../../src/base/errors.ts';
import { Tokens } from '../../../src/streaming/tokens.ts';

test('a token gives its request once', () => {
  const tokens = new Tokens<string>();
  const token = tokens.issue('request');

  assert.deepEqual([tokens.redeem(token), tokens.redeem(token), tokens.redeem('unknown')], ['request', undefined, undefined]);
});

test('tokens cannot be guessed: 128 bits each, none like another', () => {
  const tokens = new Tokens<number>();
  const issued = new Set(Array.from({ length: 1000 }, (_, index) => tokens.issue(index)));

  assert.equal(issued.size, 1000);
  for (const token of issued) assert.match(token, /^[A-Za-z0-9_-]{22}$/);
});

test('a token expires after a minute', () => {
  let now = 0;
  const tokens = new Tokens<string>({ now: () => now });
  const [early, late] = [tokens.issue('early'), tokens.issue('late')];
  now = 59_999;
  assert.equal(tokens.redeem(early), 'early');
  now = 60_000;
  assert.equal(tokens.redeem(late), undefined);
});

test('the thousand-and-first waiting token is refused until others are used or expire', () => {
  let now = 0;
  const tokens = new Tokens<number>({ now: () => now });
  const first = tokens.issue(0);
  for (let index = 1; index < 1000; index += 1) tokens.issue(index);

  assert.throws(
    () => tokens.issue(1000),
    (error) => kindOf(error) === 'ResourceExhausted',
  );
  tokens.redeem(first);
  tokens.issue(1000);
  assert.throws(
    () => tokens.issue(1001),
    (error) => kindOf(error) === 'ResourceExhausted',
  );
  now = 60_000;
  tokens.issue(1001);
  assert.equal(tokens.size, 1);
});
