import { Worker } from 'node:worker_threads';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import { trimHeap } from '../linux/heap.ts';
import { runThreadAt } from '../linux/reluctant-place.ts';
import type { FromWorker, JobKind, JobRequest, Jobs, ToWorker } from './worker-protocol.ts';

// In production this file is part of the bundle, and the worker a bundle of its own beside it.
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './storage-worker.ts' : './storage-worker.js', import.meta.url);

export interface StorageWorkersOptions {
  /** Most threads. Further jobs share them; a job that waits for the network holds none. Default 2. */
  readonly maxThreads?: number;
  /** How long a thread without work is kept, milliseconds; then it ends and its memory goes back. Default 2000. */
  readonly idleMs?: number;
}

interface Job {
  readonly resolve: (result: Jobs[JobKind]['result']) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Job>;
  idleTimer: NodeJS.Timeout | undefined;
}

/** A job under way whose input file still grows. */
export interface FollowingJob<R> {
  readonly result: Promise<R>;
  /** Says how much of the file is there, bytes; `complete` when nothing follows. */
  grown(sizeBytes: number, complete: boolean): void;
}

/** Runs what would block the event loop (unpacking, syncing, removing trees) in at most a few worker threads. */
export class StorageWorkers {
  readonly #maxThreads: number;
  readonly #idleMs: number;
  readonly #threads = new Set<Thread>();
  #nextJob = 1;
  #isClosed = false;

  constructor(options: StorageWorkersOptions = {}) {
    this.#maxThreads = options.maxThreads ?? 2;
    this.#idleMs = options.idleMs ?? 2000;
  }

  /** How many threads there are now. */
  get threads(): number {
    return this.#threads.size;
  }

  /** Runs one job. @throws what the job throws (as DaemonError), or the signal's reason when it aborts; the job has then ended. */
  async run<K extends JobKind>(kind: K, request: Jobs[K]['request'], signal?: AbortSignal): Promise<Jobs[K]['result']> {
    return await this.follow(kind, request, signal).result;
  }

  /** Like {@link run}, for a job that reads a file while it is written. */
  follow<K extends JobKind>(kind: K, request: Jobs[K]['request'], signal?: AbortSignal): FollowingJob<Jobs[K]['result']> {
    this.#checkOpen(kind);
    if (signal?.aborted === true) throw reasonOf(signal);
    return this.#give(this.#pick(), kind, request, signal);
  }

  /**
   * Runs one job that touches `place`, a file system that may not answer, in a thread of its own: one that hangs is left behind, and costs
   * no other job.
   * @throws as {@link run}; DeadlineExceeded after its time, Unavailable where some hang there.
   */
  async runAt<K extends JobKind>(place: string, kind: K, request: Jobs[K]['request'], timeoutMs: number): Promise<Jobs[K]['result']> {
    this.#checkOpen(kind);
    return await runThreadAt(place, timeoutMs, () => {
      const thread = this.#start();
      this.#threads.delete(thread);
      return { result: this.#give(thread, kind, request).result, end: async () => thread.worker.terminate() };
    });
  }

  #checkOpen(kind: JobKind): void {
    if (this.#isClosed) throw new DaemonError('Unavailable', `storage job ${kind}: the daemon is stopping`);
  }

  #give<K extends JobKind>(thread: Thread, kind: K, request: Jobs[K]['request'], signal?: AbortSignal): FollowingJob<Jobs[K]['result']> {
    const job = this.#nextJob++;
    const post = (message: ToWorker): void => {
      thread.worker.postMessage(message);
    };
    const cancel = (): void => {
      post({ is: 'cancel', job });
    };
    const result = new Promise<Jobs[JobKind]['result']>((resolve, reject) => {
      thread.jobs.set(job, { resolve, reject });
    }).catch((error: unknown) => {
      throw signal?.aborted === true ? reasonOf(signal) : error;
    });
    signal?.addEventListener('abort', cancel, { once: true });
    const settled = result.finally(() => signal?.removeEventListener('abort', cancel)) as Promise<Jobs[K]['result']>;
    settled.catch(() => undefined);
    post({ is: 'start', job, request: { kind, ...request } as unknown as JobRequest });
    return {
      result: settled,
      grown: (sizeBytes, complete) => {
        if (thread.jobs.has(job)) post({ is: 'grown', job, sizeBytes, complete });
      },
    };
  }

  /** Ends all threads; jobs under way fail. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  /** The thread with the least to do, a new one where all are busy and there may be more. */
  #pick(): Thread {
    let best: Thread | undefined;
    for (const thread of this.#threads) if (best === undefined || thread.jobs.size < best.jobs.size) best = thread;
    if (best === undefined || (best.jobs.size > 0 && this.#threads.size < this.#maxThreads)) best = this.#start();
    clearTimeout(best.idleTimer);
    best.worker.ref();
    return best;
  }

  #start(): Thread {
    const worker = new Worker(ENTRY, { name: 'storage' });
    const thread: Thread = { worker, jobs: new Map(), idleTimer: undefined };
    this.#threads.add(thread);
    worker.on('message', (message: FromWorker) => {
      this.#answer(thread, message);
    });
    const end = (error: Error): void => {
      this.#threads.delete(thread);
      clearTimeout(thread.idleTimer);
      for (const job of thread.jobs.values()) job.reject(error);
      thread.jobs.clear();
    };
    worker.on('error', (error) => {
      end(new DaemonError('Internal', `storage worker died: ${String(error)}`, { cause: error }));
    });
    worker.on('exit', () => {
      end(new DaemonError('Internal', 'storage worker ended before its job was done'));
      if (this.#threads.size === 0) trimHeap();
    });
    return thread;
  }

  #answer(thread: Thread, message: FromWorker): void {
    const job = thread.jobs.get(message.job);
    thread.jobs.delete(message.job);
    if (message.is === 'done') {
      job?.resolve(message.result);
    } else {
      const cause: NodeJS.ErrnoException = new Error(message.message);
      if (message.code !== undefined) cause.code = message.code;
      job?.reject(new DaemonError(message.kind, message.message, { cause }));
    }
    if (thread.jobs.size > 0) return;
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => {
      this.#threads.delete(thread);
      void thread.worker.terminate();
    }, this.#idleMs);
    thread.idleTimer.unref();
  }
}
