import { CliError, EXIT } from './exit-codes.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A moment, given as how long ago (`90s`, `1h30m`) or as a time of RFC 3339. Unix time, milliseconds. @throws {CliError} */
export function sinceMs(text: string, nowMs: number): number {
  if (/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
    return nowMs - parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS_MS[unit] ?? 0), 0);
  }
  const time = /^\d{4}-\d\d-\d\d([T ]|$)/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) throw new CliError(EXIT.usage, `--since: is "${text}", must be such as 90s, 1h30m or 2026-01-31T10:00:00Z`);
  return time;
}

/** A count of lines. @throws {CliError} */
export function lineCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new CliError(EXIT.usage, `--tail: is "${text}", must be a whole number`);
  return Number(text);
}
