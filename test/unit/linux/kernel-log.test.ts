import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOomKills, readOomKills } from '../../../src/linux/kernel-log.ts';

const CHOSEN =
  'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a.scope,mems_allowed=0,oom_memcg=/pods.slice,task_memcg=/pods.slice/a.scope';
const sizes = 'total-vm:23240kB, anon-rss:20352kB, file-rss:1660kB, shmem-rss:0kB, UID:0 pgtables:84kB oom_score_adj:999';
const killed = (pid: number, name = 'tail'): string =>
  `<3>[  123.108279] Memory cgroup out of memory: Killed process ${pid} (${name}) ${sizes}`;

test('parseOomKills() gives every kill, with its cgroup where the kernel tells it', () => {
  const log = [
    '<6>[    0.000000] Linux version 6.12',
    `<6>[  123.108183] ${CHOSEN},task=tail,pid=446,uid=0`,
    killed(446),
    '<6>[  123.2] eth0: link up',
    killed(447),
    '<3>[  124.000000] Out of memory: Killed process 448 (java) total-vm:1kB, anon-rss:1kB',
    '<3>[  125.000000][ T449] Out of memory (oom_kill_allocating_task): Killed process 449 (java) total-vm:1kB, anon-rss:1kB',
  ];
  assert.deepStrictEqual(parseOomKills(log.join('\n')), [
    { pid: 446, cgroup: '/pods.slice/a.scope' },
    { pid: 447, cgroup: undefined },
    { pid: 448, cgroup: undefined },
    { pid: 449, cgroup: undefined },
  ]);
});

test('parseOomKills() gives all kills of a cgroup that is killed as a whole its name, the first too', () => {
  const tasks = (path: string): string => `<6>[  123.2] Tasks in ${path} are going to be killed due to memory.oom.group set`;
  const log = [killed(1), tasks('/pods.slice/a.scope'), killed(2), killed(1), killed(4), tasks('/pods.slice/b.scope'), killed(5)];
  const [a, b] = ['/pods.slice/a.scope', '/pods.slice/b.scope'];
  assert.deepStrictEqual(parseOomKills(log.join('\n')), [
    { pid: 1, cgroup: a },
    { pid: 2, cgroup: a, isCgroupLikely: true },
    { pid: 1, cgroup: a },
    { pid: 4, cgroup: b },
    { pid: 5, cgroup: b, isCgroupLikely: true },
  ]);
});

test('parseOomKills() believes no process: neither what one writes to the log nor its name', () => {
  const forged = '<12>[  123.1] Memory cgroup out of memory: Killed process 7 (tail) total-vm:1kB';
  const named = `<6>[  123.108183] ${CHOSEN},task=,task_memcg=/b,pid=446,uid=0`;
  assert.deepStrictEqual(
    parseOomKills([forged, '<3>[ 1.0] x: Out of memory: Killed process 8 (tail)', named, killed(446, ') Killed process ')].join('\n')),
    [{ pid: 446, cgroup: '/pods.slice/a.scope' }],
  );
});

test('readOomKills() reads the log of this kernel, or finds that it may not', () => {
  const kills = readOomKills();
  assert.ok(kills === undefined || kills.every(({ pid }) => pid > 0));
});
