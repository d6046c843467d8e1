/** The daemon answers while the kernel is slow: here the disk, which an unmount would wait for. */
// alone: it measures how long the event loop stands still.
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { e2eTest } from '../support/e2e-test.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { runContainer, runPod, shell, waitForExit } from '../support/pods.ts';
import { standstillsIn } from '../support/standstills.ts';

const CONTAINERS = 6;
const POLL_MS = 5;

/** Asks for the version again and again until aborted; the times that the answers took, milliseconds. */
async function answersOf(daemon: TestDaemon, signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  while (!signal.aborted) {
    const begin = performance.now();
    await daemon.runtime.version({ version: '' });
    times.push(performance.now() - begin);
    await sleep(POLL_MS);
  }
  return times;
}

e2eTest('containers end beside a program that fills the disk’s cache, and the daemon answers all the while', async (daemon, context) => {
  const pod = await runPod(daemon);
  const names = Array.from({ length: CONTAINERS }, (_, index) => `c${index}`);
  const ids = await Promise.all(
    names.map(async (name) =>
      runContainer(daemon, pod, shell('echo x >/written; trap "exit 0" TERM; while :; do sleep 0.1; done'), { name }),
    ),
  );
  const big = join(daemon.directory, 'big');
  const controller = new AbortController();
  const answers = answersOf(daemon, controller.signal);
  const ends: number[] = [];
  try {
    const writing = execa('dd', ['if=/dev/zero', `of=${big}`, 'bs=1M', 'count=1024']);
    for (const containerId of ids) {
      await sleep(150);
      const begin = performance.now();
      await daemon.runtime.stopContainer({ containerId, timeout: 10n });
      await waitForExit(daemon, containerId);
      ends.push(performance.now() - begin);
    }
    await writing;
  } finally {
    controller.abort();
    await rm(big, { force: true });
  }
  const times = (await answers).sort((one, other) => one - other);
  const longest = times.at(-1) ?? 0;
  context.diagnostic(
    `${times.length} answers: median ${times[times.length >> 1]?.toFixed(1)} ms, longest ${longest.toFixed(0)} ms; stops took ${ends.map((ms) => ms.toFixed(0)).join(' ')} ms`,
  );
  await sleep(100);
  const standstills = standstillsIn(await readFile(daemon.logFile, 'utf8')).map(({ line }) => line);
  assert.deepEqual(
    standstills.filter((line) => line.includes('umount2')),
    [],
  );
});
