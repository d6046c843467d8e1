import { settledWithin } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { outsideOfRequests } from '../base/steps.ts';
import type { Operation, StepSink } from '../base/steps.ts';
import { HistoryFiles } from './history-files.ts';
import { lineOf, readLine } from './line.ts';
import { Thinning } from './thinning.ts';

export interface HistoryOptions {
  readonly directory: string;
  /** Most that it takes on disk, bytes. */
  readonly mostBytes: number;
  readonly log: Log;
  /** How long an operation that has ended waits to be written, milliseconds. Default 1000. */
  readonly pauseMs?: number;
}

/** So many that wait are written at once, and in one go. */
const BATCH = 64;
/** While the disk is hung: what comes then pushes out the oldest. */
const MOST_WAITING = 512;
/** After a failure nothing is tried for so long, milliseconds. */
const FAILURE_PAUSE_MS = 30_000;
/** How long the end of the daemon waits for the last lines, milliseconds. */
const CLOSE_MS = 1_000;

/**
 * Keeps what has been done, over restarts and after the objects are gone, in bounded space. It is a help to people and no record:
 * nothing is flushed, nothing waits for it, and a disk that is full or hangs costs what would have been written.
 */
export class History implements StepSink {
  readonly #options: HistoryOptions;
  readonly #files: HistoryFiles;
  readonly #thinning = new Thinning();
  /** What has ended and is not on disk, oldest first. */
  #waiting: Operation[] = [];
  #writing: readonly Operation[] = [];
  #work: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pausedUntilMs = 0;
  #hasFailed = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#files = new HistoryFiles(options.directory, options.mostBytes);
  }

  operationEnded(ended: Operation): void {
    this.#waiting.push(...this.#thinning.kept(ended));
    if (this.#waiting.length > MOST_WAITING) this.#waiting.splice(0, this.#waiting.length - MOST_WAITING);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#waiting.length === 0 || this.#timer !== undefined || this.#work !== undefined) return;
    this.#timer = outsideOfRequests(() => setTimeout(() => void this.#write(), this.#options.pauseMs ?? 1_000).unref());
  }

  /** The operations whose lines have one of `texts` in them, oldest first, also those that are not on disk yet. @throws the signal's reason. */
  async *find(texts: readonly string[], signal?: AbortSignal): AsyncGenerator<Operation> {
    const inMemory = [...this.#writing, ...this.#waiting, ...this.#thinning.waiting];
    const known = new Set(inMemory.map(keyOf));
    const written = texts.map((text) => JSON.stringify(text).slice(1, -1));
    for await (const line of this.#files.lines(written, signal)) {
      const operation = readLine(line);
      if (operation !== undefined && !known.has(keyOf(operation))) yield operation;
    }
    for (const operation of inMemory.sort((one, other) => one.startedAtMs - other.startedAtMs)) {
      const line = lineOf(operation);
      if (written.some((text) => line.includes(text))) yield operation;
    }
  }

  /** Writes what waits, where the disk takes it soon. */
  async close(): Promise<void> {
    this.#waiting.push(...this.#thinning.waiting);
    const last = async (): Promise<void> => {
      await this.#work;
      await this.#write();
    };
    await settledWithin(last(), CLOSE_MS);
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#work ??= this.#writeAll().finally(() => {
      this.#work = undefined;
      this.#schedule();
    });
    await this.#work;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#writing = this.#waiting.splice(0, BATCH);
      if (performance.now() < this.#pausedUntilMs) continue;
      try {
        await this.#files.append(this.#writing.map(lineOf).join(''));
        this.#hasFailed = false;
      } catch (error) {
        this.#pausedUntilMs = performance.now() + FAILURE_PAUSE_MS;
        if (!this.#hasFailed)
          this.#options.log.warn('what was done is not kept for explain: the history cannot be written', {
            path: this.#options.directory,
            error: messageOf(error),
          });
        this.#hasFailed = true;
      }
    }
    this.#writing = [];
  }
}

/** Numbers begin anew with each daemon. */
function keyOf({ startedAtMs, number }: Operation): string {
  return `${startedAtMs} ${number}`;
}
