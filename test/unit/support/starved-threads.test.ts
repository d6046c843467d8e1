import assert from 'node:assert/strict';
import { test } from 'node:test';
import { starvedMs, type ThreadsLook } from '../../support/starved-threads.ts';

const look = (atMs: number, ...ran: [thread: string, ms: number][]): ThreadsLook => ({ atMs, ranMs: new Map(ran) });

test('a thread is starved for as long as it wanted a processor at both looks and did not run', () => {
  assert.equal(starvedMs(look(1000, ['7', 50]), look(1020, ['7', 50])), 20);
  assert.equal(starvedMs(look(1000, ['7', 50]), look(1020, ['7', 65])), 5);
  assert.equal(starvedMs(look(1000, ['7', 50], ['8', 1]), look(1020, ['7', 70], ['8', 4])), 17, 'of several the one that waited longest');
});

test('nothing is known of one that did not want a processor at both looks, nor while the process does not wait', () => {
  assert.equal(starvedMs(look(1000, ['7', 50]), look(1020, ['8', 0])), 0);
  assert.equal(starvedMs(look(1000), look(1020)), 0);
  assert.equal(starvedMs(undefined, look(1020, ['7', 50])), 0);
  assert.equal(starvedMs(look(1000, ['7', 50]), undefined), 0);
  assert.equal(starvedMs(look(1000, ['7', 50]), look(1020, ['7', 72])), 0, 'the clocks differ a little');
});
