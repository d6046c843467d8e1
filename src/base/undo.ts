/** A clean-up step that failed, and why. */
export interface UndoFailure {
  readonly what: string;
  readonly error: unknown;
}

/**
 * The steps that take a half-done piece of work back, newest first. Every step is idempotent and is pushed before the
 * effect it takes back, so that an effect that fails half-way is taken back too.
 */
export class UndoStack {
  readonly #steps: { what: string; step: () => Promise<void> | void }[] = [];

  add(what: string, step: () => Promise<void> | void): void {
    this.#steps.push({ what, step });
  }

  /** Runs every step once, also after one has failed. Returns the failures. */
  async run(): Promise<UndoFailure[]> {
    const failures: UndoFailure[] = [];
    for (let entry = this.#steps.pop(); entry !== undefined; entry = this.#steps.pop()) {
      try {
        await entry.step();
      } catch (error) {
        failures.push({ what: entry.what, error });
      }
    }
    return failures;
  }
}
