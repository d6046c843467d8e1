import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../../../src/base/log.ts';
import { CgroupsV1 } from '../../../../src/linux/cgroups/cgroups-v1.ts';
import { CgroupsV2 } from '../../../../src/linux/cgroups/cgroups-v2.ts';
import { scratchDirectory } from '../../../support/scratch.ts';

/** As Linux 6.12 wrote them for a pod of which a container met its own limit. */
const EVENTS = 'low 0\nhigh 0\nmax 61\noom 2\noom_kill 1\noom_group_kill 1\nsock_throttled 0\n';
const LOCAL = 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\nsock_throttled 0\n';

test('version 2 tells events of the cgroup itself apart from those below it', async (t) => {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'pod'));
  const cgroups = new CgroupsV2({ directory, unified: true, controllers: [] }, { countsBelow: true });
  assert.equal(await cgroups.memoryEvents('/pod'), undefined);
  await writeFile(join(directory, 'pod/memory.events'), EVENTS);
  assert.deepEqual((await cgroups.memoryEvents('/pod'))?.own, {});
  await writeFile(join(directory, 'pod/memory.events.local'), LOCAL);
  const { own, withBelow } = (await cgroups.memoryEvents('/pod')) ?? assert.fail();
  assert.deepEqual([own['oom'], own['max'], withBelow['oom'], withBelow['oom_group_kill']], [0n, 0n, 2n, 1n]);
});

test('version 1 tells failed charges and kills, of memory and of memory with swap', async (t) => {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'c1'));
  const tree = { directory, unified: false, controllers: ['memory'] };
  const cgroups = new CgroupsV1([tree], tree, silentLog);
  assert.equal(await cgroups.memoryEvents('/c1'), undefined);
  await writeFile(join(directory, 'c1/memory.failcnt'), '62\n');
  await writeFile(join(directory, 'c1/memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n');
  const kills = { oom_kill_disable: 0n, under_oom: 0n, oom_kill: 2n };
  assert.deepEqual(await cgroups.memoryEvents('/c1'), { own: { failcnt: 62n, ...kills }, withBelow: {} });
  await writeFile(join(directory, 'c1/memory.memsw.failcnt'), '3\n');
  assert.deepEqual((await cgroups.memoryEvents('/c1'))?.own, { failcnt: 62n, 'memsw.failcnt': 3n, ...kills });
});
