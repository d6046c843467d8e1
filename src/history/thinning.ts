import { BoundedMap } from '../base/bounded-map.ts';
import type { Operation } from '../base/steps.ts';

/** Execs of one container that went well which are kept: probes come every second. */
const LAST_EXECS = 4;
/** A longer one is kept. */
const SLOW_MS = 1_000;
/** Of the same failure, and of failed execs of one container, so many are kept... */
const FIRST_FAILURES = 8;
/** ...and then one in this time, milliseconds. */
const FAILURE_PAUSE_MS = 60_000;
/** Containers, and failures, that are remembered. */
const MOST_KNOWN = 1024;

interface Failures {
  count: number;
  keptAtMs: number;
}

/** Which operations are worth a line: a probe, or what the kubelet tries again and again, must not push out all others. */
export class Thinning {
  /** The last execs of each container, which have no line yet. */
  readonly #execs = new BoundedMap<string, Operation[]>(MOST_KNOWN);
  readonly #failures = new BoundedMap<string, Failures>(MOST_KNOWN);

  /** What is to be written now that `ended` has ended, in this order. */
  kept(ended: Operation): readonly Operation[] {
    const { what, subject, error, durationMs = 0 } = ended;
    const id = subject.containerId ?? '';
    if (what === 'exec') {
      const isPlain = error === undefined && durationMs < SLOW_MS;
      if (!isPlain && this.#isNews(`exec ${id}`)) return [ended];
      this.#execs.set(id, [...(this.#execs.get(id) ?? []).slice(1 - LAST_EXECS), ended]);
      return [];
    }
    if (error !== undefined) return this.#isNews(`${what} ${subject.name ?? subject.image ?? id} ${withoutNumbers(error)}`) ? [ended] : [];
    if (what !== 'container exit' && what !== 'remove container') return [ended];
    const execs = this.#execs.get(id) ?? [];
    this.#execs.delete(id);
    return [...execs, ended];
  }

  /** What has no line yet, and may get none. */
  get waiting(): Operation[] {
    return [...this.#execs.values()].flat();
  }

  #isNews(key: string): boolean {
    const now = performance.now();
    const known = this.#failures.get(key) ?? { count: 0, keptAtMs: now };
    known.count += 1;
    this.#failures.set(key, known);
    if (known.count > FIRST_FAILURES && now - known.keptAtMs < FAILURE_PAUSE_MS) return false;
    known.keptAtMs = now;
    return true;
  }
}

/** Ids, pids and addresses are others at each attempt; more of it than this says nothing new. */
function withoutNumbers(error: string): string {
  return error.slice(0, 300).replaceAll(/\b[0-9a-f]{8,}\b|\d+/g, '#');
}
