import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { reasonOf, settledWithin } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import { exitOf, findProcessesByEnvironment, SIGKILL, signalProcess } from '../linux/process.ts';
import { timeProgram } from '../linux/slow-programs.ts';
import { killGroup, spawn } from '../linux/spawn.ts';
import { describeExit, type OciRuntime } from './oci-runtime.ts';
import { runtimeWords } from './runtime-words.ts';

export interface RuntimeCheckpointRequest {
  readonly containerId: string;
  /** An empty directory for CRIU's images. */
  readonly images: string;
  /** A directory for its log and its statistics. */
  readonly work: string;
  /** As Criu.environment() gives it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** The variable in the environment of all that writes a checkpoint: a later daemon finds it by that. */
export const CHECKPOINT_VARIABLE = 'PODWRIGHT_CHECKPOINT';

/** CRIU's log, in the work directory. */
export const DUMP_LOG = 'dump.log';

/**
 * CRIU works inside of the container's processes: it gives them up unharmed when it sees that its runtime has gone, and not when
 * it is killed itself. How long it may take for that, milliseconds.
 */
const GIVE_UP_MS = 5_000;
/** How long the last words of a runtime that has ended are read, milliseconds. */
const WORDS_MS = 500;
const WORDS_BYTES = 64 * 1024;
/** crun loads the library when it needs it, and says in its features that it has checkpoints in any case (libcrun/criu.c). */
const NO_LIBRARY = /could not load `libcriu/;

/**
 * Has the runtime write the state of a container's processes; they go on afterwards, or stay frozen where they were.
 * @throws FailedPrecondition where the runtime lacks CRIU's library, Internal with the runtime's and CRIU's words, the signal's reason.
 */
export async function dumpContainer(runtime: OciRuntime, request: RuntimeCheckpointRequest): Promise<void> {
  const { containerId, signal } = request;
  if (signal.aborted) throw reasonOf(signal);
  const args = ['checkpoint', '--leave-running', '--file-locks', '--image-path', request.images, '--work-path', request.work, containerId];
  const child = spawn(runtime.path, {
    args: [...runtime.globalArgs, ...args],
    env: { ...request.environment, [CHECKPOINT_VARIABLE]: containerId },
    stdio: ['ignore', 'ignore', 'pipe'],
    newSession: true,
  });
  const stopTiming = timeProgram(child.pid, basename(runtime.path), () => `${runtime.name} checkpoint ${containerId}`);
  const said: Buffer[] = [];
  const stderr = child.pipes[2];
  const read = new Promise<void>((resolve) => {
    stderr?.on('data', (piece: Buffer) => {
      if (said.reduce((total, { length }) => total + length, 0) < WORDS_BYTES) said.push(piece);
    });
    stderr?.on('close', resolve);
  });
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => {
    resolve(undefined);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const exit = await Promise.race([child.exit, aborted]);
    if (exit === undefined) {
      await giveUp(child.pid, containerId);
      throw reasonOf(signal);
    }
    if (exit.code === 0) return;
    await settledWithin(read, WORDS_MS);
    const words = [runtimeWords(Buffer.concat(said)), ...(await errorsOf(join(request.work, DUMP_LOG)))].join('; ');
    if (NO_LIBRARY.test(words)) throw new DaemonError('FailedPrecondition', `${runtime.path} cannot load CRIU's library: ${words}`);
    throw new DaemonError('Internal', `${runtime.name} checkpoint ${containerId}: ${describeExit(exit)}: ${words}`);
  } finally {
    stopTiming();
    signal.removeEventListener('abort', stop);
    stderr?.destroy();
  }
}

/** Ends the runtime, and CRIU only where it does not end by itself. */
async function giveUp(pid: number, containerId: string): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await endDump(containerId, GIVE_UP_MS);
  // It is not reaped before its end was seen, and the group is gone with its last member.
  killGroup(pid);
}

/**
 * Waits until nothing writes a checkpoint of this container any more, and kills what still does after a while. Whoever started it
 * may have been an earlier daemon.
 */
export async function endDump(containerId: string, patienceMs: number): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const found = await findProcessesByEnvironment(CHECKPOINT_VARIABLE, containerId);
    if (found.length === 0) return;
    await Promise.all(
      found.map(async (process) => {
        if (await ends(process, patienceMs)) return;
        await signalProcess(process, SIGKILL);
        await ends(process, patienceMs);
      }),
    );
  }
}

async function ends(process: Parameters<typeof exitOf>[0], withinMs: number): Promise<boolean> {
  return exitOf(process, AbortSignal.timeout(withinMs)).then(
    () => true,
    () => false,
  );
}

/** The last errors in CRIU's log, but for the one that only says that it has failed. */
export async function errorsOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const errors = text.split('\n').flatMap((line) => /Error \(\S+\): (.*)/.exec(line)?.[1] ?? []);
  return errors.filter((words) => !/^(Dumping|Restoring) FAILED/.test(words) && !words.startsWith('rlimit: ')).slice(-3);
}
