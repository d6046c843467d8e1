import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shareOomKills } from '../../../src/container/share-oom-kills.ts';
import type { OomSuspect } from '../../../src/container/share-oom-kills.ts';

const suspect = (id: string, logged: number, seenByMonitor = false): OomSuspect => ({ id, logged, seenByMonitor });

const CASES: readonly { readonly what: string; readonly kills: number; readonly suspects: readonly OomSuspect[]; readonly shares: Record<string, number>; readonly allAreNamed?: boolean }[] = [
  { what: 'one alone has all, named or not', kills: 3, suspects: [suspect('a', 0)], shares: { a: 3 } },
  { what: 'the log names one of two', kills: 1, suspects: [suspect('a', 0), suspect('b', 1)], shares: { a: 0, b: 1 } },
  { what: 'the monitor names one of two', kills: 1, suspects: [suspect('a', 0), suspect('b', 0, true)], shares: { a: 0, b: 1 } },
  { what: 'the log has fewer than were counted', kills: 2, suspects: [suspect('a', 0), suspect('b', 1)], shares: { a: 1, b: 1 } },
  { what: 'nobody names anyone', kills: 1, suspects: [suspect('a', 0), suspect('b', 0)], shares: { a: 1, b: 1 } },
  { what: 'what a monitor saw may be any number', kills: 3, suspects: [suspect('a', 0), suspect('b', 0, true), suspect('c', 1)], shares: { a: 0, b: 1, c: 1 } },
  { what: 'where all are named, one that is not had none', kills: 3, suspects: [suspect('a', 0), suspect('b', 2)], allAreNamed: true, shares: { a: 0, b: 2 } },
]; // prettier-ignore

for (const { what, kills, suspects, shares, allAreNamed = false } of CASES) {
  test(`shareOomKills(): ${what}`, () => {
    assert.deepStrictEqual(Object.fromEntries(shareOomKills(kills, suspects, { allAreNamed })), shares);
  });
}
