import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { settledWithin } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import { trimHeap } from '../linux/heap.ts';
import type { CdiSpec } from './spec.ts';

// In production this file is part of the bundle, and the worker a bundle of its own beside it.
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './spec-worker.ts' : './spec-worker.js', import.meta.url);
/** How long the thread is kept without work, milliseconds: a driver writes a file for each pod, and pods come in bursts. */
const IDLE_MS = 5_000;
/** How long one file may take, milliseconds: it may lie on a file system that hangs. The largest that is taken needs a few seconds. */
const READ_MS = 20_000;

/** What became of a spec file. */
export type ReadFile =
  | { readonly path: string; readonly spec: CdiSpec }
  /** `kind` where the file is good enough to say what it is of; `mayPass` where the next look may find more. */
  | { readonly path: string; readonly error: string; readonly kind?: string; readonly mayPass?: boolean };

/**
 * Reads spec files in a thread beside the event loop, which is there while there is work and shortly after. A thread that hangs is
 * left behind, and no other file of that directory is read before it has come back: one thread for each such directory.
 */
export class SpecThread {
  readonly #readMs: number;
  #worker: Worker | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  /** By directory: the file that hangs. */
  readonly #hung = new Map<string, string>();

  constructor(readMs = READ_MS) {
    this.#readMs = readMs;
  }

  /** One call at a time. @throws DaemonError Internal where the thread dies; never for what is wrong with a file. */
  async read(paths: readonly string[]): Promise<ReadFile[]> {
    const read: ReadFile[] = [];
    for (const path of paths) read.push(await this.#readOne(path));
    return read;
  }

  async #readOne(path: string): Promise<ReadFile> {
    const directory = dirname(path);
    const hung = this.#hung.get(directory);
    if (hung !== undefined) return { path, error: hung === path ? this.#words : `it is not read while ${hung} hangs`, mayPass: true };
    clearTimeout(this.#idleTimer);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    const { promise, resolve, reject } = Promise.withResolvers<ReadFile>();
    const died = (what: unknown): void => {
      reject(new DaemonError('Internal', `read CDI spec files: the thread ended: ${String(what)}`));
    };
    worker.once('message', resolve).once('error', died).once('exit', died);
    worker.postMessage(path);
    try {
      if (await settledWithin(promise, this.#readMs)) return await promise;
      this.#hung.set(directory, path);
      worker.once('exit', () => this.#hung.delete(directory));
      this.#worker = undefined;
      // It ends when the kernel lets it go.
      void worker.terminate();
      return { path, error: this.#words, mayPass: true };
    } finally {
      worker.off('message', resolve).off('error', died).off('exit', died);
      worker.unref();
      this.#idleTimer = setTimeout(() => void this.#worker?.terminate(), IDLE_MS).unref();
    }
  }

  get #words(): string {
    return `it cannot be read within ${this.#readMs / 1000} s, its file system may hang`;
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
