/** What was measured, by the name of what was done. */

export class Times {
  readonly #of = new Map<string, number[]>();

  /** Does the work, and keeps how long it took. */
  async measure<T>(what: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work();
    this.add(what, performance.now() - started);
    return result;
  }

  add(what: string, value: number): void {
    const values = this.#of.get(what);
    if (values === undefined) this.#of.set(what, [value]);
    else values.push(value);
  }

  of(what: string): readonly number[] {
    return this.#of.get(what) ?? [];
  }

  get names(): readonly string[] {
    return [...this.#of.keys()];
  }

  toJSON(): Record<string, readonly number[]> {
    return Object.fromEntries(this.#of);
  }
}

/** NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
