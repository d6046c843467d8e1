import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What this process holds, without what waits to be collected. */
export function memoryHeld(): NodeJS.MemoryUsage {
  collect();
  return process.memoryUsage();
}
