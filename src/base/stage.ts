import { appendFileSync, readFileSync } from 'node:fs';

// Set to false by scripts/build.ts; from source it is not there.
declare const PODWRIGHT_STAGES: boolean | undefined;

/**
 * Marks the point between an outside effect and its record, for the crash tests. With PODWRIGHT_STAGE_LOG=FILE each mark
 * passed is written there; with PODWRIGHT_KILL_AT=NAME the daemon kills itself at the mark, as `kill -9` would. NAME may be
 * @FILE: then the mark is what FILE says at that moment, and none while it is missing.
 */
export function stage(name: string): void {
  // A production build contains neither this check nor what follows it.
  if (typeof PODWRIGHT_STAGES !== 'undefined' && !PODWRIGHT_STAGES) return;
  const { PODWRIGHT_STAGE_LOG: logFile, PODWRIGHT_KILL_AT: killAt } = process.env;
  // eslint-disable-next-line no-restricted-syntax -- tests only: the mark must be on disk before the kill of the next line
  if (logFile !== undefined) appendFileSync(logFile, `${name}\n`);
  const wanted = killAt?.startsWith('@') === true ? contentOf(killAt.slice(1)) : killAt;
  if (wanted === name) process.kill(process.pid, 'SIGKILL');
}

function contentOf(file: string): string | undefined {
  try {
    // eslint-disable-next-line no-restricted-syntax -- tests only, as above
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
