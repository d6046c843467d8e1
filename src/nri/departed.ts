import { BoundedMap } from '../base/bounded-map.ts';
import type { PluginReport } from './report.ts';

/** How many plugins that have left are remembered, for people who look for the reason. */
const MOST = 10;

/** External plugins that have left or were dropped, the last of each name. */
export class Departed {
  readonly #reports = new BoundedMap<string, PluginReport>(MOST);

  add(report: PluginReport): void {
    this.#reports.set(report.name, report);
  }

  /** Those of which none of the same name has come back. */
  list(live: readonly PluginReport[]): PluginReport[] {
    return [...this.#reports.values()].filter(({ name }) => !live.some((each) => each.name === name));
  }
}
