import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeOom, killOf, levelFigures, type LevelFigures } from '../../../src/container/oom-report.ts';
import type { LoggedOomKill } from '../../../src/linux/oom-log.ts';

const MIB = 1024 * 1024;
const PLACES = { containerCgroup: '/pods/pod1/c1', podCgroup: '/pods/pod1' };
const kill = (cgroup: string | undefined, limitBytes?: number, usageBytes = limitBytes): LoggedOomKill => ({
  pid: 7,
  name: 'dd',
  residentBytes: 21.6 * MIB,
  cgroup: '/pods/pod1/c1',
  shortage: { cgroup, limitBytes, usageBytes },
});
const figures = (hits: number, peakBytes: number, limitBytes = 0): LevelFigures => ({ wasMet: hits > 0, peakBytes, limitBytes });
const NONE = { ofContainer: undefined, ofPod: undefined };

test('the kernel names the cgroup whose limit was met', () => {
  const told = (shortage: LoggedOomKill, known = NONE as Parameters<typeof describeOom>[1]): string[] => {
    const { level, message } = describeOom(shortage, known, PLACES);
    return [level, message];
  };
  const victim = '; killed process 7 (dd), which had 21.6 MiB';
  assert.deepEqual(told(kill('/pods/pod1/c1', 20 * MIB)), [
    'container',
    `out of memory at the container's limit of 20 MiB (20 MiB in use)${victim}`,
  ]);
  assert.deepEqual(told(kill('/pods/pod1/c1/inner', 8 * MIB))[0], 'container');
  assert.deepEqual(told(kill('/pods/pod1', 1.5 * 1024 * MIB), { ofContainer: figures(0, 21 * MIB), ofPod: undefined }), [
    'pod',
    `out of memory at the pod's limit of 1.5 GiB (1.5 GiB in use, this container at most 21 MiB)${victim}`,
  ]);
  assert.deepEqual(told(kill('/pods', 512 * 1024)), [
    'node',
    `out of memory at the limit of 512 KiB of the cgroup /pods (512 KiB in use)${victim}`,
  ]);
  assert.deepEqual(told(kill(undefined)), ['node', `out of memory on the node${victim}`]);
});

test('without the log, the counters tell whose limit was met', () => {
  const told = (ofContainer?: LevelFigures, ofPod?: LevelFigures): string[] => {
    const { level, message } = describeOom(undefined, { ofContainer, ofPod }, PLACES);
    return [level, message];
  };
  assert.deepEqual(told(figures(3, 20 * MIB, 20 * MIB), figures(0, 40 * MIB)), [
    'container',
    "out of memory at the container's limit of 20 MiB (at most 20 MiB in use)",
  ]);
  assert.deepEqual(told(figures(0, 10 * MIB), figures(1, 30 * MIB, 30 * MIB)), [
    'pod',
    "out of memory at the pod's limit of 30 MiB (at most 30 MiB in use, this container at most 10 MiB)",
  ]);
  assert.deepEqual(told(figures(0, 10 * MIB), figures(0, 30 * MIB)), ['node', 'out of memory on the node (this container at most 10 MiB)']);
  assert.deepEqual(told({ limitBytes: 20 * MIB, peakBytes: undefined, wasMet: undefined }, figures(0, 40 * MIB)), [
    'container',
    "out of memory at the container's limit of 20 MiB",
  ]);
  assert.deepEqual(told(), ['unknown', 'out of memory']);
});

test('a kill is found by the first process, or by the cgroup, and the last one that tells most counts', () => {
  const other = { ...kill('/pods/pod2', 1), pid: 9, cgroup: '/pods/pod2/c2' };
  const held = { ...kill(undefined), shortage: undefined };
  const [first, child] = [kill('/pods/pod1', 2), { ...kill('/pods/pod1/c1', 3), pid: 8 }];
  assert.equal(killOf([first, other, held], 7, PLACES), first);
  assert.equal(killOf([first, child, other], 7, PLACES), child);
  assert.equal(killOf([held], 7, PLACES), held);
  assert.equal(killOf([other], 7, PLACES), undefined);
  // Where reasons are held back, a line has that of a cgroup that was killed as a whole before.
  const { pid, name, residentBytes } = first;
  const others = { ...kill('/pods/pod2/c2', 16 * MIB), cgroup: '/pods/pod2/c2' };
  assert.deepEqual(killOf([others], 7, PLACES), { pid, name, residentBytes, cgroup: undefined, shortage: undefined });
  // A unified hierarchy may be seen from below its root.
  assert.equal(killOf([{ ...child, cgroup: '/outer/pods/pod1/c1' }], 7, PLACES)?.pid, 8);
});

test('a limit was met by what each version counts; version 1 does not count all', async () => {
  const wasMet = async (version: 'v1' | 'v2', own: Record<string, bigint>, peakBytes: bigint): Promise<boolean | undefined> => {
    const counters = { limits: { memoryBytes: 20n }, memory: { peakBytes } };
    const cgroups = {
      version,
      memoryEvents: async () => Promise.resolve({ own, withBelow: {} }),
      figures: async () => Promise.resolve({ counters }),
    };
    return (await levelFigures(cgroups as unknown as Parameters<typeof levelFigures>[0], '/pod/c1'))?.wasMet;
  };
  assert.equal(await wasMet('v2', { max: 100n, oom: 0n }, 20n), false);
  assert.equal(await wasMet('v2', { max: 100n, oom: 1n }, 20n), true);
  assert.equal(await wasMet('v2', {}, 20n), undefined);
  assert.equal(await wasMet('v1', { failcnt: 0n, 'memsw.failcnt': 0n }, 19n), false);
  assert.equal(await wasMet('v1', { failcnt: 0n, 'memsw.failcnt': 0n }, 20n), true);
  assert.equal(await wasMet('v1', { failcnt: 0n, 'memsw.failcnt': 3n }, 19n), true);
});
