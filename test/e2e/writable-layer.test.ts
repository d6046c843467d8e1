/** What a container has written, wherever in its file system. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { runContainer, runPod, shell, waitForOutput } from '../support/pods.ts';
import { run } from '../../src/linux/spawn.ts';

const test = sharedDaemon();

async function writtenBytes(daemon: TestDaemon, containerId: string): Promise<{ bytes: number; inodes: number }> {
  const { stats } = await daemon.runtime.containerStats({ containerId });
  return { bytes: Number(stats?.writableLayer?.usedBytes?.value), inodes: Number(stats?.writableLayer?.inodesUsed?.value) };
}

async function du(daemon: TestDaemon, containerId: string, flag: string): Promise<number> {
  const { stdout } = await run('du', {
    args: ['-s', flag, join(daemon.root, 'storage', 'rootfs', containerId, 'diff')],
    timeoutMs: 60_000,
  });
  return Number.parseInt(stdout.toString());
}

test('what a container writes in a tree 300 levels deep is counted', async (daemon) => {
  const script = 'cd /; for i in $(seq 1 300); do mkdir d; cd d; done; head -c 80000000 /dev/zero >big; echo ready; sleep 3600';
  const id = await runContainer(daemon, await runPod(daemon), shell(script));
  await waitForOutput(daemon, id, 'ready', 60_000);
  const { bytes, inodes } = await writtenBytes(daemon, id);
  assert.ok(bytes > 80_000_000, `${bytes} bytes`);
  assert.deepEqual([bytes, inodes], [await du(daemon, id, '--block-size=1'), await du(daemon, id, '--inodes')]);
});

test('20,000 files are counted while other calls are answered', async (daemon) => {
  const script = 'for d in $(seq 1 20); do mkdir /many$d; cd /many$d; seq 1 1000 | xargs touch; done; echo ready; sleep 3600';
  const id = await runContainer(daemon, await runPod(daemon), shell(script));
  await waitForOutput(daemon, id, 'ready', 120_000);
  const startedMs = performance.now();
  const ended = new AbortController();
  const counted = writtenBytes(daemon, id).finally(() => {
    ended.abort();
  });
  let longestMs = 0;
  while (!ended.signal.aborted) {
    const askedMs = performance.now();
    await daemon.runtime.version({ version: '' });
    longestMs = Math.max(longestMs, performance.now() - askedMs);
  }
  const { inodes } = await counted;
  process.stdout.write(
    `# counted in ${Math.round(performance.now() - startedMs)} ms, other calls took ${Math.round(longestMs)} ms at most\n`,
  );
  assert.equal(inodes, await du(daemon, id, '--inodes'));
  assert.ok(longestMs < 1_000, `another call took ${longestMs} ms`);
});
