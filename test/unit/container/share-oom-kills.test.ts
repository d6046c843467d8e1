import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../../src/container/container.ts';
import { loggedKillsOf, shareOomKills } from '../../../src/container/share-oom-kills.ts';
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

test("loggedKillsOf(): a container has the kills of its first process and of its cgroup; one that may be another's is not certain", () => {
  const container = { record: { id: 'a1' }, state: { process: { pid: 7 } } } as unknown as Container;
  const kills = loggedKillsOf(container, [
    { pid: 7 },
    { pid: 8, cgroup: '/pod/podwright-a1.scope' },
    { pid: 9, cgroup: '/pod/podwright-a1.scope', isCgroupLikely: true },
    { pid: 7, cgroup: '/pod/podwright-a1.scope', isCgroupLikely: true },
    { pid: 10, cgroup: '/pod/podwright-b2.scope' },
    { pid: 11 },
  ]);
  assert.deepStrictEqual(kills, { all: 4, certain: 3 });
  assert.deepStrictEqual(loggedKillsOf(container, []), { all: 0, certain: 0 });
  const chosen = ['/own/x', '/own/x/below', '/own/x2', '/pod/a1', undefined].map((cgroup, pid) => ({ pid: 20 + pid, cgroup }));
  assert.deepStrictEqual(loggedKillsOf(container, chosen, '/own/x'), { all: 2, certain: 2 });
});
