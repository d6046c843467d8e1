import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDaemon } from './daemon.ts';
import { HISTORY } from './inventory.ts';

/**
 * When each file and directory of the daemon was last written, and all mounts of the node. A record or a bundle that was made and
 * taken back again is seen too: the time of the directory that it was in has changed. The history of what was done is left out.
 */
export async function traceOf(daemon: TestDaemon): Promise<readonly string[]> {
  const trace: string[] = [];
  for (const top of [daemon.root, daemon.runDir]) {
    for (const name of ['', ...(await readdir(top, { recursive: true }))]) {
      const path = join(top, name);
      if (HISTORY.test(path)) continue;
      const { mtimeNs, size } = await lstat(path, { bigint: true });
      trace.push(`${path} ${mtimeNs} ${size}`);
    }
  }
  return [...trace, ...(await readFile(`/proc/${daemon.pid}/mountinfo`, 'utf8')).split('\n')];
}
