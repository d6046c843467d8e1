import { Worker } from 'node:worker_threads';
import { DaemonError } from '../base/errors.ts';
import { trimHeap } from './heap.ts';
import { bind } from './libc.ts';
import type { JobAnswer, JobKind, JobRequest, Jobs } from './kernel-jobs.ts';

// In production this file is part of the bundle, and the worker a bundle of its own beside it.
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './kernel-worker.ts' : './kernel-worker.js', import.meta.url);
/** Threads at most, those included that hang in the kernel; a thread takes 11 to 14 MB, nearly all of it V8's own. */
const MOST_THREADS = 6;
/** What the start of a thread takes of a processor, milliseconds. */
const START_MS = 50;
/**
 * How long a job waits for a thread that is at work before it gets one of its own, milliseconds: three starts, for where the
 * processors are the narrow place, as for ten pods at once on two of them, another thread only adds to the work.
 */
const PATIENCE_MS = 150;
/** How long a thread without work is kept, milliseconds: while pods come and go the calls need none to be started. */
const IDLE_MS = 60_000;
/** And one beside another that has no work either, milliseconds. */
const SPARE_IDLE_MS = 2_000;
/** Room for short-lived objects; a thread that only makes calls would grow to 16 MB of them, megabytes. */
const YOUNG_MB = 2;

interface Waiting {
  readonly sinceMs: number;
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
  queue.push({ sinceMs: performance.now(), request: { kind, ...request } as JobRequest, resolve, reject });
  dispatch();
  return await promise;
}

/** Threads that others have where they may hang. */
let elsewhere = 0;

/** Whether a thread is in the kernel, perhaps for ever. */
export function threadsAreBusy(): boolean {
  return elsewhere > 0 || [...threads].some(({ job }) => job !== undefined);
}

/** Says that a thread which is none of these may hang in the kernel, until it has ended. */
export function countThread(ended: Promise<unknown>): void {
  elsewhere += 1;
  const end = (): void => {
    elsewhere -= 1;
  };
  ended.then(end, end);
}

const exitNow = bind<(status: number) => void>('void _exit(int status)');

/** Ends the process at once, whatever its threads do, those of libuv's pool too. */
export function exitWithoutWaiting(status: number): void {
  exitNow(status);
}

/** Ends the process. Node would wait for each thread first, and so for ever for one that hangs in the kernel. */
export function exitProcess(status: number): never {
  if (threadsAreBusy()) exitNow(status);
  process.exit(status);
}

function dispatch(): void {
  for (const thread of threads) if (thread.job === undefined) give(thread);
  if (queue.length === 0) return;
  if (areAllFlushing()) give(start());
  else if (threads.size < MOST_THREADS) awaitPatience();
}

/** Whether nobody is there for a call that somebody waits for: a flush takes as long as the disk does, and is one at a time. */
function areAllFlushing(): boolean {
  return [...threads].every(({ job }) => job?.request.kind === 'syncFileSystem');
}

/** Starts another thread when the first job of the queue has waited for too long; one after the other, as each takes a while. */
function awaitPatience(): void {
  const [next] = queue;
  if (next === undefined || patience !== undefined) return;
  const begin = (): void => {
    patience = undefined;
    const [first] = queue;
    // Another may be the first by now: then the threads get on with the queue.
    if (first !== undefined && waitedMs(first) >= PATIENCE_MS && threads.size < MOST_THREADS) give(start());
    dispatch();
  };
  patience = setTimeout(begin, Math.max(START_MS, Math.ceil(PATIENCE_MS - waitedMs(next)) + 1));
}

function waitedMs({ sinceMs }: Waiting): number {
  return performance.now() - sinceMs;
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
  rest(thread);
}

/**
 * Ends a thread that stays without work: soon where another has none either, so that one is left, and that one later. Then no pods come
 * and go, and what they took of the C library's heap goes back.
 */
function rest(thread: Thread): void {
  const end = (): void => {
    threads.delete(thread);
    void thread.worker.terminate();
  };
  thread.idleTimer = setTimeout(() => {
    if ([...threads].some((other) => other !== thread && other.job === undefined)) end();
    else {
      thread.idleTimer = setTimeout(end, IDLE_MS - SPARE_IDLE_MS).unref();
      trimHeap();
    }
  }, SPARE_IDLE_MS).unref();
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
