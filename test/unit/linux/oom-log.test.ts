import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOomLog, readOomLog } from '../../../src/linux/oom-log.ts';

/** As Linux 6.18 wrote them, without the lines of the stack and of the counters. */
const CONTAINER = `<4>[ 2550.702963]  </TASK>
<6>[ 2550.702964] memory: usage 20480kB, limit 20480kB, failcnt 62
<6>[ 2550.702979] memory+swap: usage 20480kB, limit 9007199254740988kB, failcnt 0
<6>[ 2550.702981] kmem: usage 120kB, limit 9007199254740988kB, failcnt 0
<6>[ 2550.702983] Memory cgroup stats for /pods/pod1/c1:
<6>[ 2550.703011] cache 0
<6>[ 2550.703138] [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
<6>[ 2550.703141] [  20511]     0 20511    17128     5533     5088      445         0    94208        0             0 dd
<6>[ 2550.703144] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/pods/pod1/c1,task_memcg=/pods/pod1/c1,task=dd,pid=20511,uid=0
<3>[ 2550.703161] Memory cgroup out of memory: Killed process 20511 (dd) total-vm:68512kB, anon-rss:20352kB, file-rss:1780kB, shmem-rss:0kB, UID:0 pgtables:92kB oom_score_adj:0
`;
const POD = CONTAINER.replaceAll('20511', '20600')
  .replace('oom_memcg=/pods/pod1/c1', 'oom_memcg=/pods/pod1')
  .replace('limit 20480kB', 'limit 30720kB');
const NODE = `<6>[ 3000.1] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=kubepods.slice,mems_allowed=0-1,global_oom,task_memcg=/pods/pod2/c2,task=java,pid=7,uid=1000
<3>[ 3000.2] Out of memory: Killed process 7 (java) total-vm:1kB, anon-rss:1024kB, file-rss:0kB, shmem-rss:1024kB, UID:1000 pgtables:1kB oom_score_adj:900
`;
const killed = (pid: number): string =>
  `<3>[ 3100.1] Memory cgroup out of memory: Killed process ${pid} (sh) total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB, UID:0\n`;

test('a kill is told with whose limit was met, how much of it was in use, and what the process had', () => {
  const kiB = 1024;
  const residentBytes = (20_352 + 1_780) * kiB;
  assert.deepEqual(parseOomLog(CONTAINER + POD + NODE), [
    {
      pid: 20_511,
      name: 'dd',
      residentBytes,
      cgroup: '/pods/pod1/c1',
      shortage: { cgroup: '/pods/pod1/c1', usageBytes: 20_480 * kiB, limitBytes: 20_480 * kiB },
    },
    {
      pid: 20_600,
      name: 'dd',
      residentBytes,
      cgroup: '/pods/pod1/c1',
      shortage: { cgroup: '/pods/pod1', usageBytes: 20_480 * kiB, limitBytes: 30_720 * kiB },
    },
    {
      pid: 7,
      name: 'java',
      residentBytes: 2_048 * kiB,
      cgroup: '/pods/pod2/c2',
      shortage: { cgroup: undefined, usageBytes: undefined, limitBytes: undefined },
    },
  ]);
});

test('where the kernel holds its reasons back, only the process is told; of a cgroup that is killed as a whole, the first one tells them', () => {
  assert.deepEqual(parseOomLog(killed(5)), [{ pid: 5, name: 'sh', residentBytes: 2_048, cgroup: undefined, shortage: undefined }]);
  const whole = '<6>[ 2550.8] Tasks in /pods/pod1/c1 are going to be killed due to memory.oom.group set\n';
  const kills = parseOomLog(CONTAINER + whole + killed(6) + killed(8));
  assert.deepEqual(kills.map(({ pid, cgroup, shortage }) => [pid, cgroup, shortage?.cgroup]), [
    [20_511, '/pods/pod1/c1', '/pods/pod1/c1'],
    [6, '/pods/pod1/c1', '/pods/pod1/c1'],
    [8, '/pods/pod1/c1', '/pods/pod1/c1'],
  ]); // prettier-ignore
});

test('a whole cgroup that is killed while reasons are held back has not the reason of an earlier one', () => {
  const tasksIn = (cgroup: string): string => `<6>[ 2550.8] Tasks in ${cgroup} are going to be killed due to memory.oom.group set\n`;
  const kills = parseOomLog(CONTAINER + tasksIn('/pods/pod1/c1') + killed(6) + killed(9) + tasksIn('/pods/pod2/c2') + killed(10));
  assert.deepEqual(kills.slice(2).map(({ pid, cgroup, shortage }) => [pid, cgroup, shortage]), [
    [9, '/pods/pod2/c2', undefined],
    [10, '/pods/pod2/c2', undefined],
  ]); // prettier-ignore
});

test('what a process has written to the log, or is called, is not believed', () => {
  assert.deepEqual(parseOomLog(CONTAINER.replaceAll(/^<\d>/gm, '<12>')), []);
  const named = CONTAINER.replace('task=dd', 'task=,task_memcg=/x').replace('(dd)', '(a) total-vm:1k)');
  assert.deepEqual(parseOomLog(named).map(({ name, cgroup }) => [name, cgroup]), [['a) total-vm:1k', '/pods/pod1/c1']]); // prettier-ignore
});

test('the log of this kernel is read, or nothing of it', () => {
  assert.ok(readOomLog().every(({ pid, residentBytes }) => pid > 0 && residentBytes >= 0));
});
