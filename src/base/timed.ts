/** Something that held the thread up, by name; times as performance.now(). */
export interface Section {
  readonly name: string;
  readonly startedMs: number;
  readonly durationMs: number;
  /** Whether it is the machine's time, not ours: what we waited for had no processor. */
  readonly isForeign: boolean;
}

/** Shorter sections are not kept: it would take fifty of them in one turn to make a standstill. */
export const SECTION_WORTH_MS = 1;
/** Most that is kept between two looks. */
const SECTIONS_KEPT = 256;

const sections: Section[] = [];
let sleeper: (() => void) | undefined;

/** Keeps a section that has ended, so that a standstill can be told by its name. An inner section is kept before the outer one. */
export function noteSection(name: string, startedMs: number, durationMs: number, isForeign = false): void {
  if (durationMs >= SECTION_WORTH_MS && sections.length < SECTIONS_KEPT) sections.push({ name, startedMs, durationMs, isForeign });
}

/** Runs `work`, which is synchronous, under a name. The name is also a label of a metric: one of a small, closed set. */
export function timed<T>(name: string, work: () => T): T {
  noteActivity();
  const startedMs = performance.now();
  try {
    return work();
  } finally {
    noteSection(name, startedMs, performance.now() - startedMs);
  }
}

/** The sections kept since the last call, in the order of their ends. */
export function takeSections(): Section[] {
  return sections.splice(0);
}

/** Work is about to begin. Wakes the watch of the event loop if it sleeps; costs nothing if it does not. */
export function noteActivity(): void {
  if (sleeper === undefined) return;
  const wake = sleeper;
  sleeper = undefined;
  wake();
}

/** Has {@link noteActivity} call `wake` once. */
export function wakeOnActivity(wake: (() => void) | undefined): void {
  sleeper = wake;
}
