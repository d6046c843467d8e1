import { Worker } from 'node:worker_threads';
import { DaemonError } from '../base/errors.ts';
import { trimHeap } from '../linux/heap.ts';
import type { CdiSpec } from './spec.ts';

// In production this file is part of the bundle, and the worker a bundle of its own beside it.
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './spec-worker.ts' : './spec-worker.js', import.meta.url);
/** How long the thread is kept without work, milliseconds: a driver writes a file for each pod, and pods come in bursts. */
const IDLE_MS = 5_000;

/** What became of a spec file. */
export type ReadFile =
  | { readonly path: string; readonly spec: CdiSpec }
  /** `kind` where the file is good enough to say what it is of. */
  | { readonly path: string; readonly error: string; readonly kind?: string };

/** Reads spec files in a thread beside the event loop, which is there while there is work and shortly after. */
export class SpecThread {
  #worker: Worker | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  /** One call at a time. @throws DaemonError Internal where the thread dies; never for what is wrong with a file. */
  async read(paths: readonly string[]): Promise<ReadFile[]> {
    if (paths.length === 0) return [];
    clearTimeout(this.#idleTimer);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    const { promise, resolve, reject } = Promise.withResolvers<ReadFile[]>();
    const died = (what: unknown): void => {
      reject(new DaemonError('Internal', `read CDI spec files: the thread ended: ${String(what)}`));
    };
    worker.once('message', resolve).once('error', died).once('exit', died);
    worker.postMessage(paths);
    try {
      return await promise;
    } finally {
      worker.off('message', resolve).off('error', died).off('exit', died);
      worker.unref();
      this.#idleTimer = setTimeout(() => void worker.terminate(), IDLE_MS).unref();
    }
  }

  #start(): Worker {
    const worker = new Worker(ENTRY, { name: 'cdi' });
    const end = (): void => {
      if (this.#worker === worker) this.#worker = undefined;
      trimHeap();
    };
    // Without a listener an error would end the daemon.
    return worker.on('error', end).on('exit', end);
  }
}
