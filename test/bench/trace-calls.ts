/** Programs that are started and flushes to the disk, counted by strace(1): while it looks, all is slow, so nothing else is measured. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

export interface CallCounts {
  readonly programs: number;
  readonly flushes: number;
}

const POLL_MS = 10;
const ATTACH_TRIES = 1000;
const FLUSHES = 'fsync,fdatasync,syncfs,sync,msync';

/** What these processes, and all that they start, do meanwhile. */
export async function countCalls(pids: readonly number[], work: () => Promise<void>): Promise<CallCounts> {
  const file = join(tmpdir(), `bench-strace-${randomBytes(4).toString('hex')}`);
  const targets = pids.flatMap((pid) => ['-p', String(pid)]);
  const tracer = execa('strace', ['-f', '-qq', '-e', `trace=execve,execveat,${FLUSHES}`, '-o', file, ...targets], { reject: false });
  try {
    for (let tries = 0; !(await areTraced(pids)); tries += 1) {
      assert.ok(tries < ATTACH_TRIES, 'strace does not attach');
      await sleep(POLL_MS);
    }
    await work();
    tracer.kill('SIGINT');
    await tracer;
    const lines = (await readFile(file, 'utf8')).split('\n');
    const flush = new RegExp(`^\\d+ +(${FLUSHES.replaceAll(',', '|')})\\(`);
    return {
      programs: lines.filter((line) => /exec(ve|veat)(\(| resumed>).*= 0$/.test(line)).length,
      flushes: lines.filter((line) => flush.test(line)).length,
    };
  } finally {
    tracer.kill('SIGKILL');
    await rm(file, { force: true });
  }
}

async function areTraced(pids: readonly number[]): Promise<boolean> {
  const threads = await Promise.all(pids.map(async (pid) => (await readdir(`/proc/${pid}/task`)).map((id) => `/proc/${pid}/task/${id}`)));
  const states = await Promise.all(threads.flat().map(async (path) => readFile(join(path, 'status'), 'utf8').catch(() => '')));
  return states.every((status) => !/^TracerPid:\t0$/m.test(status));
}
