import { flushCompileCache, getCompileCacheDir } from 'node:module';
import { timed } from '../base/timed.ts';

/**
 * Has Node write what it has compiled, for the next start: by itself it would only at the end of a process, and a daemon may be killed. It
 * writes on this thread and waits for the disk, on a busy one for seconds, so this is for when nobody can call yet.
 * Nothing is written where Node has no directory for it (bin/podwright), or has read all of it from there.
 */
export function keepCompiledCode(): void {
  if (getCompileCacheDir() !== undefined) timed('compiled code', flushCompileCache);
}
