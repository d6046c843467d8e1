import { sleep } from '../base/deadline.ts';
import { mayBeChildrenOf } from '../linux/children.ts';
import { relievePipe, type PipeRelief } from '../linux/pipe-relief.ts';
import { statOfProcess } from '../linux/proc-stat.ts';

/** A create that answers within this time, as nearly all do, is not looked at. After it, how often; milliseconds. */
const LOOK_MS = 500;
/** How long a monitor may be idle without an answer when its runtime has gone, milliseconds. */
const PATIENCE_MS = 2_000;
const STDERR = 2;

/**
 * Looks after a runtime that creates a container under a monitor, while the monitor does not answer. conmon (2.1.6 to 2.2.1,
 * conmon.c) waits for the runtime first, and reads its stderr only then: a runtime that writes more than the pipe holds waits
 * for ever for a reader. And where the runtime has died without a word, conmon reads until the last writer has gone. The
 * container that it has made is such a writer, and waits for its start.
 */
export class CreatorWatch {
  readonly #monitor: number;
  readonly #keepBytes: number;
  readonly #over = new AbortController();
  #relief: PipeRelief | undefined;

  /** @param keepBytes how much is kept of what is read in the monitor's place. */
  constructor(monitor: number, keepBytes: number) {
    this.#monitor = monitor;
    this.#keepBytes = keepBytes;
  }

  /**
   * To be called when the monitor may start the runtime. Resolves when the runtime has ended and the monitor is idle without an
   * answer.
   */
  start(): Promise<undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    // Where something cannot be looked at, the time limit of the creation must do.
    this.#watch().then(
      (hasDied) => {
        if (hasDied) resolve(undefined);
      },
      () => undefined,
    );
    return promise;
  }

  /** The last that the runtime has said, as far as it was read here. */
  get words(): Buffer {
    return this.#relief?.tail() ?? Buffer.alloc(0);
  }

  stop(): void {
    this.#over.abort();
    this.#relief?.stop();
  }

  async #watch(): Promise<boolean> {
    const { signal } = this.#over;
    for (let restsSince: number | undefined; ;) {
      await sleep(LOOK_MS, signal);
      if (signal.aborted) return false;
      const runtime = await this.#findRuntime();
      if (runtime !== undefined) {
        restsSince = undefined;
        if (this.#relief === undefined) this.#keep(await relievePipe(runtime, STDERR, this.#keepBytes));
        continue;
      }
      // On a busy machine the answer may take its time: a monitor that has something to do is not resting.
      if ((await statOfProcess(this.#monitor))?.state !== 'S') restsSince = undefined;
      else restsSince ??= performance.now();
      if (restsSince !== undefined && performance.now() - restsSince >= PATIENCE_MS) return true;
    }
  }

  #keep(relief: PipeRelief | undefined): void {
    this.#relief = relief;
    if (this.#over.signal.aborted) relief?.stop();
  }

  /**
   * The monitor leads a process group, and its runtime is in it. The container's process, which the runtime leaves behind, leads
   * a group of its own.
   */
  async #findRuntime(): Promise<number | undefined> {
    for (const pid of await mayBeChildrenOf(this.#monitor)) {
      const stat = await statOfProcess(pid);
      if (stat?.parentPid === this.#monitor && stat.processGroup === this.#monitor && stat.state !== 'Z') return pid;
    }
    return undefined;
  }
}
