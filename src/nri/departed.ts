import type { PluginReport } from './report.ts';

/** How many plugins that have left are remembered, for people who look for the reason. */
const MOST = 10;

/** External plugins that have left or were dropped, the last of each name. */
export class Departed {
  readonly #reports = new Map<string, PluginReport>();

  add(report: PluginReport): void {
    this.#reports.delete(report.name);
    this.#reports.set(report.name, report);
    const [oldest] = this.#reports.keys();
    if (this.#reports.size > MOST && oldest !== undefined) this.#reports.delete(oldest);
  }

  /** Those of which none of the same name has come back. */
  list(live: readonly PluginReport[]): PluginReport[] {
    return [...this.#reports.values()].filter(({ name }) => !live.some((each) => each.name === name));
  }
}
