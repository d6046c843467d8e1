import { flushCompileCache, getCompileCacheDir } from 'node:module';
import { timed } from '../base/timed.ts';

/** How long after the start it is written, milliseconds: the code of the first calls is among it then. */
const AFTER_MS = 10_000;

/**
 * Has Node write what it has compiled, for the next start: only at the end of a process it would by itself, and a daemon may be killed.
 * Nothing is written where Node has no directory for it (bin/podwright), or has read all of it from there.
 * @returns ends it.
 */
export function keepCompiledCode(): () => void {
  if (getCompileCacheDir() === undefined) return () => undefined;
  const timer = setTimeout(() => {
    timed('compiled code', flushCompileCache);
  }, AFTER_MS).unref();
  return () => {
    clearTimeout(timer);
  };
}
