import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const FIXTURE = join(import.meta.dirname, '../fixtures/hung-fuse.ts');

/** Why there can be no such mount here; false where there can. */
export const noFuse = existsSync('/dev/fuse') ? false : '/dev/fuse is missing';

/** A mount that hangs whoever looks at it. This process must never do so: not even a stat. */
export async function hungMount(directory: string): Promise<ChildProcess> {
  await mkdir(directory);
  const child = spawn(process.execPath, [FIXTURE, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
  return child;
}

/** Lets go of whoever hangs, and takes the mount away. */
export async function release(child: ChildProcess, directory: string): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  await execa('umount', ['-l', directory]).catch(() => undefined);
}
