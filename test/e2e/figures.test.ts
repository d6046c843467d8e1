/**
 * The figures of SPECIFICATION.md, of the built daemon. Each is printed by every run; what holds on any machine (counts and
 * bytes) has its bound here, and standstills have theirs in test/support/standstills.ts.
 */
// alone: it measures time and memory.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { findProgram } from '../support/find-program.ts';
import { removePod, runContainer, runPod } from '../support/pods.ts';
import { standstillsIn } from '../support/standstills.ts';

const AT_ONCE = 10;
/** What a daemon that has been at rest for this long still holds is what it needs, milliseconds. */
const REST_MS = 5_000;
const ANSWER_POLL_MS = 10;
const MIB = 1024 * 1024;
const BOUNDS = {
  /** Resident, without a pod, and what each pod with a container adds. */
  restBytes: 130 * MIB,
  podBytes: 2 * MIB,
  /** Of a pod with a container, from its run to its removal: by the daemon, its runtimes, monitors and plugins, and by the daemon. */
  programs: 40,
  flushes: 20,
} as const;

/** The figures are those of a node: of dist/. */
const BUILT = { PODWRIGHT_FROM_SOURCE: '', PODWRIGHT_DIST: '' };
const strace = await findProgram('strace');

e2eTest(
  'figures: start and memory with 0, 50 and 100 pods, the longest standstill meanwhile',
  async (daemon, context) => {
    const tell = teller(context);
    tell('start without a pod', `${await timeOfStart(daemon)} ms to the first answer`);
    const rest = await memoryAtRest(daemon);
    tell('memory without a pod', inMib(rest));

    const logged = (await readFile(daemon.logFile, 'utf8')).length;
    const begun = performance.now();
    await runPods(daemon, 50);
    tell('50 pods with a container each, ten at a time', `${Math.round(performance.now() - begun)} ms`);
    const [longest] = standstillsIn((await readFile(daemon.logFile, 'utf8')).slice(logged)).toSorted((a, b) => b.ownMs - a.ownMs);
    tell('longest standstill of the event loop meanwhile', longest === undefined ? 'none over 50 ms' : `${longest.ownMs} ms of its own`);
    const full = await memoryAtRest(daemon);
    tell('memory with 50 pods', inMib(full));
    assert.ok(rest <= BOUNDS.restBytes, `${inMib(rest)} without a pod, must be at most ${inMib(BOUNDS.restBytes)}`);
    assert.ok(full - rest <= 50 * BOUNDS.podBytes, `50 pods take ${inMib(full - rest)}, must be at most ${inMib(50 * BOUNDS.podBytes)}`);

    await runPods(daemon, 50);
    tell('start with 100 pods', `${await timeOfStart(daemon)} ms to the first answer`);
  },
  { timeoutMs: 600_000, env: BUILT },
);

e2eTest(
  'figures: programs that are started for one pod with a container, and flushes to the disk',
  async (daemon, context) => {
    // The first pod makes the bridge.
    await removePod(daemon, (await runPod(daemon)).id);
    const { programs, flushes } = await lifeOfOnePod(daemon, strace ?? '');
    teller(context)('one pod with a container, from run to removal', `${programs} programs started, ${flushes} flushes to the disk`);
    assert.ok(programs > 0 && programs <= BOUNDS.programs, `${programs} programs, must be at most ${BOUNDS.programs}`);
    assert.ok(flushes > 0 && flushes <= BOUNDS.flushes, `${flushes} flushes, must be at most ${BOUNDS.flushes}`);
  },
  { env: BUILT, skip: strace === undefined && 'strace is not installed' },
);

function teller(context: TestContext): (what: string, figure: string) => void {
  return (what, figure) => {
    context.diagnostic(`figure: ${what}: ${figure}`);
  };
}

/** From the program's start to its first answer, milliseconds. */
async function timeOfStart(daemon: TestDaemon): Promise<number> {
  await daemon.stop();
  const begun = performance.now();
  await daemon.launch();
  for (;;) {
    const answer = await daemon.runtime.version({ version: '' }, { timeoutMs: 5_000 }).catch(() => undefined);
    if (answer !== undefined) return Math.round(performance.now() - begun);
    assert.ok(daemon.isRunning, await daemon.logTail());
    await sleep(ANSWER_POLL_MS);
  }
}

async function memoryAtRest(daemon: TestDaemon): Promise<number> {
  await sleep(REST_MS);
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

async function runPods(daemon: TestDaemon, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await runContainer(daemon, await runPod(daemon), ['sleep', '3600']);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** How many programs it starts, with those that these start, and how often the daemon waits for the disk. */
async function lifeOfOnePod(daemon: TestDaemon, program: string): Promise<{ programs: number; flushes: number }> {
  const file = join(daemon.directory, 'strace.txt');
  const calls = 'trace=execve,fsync,fdatasync,syncfs';
  const tracer = execa(program, ['-f', '-qq', '-e', calls, '-o', file, '-p', String(daemon.pid)], { reject: false });
  const threads = async (): Promise<string[]> => readdir(`/proc/${daemon.pid}/task`);
  const isTraced = async (): Promise<boolean> => {
    const all = await Promise.all((await threads()).map(async (id) => readFile(`/proc/${daemon.pid}/task/${id}/status`, 'utf8')));
    return all.every((status) => !/^TracerPid:\t0$/m.test(status));
  };
  for (let tries = 0; !(await isTraced()); tries += 1) {
    assert.ok(tries < 500, 'strace does not attach');
    await sleep(ANSWER_POLL_MS);
  }
  const own = new Set(await threads());
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['sleep', '3600']);
  await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
  await removePod(daemon, pod.id);
  for (const thread of await threads()) own.add(thread);
  tracer.kill('SIGINT');
  await tracer;
  const lines = (await readFile(file, 'utf8')).split('\n');
  return {
    programs: lines.filter((line) => /execve(\(| resumed>).*= 0$/.test(line)).length,
    flushes: lines.filter((line) => /^\d+ +(fsync|fdatasync|syncfs)\(/.test(line) && own.has(line.split(' ', 1)[0] ?? '')).length,
  };
}

function inMib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
