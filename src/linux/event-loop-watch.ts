import { PerformanceObserver } from 'node:perf_hooks';
import { close } from './libc.ts';
import { openSchedStat, readSchedStat } from './schedstat.ts';
import { noteSection, takeSections, wakeOnActivity } from '../base/timed.ts';
import type { Section } from '../base/timed.ts';
import type { SchedStat } from './schedstat.ts';

/** One time in which the event loop answered nobody. */
export interface Standstill {
  readonly startedAt: Date;
  readonly durationMs: number;
  /** What of it was ours: neither without a processor nor stopped by a signal. */
  readonly ownMs: number;
  /** How long the thread ran; the rest of `ownMs` it waited in the kernel. */
  readonly processorMs: number;
  /** What took most of it, by its name; `other` where that has none; `machine` or `stopped` where it was not ours. */
  readonly what: string;
  /** The longest named parts, longest first: `umount2 312 ms`. */
  readonly parts: readonly string[];
}

/** What is told, milliseconds. */
export const STANDSTILL_MS = 50;
/** How often the watch looks while the daemon works, and while nothing happens, milliseconds. */
const TICK_MS = 20;
const QUIET_TICK_MS = 1_000;
/** After so many looks at an idle loop it looks seldom: a timer that wakes an idle daemon costs a node for as long as it lives. */
const QUIET_TICKS = 5;
const IDLE_BUSY_MS = 1;
/** Between two seldom looks nothing but a few turns of the loop is known: where they are so few, one held it up. */
const FEW_TURNS = 10;
/** The collector's events and SIGCONT come a little after what they tell of. */
const JUDGE_AFTER_MS = 10;
const PARTS_TOLD = 5;

interface Look extends SchedStat {
  /** performance.now() */
  readonly nowMs: number;
  /** How long the loop has waited for events, ever. */
  readonly idleMs: number;
  /** How often the loop has gone round. */
  readonly turns: number;
}

/**
 * Sees when the event loop of this thread stands still, and by what.
 *
 * How long the machine gave us no processor is known from the kernel: /proc/PID/schedstat counts it
 * (Documentation/scheduler/sched-stats.rst), and SIGCONT comes after a stop. Calls by FFI are named by base/timed.ts, through
 * which all of them go. Node tells of its garbage collector.
 */
export class EventLoopWatch {
  readonly #tell: (standstill: Standstill) => void;
  readonly #sample: (lagMs: number) => void;
  readonly #schedstat: number | undefined;
  readonly #collector = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) noteSection('garbage collection', startTime, duration);
  });
  #timer: NodeJS.Timeout | undefined;
  #last: Look;
  #dueMs = 0;
  #quietTicks = 0;
  #judging = 0;
  #continuedMs = 0;

  private constructor(tell: (standstill: Standstill) => void, sample: (lagMs: number) => void) {
    this.#tell = tell;
    this.#sample = sample;
    this.#schedstat = openSchedStat('/proc/thread-self/schedstat');
    this.#last = this.#look();
  }

  /**
   * Watches this thread until {@link stop}. `tell` hears of each standstill over {@link STANDSTILL_MS} a moment after it; `sample`, at
   * each look, of how late the loop came to it.
   */
  static start(tell: (standstill: Standstill) => void, sample: (lagMs: number) => void = () => undefined): EventLoopWatch {
    const watch = new EventLoopWatch(tell, sample);
    watch.#collector.observe({ entryTypes: ['gc'] });
    process.on('SIGCONT', watch.#continued);
    watch.#arm(TICK_MS);
    return watch;
  }

  stop(): void {
    clearTimeout(this.#timer);
    wakeOnActivity(undefined);
    this.#collector.disconnect();
    process.off('SIGCONT', this.#continued);
    if (this.#schedstat !== undefined) close(this.#schedstat);
  }

  readonly #continued = (): void => {
    this.#continuedMs = performance.now();
  };

  #arm(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#dueMs = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#tick(delayMs);
    }, delayMs);
    this.#timer.unref();
  }

  #tick(delayMs: number): void {
    const before = this.#last;
    const now = this.#look();
    this.#last = now;
    const busyMs = now.nowMs - before.nowMs - (now.idleMs - before.idleMs);
    // It began after the last look, and went on when this look was due.
    const held = delayMs === QUIET_TICK_MS && now.turns - before.turns <= FEW_TURNS;
    const lateMs = Math.max(0, now.nowMs - this.#dueMs);
    const durationMs = held ? busyMs : Math.min(busyMs, lateMs + TICK_MS);
    this.#sample(held ? Math.max(lateMs, busyMs) : lateMs);
    if (durationMs > STANDSTILL_MS) this.#judgeSoon(before, now, durationMs);
    else if (this.#judging === 0) takeSections();
    this.#quietTicks = busyMs < IDLE_BUSY_MS || (delayMs === QUIET_TICK_MS && busyMs < STANDSTILL_MS) ? this.#quietTicks + 1 : 0;
    if (this.#quietTicks < QUIET_TICKS) {
      this.#arm(TICK_MS);
      return;
    }
    this.#arm(QUIET_TICK_MS);
    wakeOnActivity(() => {
      this.#quietTicks = 0;
      this.#last = this.#look();
      this.#arm(TICK_MS);
    });
  }

  #judgeSoon(before: Look, now: Look, durationMs: number): void {
    this.#judging += 1;
    setTimeout(() => {
      this.#judging -= 1;
      this.#tell(this.#judge(before, now, durationMs));
    }, JUDGE_AFTER_MS).unref();
  }

  #judge(before: Look, now: Look, durationMs: number): Standstill {
    const wasStopped = this.#continuedMs > now.nowMs - durationMs;
    const during = takeSections().filter(({ startedMs, durationMs: ms }) => startedMs < now.nowMs && startedMs + ms > before.nowMs);
    const foreignMs = during.reduce((sum, section) => sum + (section.isForeign ? section.durationMs : 0), 0);
    const delayedMs = now.delayedMs - before.delayedMs + foreignMs;
    const ownMs = wasStopped ? 0 : Math.max(0, durationMs - delayedMs);
    const foreign = wasStopped ? 'stopped' : 'machine';
    return {
      startedAt: new Date(performance.timeOrigin + now.nowMs - durationMs),
      durationMs: Math.round(durationMs),
      ownMs: Math.round(ownMs),
      processorMs: Math.round(now.processorMs - before.processorMs),
      what: ownMs > STANDSTILL_MS ? nameOf(during, durationMs) : foreign,
      parts: during
        .toSorted((one, other) => other.durationMs - one.durationMs)
        .slice(0, PARTS_TOLD)
        .map(({ name, durationMs: ms }) => `${name} ${Math.round(ms)} ms`),
    };
  }

  #look(): Look {
    const nowMs = performance.now();
    const idleMs = performance.eventLoopUtilization().idle;
    const turns = performance.nodeTiming.uvMetricsInfo.loopCount;
    return { nowMs, idleMs, turns, ...readSchedStat(this.#schedstat) };
  }
}

/** The innermost name that at least half of the time went to. */
function nameOf(sections: readonly Section[], durationMs: number): string {
  const sums = new Map<string, number>();
  for (const section of sections) if (!section.isForeign) sums.set(section.name, (sums.get(section.name) ?? 0) + section.durationMs);
  for (const [name, sumMs] of sums) if (sumMs >= durationMs / 2) return name;
  return 'other';
}
