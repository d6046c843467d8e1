import { Worker } from 'node:worker_threads';
import { DaemonError } from '../base/errors.ts';
import { trimHeap } from './heap.ts';
import { bind } from './libc.ts';
import type { JobAnswer, JobKind, JobRequest, Jobs } from './kernel-jobs.ts';

// In production this file is part of the bundle, and the worker a bundle of its own beside it.
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './kernel-worker.ts' : './kernel-worker.js', import.meta.url);
/** Threads at most, those included that hang in the kernel; a thread takes about 11 MB. */
const MOST_THREADS = 6;
/** How long a job waits for a thread that is at work before it gets one of its own, milliseconds; a thread takes 50 to start. */
const PATIENCE_MS = 30;
/** How long a thread without work is kept, milliseconds: while pods come and go the calls need none to be started. */
const IDLE_MS = 60_000;
/** And one beside another that has no work either, milliseconds. */
const SPARE_IDLE_MS = 2_000;
/** Room for short-lived objects; a thread that only makes calls would grow to 16 MB of them, megabytes. */
const YOUNG_MB = 2;

interface Waiting {
  readonly request: JobRequest;
  readonly resolve: (result: Jobs[JobKind]['result']) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Waiting | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

const threads = new Set<Thread>();
const queue: Waiting[] = [];
let patience: NodeJS.Timeout | undefined;

/**
 * Makes system calls that may wait (for a disk, for the kernel's locks) on a thread beside the event loop; libuv's pool has
 * four threads, and one that hangs is lost to all file work. Jobs begin in the order of their calls, and may run side by side.
 * @throws what the job throws: a system error with its code, or a DaemonError.
 */
export async function onThread<K extends JobKind>(kind: K, request: Jobs[K]['request']): Promise<Jobs[K]['result']> {
  const { promise, resolve, reject } = Promise.withResolvers<Jobs[JobKind]['result']>();
  queue.push({ request: { kind, ...request } as JobRequest, resolve, reject });
  dispatch();
  return await promise;
}

/** Whether a thread is in the kernel, perhaps for ever. */
export function threadsAreBusy(): boolean {
  return [...threads].some(({ job }) => job !== undefined);
}

const exitNow = bind<(status: number) => void>('void _exit(int status)');

/** Ends the process. Node would wait for each thread first, and so for ever for one that hangs in the kernel. */
export function exitProcess(status: number): never {
  if (threadsAreBusy()) exitNow(status);
  process.exit(status);
}

function dispatch(): void {
  for (const thread of threads) if (thread.job === undefined) give(thread);
  if (queue.length === 0) return;
  if (threads.size === 0) give(start());
  else if (threads.size < MOST_THREADS) patience ??= setTimeout(addThread, PATIENCE_MS);
}

function addThread(): void {
  patience = undefined;
  if (queue.length > 0 && threads.size < MOST_THREADS) give(start());
  if (queue.length > 0) dispatch();
}

/** Hands the next job to a thread that has none. */
function give(thread: Thread): void {
  clearTimeout(thread.idleTimer);
  thread.job = queue.shift();
  if (thread.job !== undefined) {
    thread.worker.ref();
    thread.worker.postMessage(thread.job.request);
    return;
  }
  thread.worker.unref();
  const isSpare = [...threads].some((other) => other !== thread && other.job === undefined);
  thread.idleTimer = setTimeout(
    () => {
      threads.delete(thread);
      void thread.worker.terminate();
    },
    isSpare ? SPARE_IDLE_MS : IDLE_MS,
  ).unref();
}

function start(): Thread {
  const thread: Thread = {
    worker: new Worker(ENTRY, { name: 'kernel', resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } }),
    job: undefined,
    idleTimer: undefined,
  };
  threads.add(thread);
  thread.worker.on('message', (answer: JobAnswer) => {
    const { job } = thread;
    if (answer.is === 'done') job?.resolve(answer.result);
    else job?.reject(errorOf(answer));
    give(thread);
  });
  const end = (error: Error): void => {
    threads.delete(thread);
    clearTimeout(thread.idleTimer);
    thread.job?.reject(error);
    thread.job = undefined;
    if (threads.size === 0) trimHeap();
    dispatch();
  };
  thread.worker.on('error', (error) => {
    end(new DaemonError('Internal', `kernel thread died: ${String(error)}`, { cause: error }));
  });
  thread.worker.on('exit', () => {
    end(new DaemonError('Internal', 'kernel thread ended before its job was done'));
  });
  return thread;
}

function errorOf({ kind, message, fields }: Extract<JobAnswer, { is: 'failed' }>): Error {
  return Object.assign(kind === undefined ? new Error(message) : new DaemonError(kind, message), fields);
}
