/** Processes that count, for tests of checkpoints: where one goes on is seen in its output. */
import assert from 'node:assert/strict';
import type { TestDaemon } from './daemon.ts';
import { outputOf, until } from './pods.ts';

/** Counts in its memory alone, ten times a second, and tells the number. */
export const COUNT = 'i=0; while :; do i=$((i+1)); echo count $i; sleep 0.1; done';

/** The numbers that it has told. */
export async function counts(daemon: TestDaemon, containerId: string): Promise<number[]> {
  const lines = await outputOf(daemon, containerId);
  return lines.flatMap((line) => (line.startsWith('count ') ? [Number(line.slice(6))] : []));
}

/** Fails where the container does not count on from `last`, or from where it is, one by one. */
export async function countsOn(daemon: TestDaemon, containerId: string, last?: number): Promise<void> {
  const before = last ?? (await counts(daemon, containerId)).length;
  await until('the container counts on', async () => (await counts(daemon, containerId)).length > before + 3);
  const after = await counts(daemon, containerId);
  assert.deepEqual(
    after,
    after.map((_, index) => index + 1),
  );
}
