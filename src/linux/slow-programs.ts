import { AsyncLocalStorage } from 'node:async_hooks';
import { describeWait, type WaitDescription } from './describe-wait.ts';

/** A program that has taken longer than it should, and still runs. */
export interface SlowProgram {
  readonly pid: number;
  /** `runc`, `bridge`; `exec` for a command in a container. */
  readonly program: string;
  /** `runc --root /run/podwright/runc start 1234`. */
  readonly what: string;
  readonly ranMs: number;
  /** Undefined where it has ended meanwhile. */
  readonly waits: WaitDescription | undefined;
}

export interface SlowProgramWatch {
  /** After how long a program is told, milliseconds; 0: none is. Asked each time, so that a reload takes effect. */
  readonly thresholdMs: () => number;
  /** Hears of each program once, in the context of the call that has started it. */
  readonly tell: (program: SlowProgram) => void;
}

interface Entry {
  readonly pid: number;
  readonly program: string;
  readonly what: () => string;
  readonly startedMs: number;
  readonly inContext: <T>(work: () => T) => T;
}

/** How often the programs are looked at while there are any, milliseconds. */
const LOOK_MS = 1_000;

/** In the order of their start. */
const running = new Set<Entry>();
let watch: SlowProgramWatch | undefined;
let timer: NodeJS.Timeout | undefined;

/** Has slow programs told until the returned function is called. */
export function watchSlowPrograms(wanted: SlowProgramWatch): () => void {
  watch = wanted;
  return () => {
    watch = undefined;
    clearInterval(timer);
    timer = undefined;
  };
}

/**
 * Counts the time of a program that somebody waits for, until the returned function is called: before its pid may be another's. One
 * timer looks at all of them, and sleeps when there are none.
 */
export function timeProgram(pid: number, program: string, what: () => string): () => void {
  const entry = { pid, program, what, startedMs: performance.now(), inContext: AsyncLocalStorage.snapshot() };
  running.add(entry);
  if (watch !== undefined) timer ??= setInterval(look, LOOK_MS).unref();
  return () => {
    running.delete(entry);
  };
}

/** Tells of a program that is given up, whatever the threshold, before its caller ends it. */
export async function tellGivenUp(pid: number, program: string, what: string, startedMs: number): Promise<void> {
  if (watch !== undefined && watch.thresholdMs() > 0)
    await tell({ pid, program, what: () => what, startedMs, inContext: (work) => work() });
}

function look(): void {
  if (running.size === 0) {
    clearInterval(timer);
    timer = undefined;
    return;
  }
  const thresholdMs = watch?.thresholdMs() ?? 0;
  if (thresholdMs === 0) return;
  const now = performance.now();
  for (const entry of running) {
    if (now - entry.startedMs < thresholdMs) return;
    // Told once.
    running.delete(entry);
    void tell(entry);
  }
}

async function tell({ pid, program, what, startedMs, inContext }: Entry): Promise<void> {
  const ranMs = Math.round(performance.now() - startedMs);
  const waits = await describeWait(pid).catch(() => undefined);
  inContext(() => watch?.tell({ pid, program, what: what(), ranMs, waits }));
}
