import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { remove } from 'fs-extra/esm';
import { silentLog } from '../../../src/base/log.ts';
import type { Log } from '../../../src/base/log.ts';
import type { Container } from '../../../src/container/container.ts';
import { OomKills, type OomKillsParts } from '../../../src/container/oom-kills.ts';
import type { OomKill } from '../../../src/linux/kernel-log.ts';
import { bootId } from '../../../src/linux/process.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const PARENT = '/pod';
const PID = { first: 11, second: 22 } as const;

interface Pod {
  readonly containers: Container[];
  /** Kills by container, in cgroups that are gone. */
  readonly gone: Map<string, number>;
  /** What happens right after the pod's count was read for the nth time, counted from 1. */
  readonly afterCount: Map<number, () => void>;
  /** What the kernel's log has, each time that it is read. */
  readonly log?: () => readonly OomKill[];
  /** Those of which the cgroups' manager tells a kill. */
  readonly told?: ReadonlySet<string>;
}

async function running(id: keyof typeof PID): Promise<Container> {
  const record = { id, cgroupParent: PARENT, bootId: await bootId() };
  return { record, state: { is: 'Running', process: { pid: PID[id] } } } as unknown as Container;
}

function oomKills(pod: Pod, directory: string, log: Log = silentLog): OomKills {
  let counts = 0;
  const parts: OomKillsParts = {
    cgroups: {
      version: 'v2',
      memoryEvents: async () => Promise.resolve(undefined),
      figures: async () => Promise.resolve(undefined),
      oomKills: async (path) => Promise.resolve(pod.gone.has(path.slice(PARENT.length + 1)) ? undefined : 0),
      goneOomKills: async () => {
        const kills = [...pod.gone.values()].reduce((sum, each) => sum + each, 0);
        counts += 1;
        pod.afterCount.get(counts)?.();
        return Promise.resolve({ kills, cgroup: '1' });
      },
    },
    placement: {
      containerDirectory: (parent, id, chosen) => chosen ?? `${parent}/${id}`,
      parentDirectory: (parent) => parent,
      toldOutOfMemory: async () => Promise.resolve(pod.told),
    },
    oomLedgerFile: join(directory, 'oom.json'),
    bundleDirectory: join(directory, 'bundles'),
    recordDirectory: directory,
    store: { list: () => pod.containers, claims: () => true },
    log,
  };
  // Only the end of a container's first process is told there by a number that we know; the second one lost a child.
  return new OomKills(parts, { readKernelLog: pod.log ?? (() => [{ pid: PID.first }]) });
}

/** Two of a pod: the second is killed at the given moment of the first one's judgement. */
async function judged(moment: number): Promise<boolean[]> {
  const directory = await mkdtemp(join(tmpdir(), 'oom-kills-'));
  try {
    const [first, second] = [await running('first'), await running('second')];
    const pod: Pod = { containers: [first, second], gone: new Map([['first', 1]]), afterCount: new Map() };
    pod.afterCount.set(moment, () => pod.gone.set('second', 1));
    const kills = oomKills(pod, directory);
    return [await kills.wereIn(first, 137, false), await kills.wereIn(second, 3, false)];
  } finally {
    await remove(directory);
  }
}

for (const moment of [1, 2]) {
  test(`OomKills: a kill that comes right after count ${moment} of another container's is not taken for none`, async () => {
    assert.deepEqual(await judged(moment), [true, true]);
  });
}

/** Two of a pod that ended together after two kills; how often the log was read for the first one's judgement. */
async function readings(directory: string, log: readonly OomKill[], told?: ReadonlySet<string>): Promise<[number, boolean, boolean]> {
  const [first, second] = [await running('first'), await running('second')];
  let reads = 0;
  const counted = (): readonly OomKill[] => {
    reads += 1;
    return log;
  };
  const gone = new Map([['first', 1], ['second', 1]]); // prettier-ignore
  const kills = oomKills({ containers: [first, second], gone, afterCount: new Map(), log: counted, ...(told && { told }) }, directory);
  const ofFirst = await kills.wereIn(first, 137, false);
  return [reads, ofFirst, await kills.wereIn(second, 137, false)];
}

test('OomKills: the log is read once for all that ended together, and again only where it explains too few kills', async (t) => {
  assert.deepEqual(await readings(await scratchDirectory(t), [{ pid: PID.first }, { pid: PID.second }]), [1, true, true]);
  assert.deepEqual(await readings(await scratchDirectory(t), [{ pid: PID.first }]), [3, true, true]);
});

test('OomKills: where the cgroups have a manager that tells kills, one that it does not name had none', async (t) => {
  assert.deepEqual(await readings(await scratchDirectory(t), [{ pid: PID.first }], new Set(['first'])), [3, true, false]);
});

test('OomKills: of one that a plugin has put outside of the pod, its own count tells, or log and manager; the count of the pod is of the others', async (t) => {
  const directory = await scratchDirectory(t);
  const [first, second] = [await running('first'), await running('second')];
  const moved = (chosenCgroup: string): Container => ({ ...second, state: { ...second.state, chosenCgroup } });
  // Its own cgroup counts none and is there: /own/x is not in the pod.
  const gone = new Map([['first', 1]]);
  const all = oomKills({ containers: [first, moved('/own/x')], gone, afterCount: new Map(), log: () => [] }, directory);
  assert.equal(await all.wereIn(moved('/own/x'), 137, false), false);
  assert.equal(await all.wereIn(first, 137, false), true);
  // Gone as the pod's is: the path ends in the name that is looked up there.
  const path = '/elf/second';
  for (const [log, told, expected] of [
    [[], undefined, false],
    [[{ pid: 99, cgroup: `${path}/below` }], undefined, true],
    [[], new Set(['second']), true],
  ] as const) {
    const pod: Pod = { containers: [first], gone: new Map([['second', 1]]), afterCount: new Map(), log: () => log };
    const kills = oomKills({ ...pod, ...(told && { told }) }, directory);
    assert.equal(await kills.wereIn(moved(path), 1, false), expected);
  }
});

test('OomKills: of a ledger that is wrong the field is told, and kills are counted anew', async (t) => {
  const directory = await scratchDirectory(t);
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_message, fields) => warnings.push(String(fields?.error)) };
  for (const [ledger, words] of [
    [{ [PARENT]: { cgroup: '1', settled: 1, told: { first: 'all' } } }, '["/pod"].told.first: must be a number, is "all"'],
    [{ [PARENT]: { cgroup: '1', settled: 1 } }, '["/pod"].told: must be an object, is missing'],
    [[1], 'must be an object, is a list'],
  ] as const) {
    await writeFile(join(directory, 'oom.json'), JSON.stringify(ledger));
    const first = await running('first');
    const kills = oomKills({ containers: [first], gone: new Map([['first', 1]]), afterCount: new Map() }, directory, log);
    assert.equal(await kills.wereIn(first, 137, false), true);
    assert.equal(warnings.pop(), words);
  }
});
