/** Results of cases that run in the test's own process, for tests whose one daemon all cases share (kubelet, cluster). */
import { appendFile } from 'node:fs/promises';

/** Thrown by a case that cannot be tried here; the message is the reason. */
export class Skipped extends Error {}

export interface Outcome {
  readonly name: string;
  readonly ms: number;
  readonly failure?: string;
  readonly skipped?: string;
}

/** Tells each outcome when it comes, and all of them in one line at the end. */
export class Outcomes {
  readonly #suite: string;
  readonly #begun = Date.now();
  readonly #all: Outcome[] = [];

  /** @param suite the first word of the closing line */
  constructor(suite: string) {
    this.#suite = suite;
  }

  /** Runs a case and takes what becomes of it; never throws. */
  async run(name: string, work: () => Promise<void>): Promise<void> {
    const begun = Date.now();
    try {
      await work();
      this.take({ name, ms: Date.now() - begun });
    } catch (error) {
      const end = { name, ms: Date.now() - begun };
      this.take(error instanceof Skipped ? { ...end, skipped: error.message } : { ...end, failure: describe(error) });
    }
  }

  take(outcome: Outcome): void {
    this.#all.push(outcome);
    const { name, ms, failure, skipped } = outcome;
    const at = `[${seconds(Date.now() - this.#begun).padStart(6)}]`;
    if (failure !== undefined) tell(`${at} FAIL ${name} (${seconds(ms)})\n${failure.replaceAll(/^/gm, '    ')}`);
    else if (skipped !== undefined) tell(`${at} skip ${name}: ${skipped}`);
    else tell(`${at} ok   ${name} (${seconds(ms)})`);
  }

  /** Tells the closing line; it goes to $TEST_SUMMARY_FILE too, without names. @returns the process's exit code: 1 when something failed or nothing ran. */
  async report(): Promise<number> {
    tell(`took ${seconds(Date.now() - this.#begun)}`);
    const failed = this.#all.filter(({ failure }) => failure !== undefined).map(({ name }) => name);
    const skipped = this.#all.filter((outcome) => outcome.skipped !== undefined).map(({ name }) => name);
    const passed = this.#all.length - failed.length - skipped.length;
    const names = (list: readonly string[]): string => (list.length === 0 ? '' : ` (${list.join('; ')})`);
    tell(`${this.#suite}: ${passed} passed, ${failed.length} failed${names(failed)}, ${skipped.length} skipped${names(skipped)}`);
    const summary = process.env['TEST_SUMMARY_FILE'];
    const line = `${this.#suite}: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped\n`;
    if (summary !== undefined) await appendFile(summary, line);
    const requireAll = process.env['REQUIRE_ALL'] === '1' && skipped.length > 0;
    return failed.length === 0 && passed > 0 && !requireAll ? 0 : 1;
  }
}

export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`;
}
