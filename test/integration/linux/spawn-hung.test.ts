// alone: three of libuv's four threads hang meanwhile.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { mayBeChildrenOf } from '../../../src/linux/children.ts';
import { statOfProcess } from '../../../src/linux/proc-stat.ts';
import { run, spawnBeside } from '../../../src/linux/spawn.ts';
import { HungMount, noFuse } from '../../support/hung-mount.ts';
import { until } from '../../support/pods.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const own = async (): Promise<number[]> => {
  const pids = await mayBeChildrenOf(process.pid);
  const stats = await Promise.all(pids.map(async (pid) => ({ pid, stat: await statOfProcess(pid) })));
  return stats.filter(({ stat }) => stat?.parentPid === process.pid).map(({ pid }) => pid);
};

test('children are found, whichever thread has started them', async () => {
  const before = new Set(await own());
  const children = await Promise.all(Array.from({ length: 8 }, async () => spawnBeside('sleep', { args: ['100'] })));
  const found = new Set(await own());
  for (const { pid } of children) process.kill(pid);
  assert.deepEqual(await Promise.all(children.map(async ({ exit }) => exit)), Array(8).fill({ signal: 15 }));
  assert.deepEqual([...found].filter((pid) => !before.has(pid)).sort(), children.map(({ pid }) => pid).sort());
});

test('programs whose file does not answer are given up in their time, as are those that wait behind them', { skip: noFuse }, async (t) => {
  const scratch = await scratchDirectory(t);
  const mount = new HungMount(join(scratch, 'hung'));
  t.after(async () => mount.release());
  await mount.start();
  const before = new Set(await own());
  const descriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
  const open = await descriptors();

  const timeoutMs = 500;
  const hung = Array.from({ length: 3 }, async () => run(join(scratch, 'hung/program'), { args: [], timeoutMs }));
  const behind = run('true', { args: [], timeoutMs });
  const patient = run('echo', { args: ['words'], timeoutMs: 60_000 });
  const begin = performance.now();
  const ends = await Promise.allSettled([...hung, behind]);
  assert.ok(performance.now() - begin < 5000);
  for (const end of ends) assert.match(String(end.status === 'rejected' && end.reason), /not finished after 0\.5 s/);

  await mount.kill();
  assert.equal((await patient).stdout.toString(), 'words\n');
  await until('nothing is left', async () => (await own()).every((pid) => before.has(pid)) && (await descriptors()) <= open, 10_000);
});
