import { constants } from 'node:os';
import { sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log, LogFields } from '../base/log.ts';
import { note, step, stepIs } from '../base/steps.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import { SIGKILL, signalProcess } from '../linux/process.ts';

/** The pause between two SIGKILLs to a process that does not end, milliseconds. It hangs in the kernel, or others share its cgroup. */
const FIRST_KILL_PAUSE_MS = 200;
const LAST_KILL_PAUSE_MS = 30_000;

/** How long a monitor may take to tell the end of a process that is gone, milliseconds. */
const MONITOR_PATIENCE_MS = 5_000;

/** One container being stopped. */
export interface StopTarget {
  readonly containerId: string;
  readonly process: ProcessIdentity;
  readonly stopSignal: number;
  /** Resolves when the end of the container is on record. */
  readonly exited: Promise<void>;
  /** Called before the first SIGKILL: what works on the container now ends, and the stop need not wait for it. */
  readonly onKill?: () => void;
  /** Kills all processes of the container, where killing the first one was not enough. */
  readonly killAll: () => Promise<void>;
  /** Looks at once whether the container has ended, and puts that on record. */
  readonly lookForEnd: () => Promise<void>;
  /** The container's monitor: it ends with the container, as a rule. */
  readonly monitor: ProcessIdentity;
  /** Whether the stop signal is of use: a container that never started is killed at once. */
  readonly started: boolean;
}

interface Loop {
  readonly done: Promise<void>;
  /** Unix time, milliseconds, of the first SIGKILL. */
  deadline: number;
  /** Whether SIGKILL was sent, or is about to be. */
  kills: boolean;
  wake: () => void;
}

/** The containers being stopped: one loop each, which later callers join; a shorter timeout of theirs wins. */
export class StopLoops {
  readonly #loops = new Map<string, Loop>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Whether a stop has come to SIGKILL. Before that, in its grace period, the container runs like any other. */
  isKilling(containerId: string): boolean {
    return this.#loops.get(containerId)?.kills === true;
  }

  /** Whether a stop is under way. */
  isStopping(containerId: string): boolean {
    return this.#loops.has(containerId);
  }

  /** Resolves when the container has ended. The loop goes on when its callers have gone. */
  stop(target: StopTarget, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    const running = this.#loops.get(target.containerId);
    if (running !== undefined) {
      if (deadline < running.deadline) {
        running.deadline = deadline;
        running.wake();
      }
      return running.done;
    }
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    promise.catch(() => undefined);
    const loop: Loop = { done: promise, deadline, kills: false, wake: () => undefined };
    this.#loops.set(target.containerId, loop);
    this.#run(target, loop)
      .then(() => {
        resolve(undefined);
      }, reject)
      .finally(() => this.#loops.delete(target.containerId));
    return loop.done;
  }

  async #run(target: StopTarget, loop: Loop): Promise<void> {
    const end = { seen: false };
    const exited = target.exited.then(() => {
      end.seen = true;
      loop.wake();
    });
    if (target.started && loop.deadline > Date.now()) {
      const ask = async (): Promise<void> => {
        stepIs({ pid: target.process.pid });
        await this.#ask(target);
        while (!end.seen && Date.now() < loop.deadline) await this.#waitUntil(loop, loop.deadline);
        if (!end.seen) note('the container has not ended in its time, and is killed');
      };
      await step('send signal', ask, signalName(target.stopSignal));
    }
    loop.kills = true;
    target.onKill?.();
    if (end.seen) return;
    const kill = async (): Promise<void> => {
      stepIs({ pid: target.process.pid });
      await this.#killUntilEnded(target, loop, end, exited);
    };
    await step('send signal', kill, signalName(SIGKILL));
  }

  async #killUntilEnded(target: StopTarget, loop: Loop, end: { readonly seen: boolean }, exited: Promise<void>): Promise<void> {
    const seen = { goneAt: undefined as number | undefined };
    for (let pause = FIRST_KILL_PAUSE_MS, round = 0; !end.seen; pause = Math.min(pause * 2, LAST_KILL_PAUSE_MS), round += 1) {
      // After the first signal, since it asks the runtime, which may hang.
      await Promise.race([exited, this.#kill(target, round, seen, end)]);
      await Promise.race([exited, this.#waitUntil(loop, Date.now() + pause)]);
    }
    await exited;
  }

  /** Sends the stop signal. Where it cannot be sent, the kill comes all the same. */
  async #ask(target: StopTarget): Promise<void> {
    try {
      await signalProcess(target.process, target.stopSignal);
    } catch (error) {
      this.#log.warn('sending a container its stop signal failed; it is killed in time', {
        containerId: target.containerId,
        error: messageOf(error),
      });
    }
  }

  async #kill(target: StopTarget, round: number, seen: { goneAt: number | undefined }, end: { readonly seen: boolean }): Promise<void> {
    try {
      if (await signalProcess(target.process, SIGKILL)) {
        seen.goneAt = undefined;
        if (round > 0) note(`SIGKILL again, to all its processes (${round + 1})`);
        if (round > 0) await target.killAll();
        if (round === 4) this.#log.warn('container does not end after SIGKILL; its process may hang in the kernel', fields(target));
        return;
      }
      seen.goneAt ??= performance.now();
      await target.lookForEnd();
      if (performance.now() - seen.goneAt < MONITOR_PATIENCE_MS || !(await signalProcess(target.monitor, SIGKILL))) return;
      this.#log.warn('the monitor of a container that has ended does not tell so; it is killed', fields(target));
    } catch (error) {
      if (!end.seen)
        this.#log.warn('killing a container failed; tried again', { containerId: target.containerId, error: messageOf(error) });
    }
  }

  async #waitUntil(loop: Loop, time: number): Promise<void> {
    const waker = new AbortController();
    loop.wake = () => {
      waker.abort();
    };
    await sleep(Math.max(0, time - Date.now()), waker.signal);
  }
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function signalName(number: number): string {
  return SIGNAL_NAMES.get(number) ?? `signal ${number}`;
}

function fields({ containerId, process, monitor }: StopTarget): LogFields {
  return { containerId, pid: process.pid, monitorPid: monitor.pid };
}
