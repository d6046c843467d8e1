import { noteSpawning, watchSpawned } from './children.ts';
import { countThread } from './kernel-threads.ts';
import { lib } from './libc.ts';
import { POSIX_SPAWN, PreparedCall, type PosixSpawnArguments } from './spawn-posix.ts';
import { PreparedStdio } from './spawn-stdio.ts';
import { waitOrDiscard } from '../base/deadline.ts';
import { Slots, type Release } from '../base/slots.ts';
import type { Child, SpawnOptions } from './spawn-stdio.ts';

/** koffi keeps its copies of the strings until the call has returned; the buffers are kept by who calls. */
const posixSpawnBeside = lib.func(POSIX_SPAWN) as unknown as {
  async(...args: [...PosixSpawnArguments, done: (error: Error | null, errno: number) => void]): void;
};

/** Of libuv's four threads: one stays for file work, also where programs lie on a file system that hangs. koffi has 256 calls at most. */
const MOST_BESIDE = 3;
const besides = new Slots(() => MOST_BESIDE);
const NEVER = new AbortController().signal;

/**
 * As spawnPosix, with the wait for the child's execve on a thread of libuv's: where many programs run, the child waits for a
 * processor for milliseconds, and the event loop would with it. What is wrong with the options is thrown before.
 * @param signal until when it may start. A child that is there only after it is killed, with its group where it leads one.
 * @throws the signal's reason.
 */
export async function spawnPosixBeside(path: string, options: SpawnOptions, signal: AbortSignal = NEVER): Promise<Child> {
  return waitOrDiscard(start(path, options, signal), signal, ({ pid, pipes }) => {
    for (const ours of pipes) ours?.destroy();
    process.kill(options.newSession === true ? -pid : pid, 'SIGKILL');
  });
}

async function start(path: string, options: SpawnOptions, signal: AbortSignal): Promise<Child> {
  const stdio = new PreparedStdio(options.stdio ?? []);
  let child: Pick<Child, 'pid' | 'exit'>;
  try {
    child = await startBeside(path, options, stdio.childFds, signal);
  } catch (error) {
    stdio.closeOurs();
    throw error;
  } finally {
    stdio.closeChilds();
  }
  return { ...child, pipes: stdio.open() };
}

async function startBeside(
  path: string,
  options: SpawnOptions,
  childFds: readonly (number | undefined)[],
  signal: AbortSignal,
): Promise<Pick<Child, 'pid' | 'exit'>> {
  const release = await besides.acquire(signal);
  const call = prepared(path, options, childFds, release);
  const { promise, resolve, reject } = Promise.withResolvers<Pick<Child, 'pid' | 'exit'>>();
  const isWatched = noteSpawning();
  const done = (failure: Error | null, errno: number): void => {
    try {
      if (failure !== null) throw failure;
      const pid = call.pidAfter(errno);
      // In the same turn: no sweep may find it without anybody who waits for it.
      resolve({ pid, exit: watchSpawned(pid) });
    } catch (error) {
      reject(error);
    } finally {
      isWatched();
      release();
      call.destroy();
    }
  };
  // A program on a file system that hangs must not keep us from ending.
  countThread(promise);
  try {
    posixSpawnBeside.async(...call.arguments, done);
  } catch (error) {
    done(error as Error, 0);
  }
  return promise;
}

function prepared(path: string, options: SpawnOptions, childFds: readonly (number | undefined)[], release: Release): PreparedCall {
  try {
    return new PreparedCall(path, options, childFds);
  } catch (error) {
    release();
    throw error;
  }
}
