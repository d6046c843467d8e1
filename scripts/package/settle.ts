import { chmod, lstat, lutimes, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Gives everything below a directory the mode and the time that it has in a release, whatever the umask was: programs 0755, files 0644.
 * @param time seconds since 1970
 * @returns the bytes of all files
 */
export async function settle(directory: string, time: number): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += await settle(path, time);
    else bytes += await settleOne(path, time);
  }
  await chmod(directory, 0o755);
  await lutimes(directory, time, time);
  return bytes;
}

async function settleOne(path: string, time: number): Promise<number> {
  const { mode, size } = await lstat(path);
  const isLink = (mode & 0o170_000) === 0o120_000;
  if (!isLink) await chmod(path, (mode & 0o100) === 0 ? 0o644 : 0o755);
  await lutimes(path, time, time);
  return isLink ? 0 : size;
}
