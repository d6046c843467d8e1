import { readFile, stat } from 'node:fs/promises';
import { messageOf, unlessMissing } from '../base/errors.ts';
import type { OciMount } from '../ocispec/oci-types.ts';

/**
 * The mounts of a file as CRI-O's `default_mounts_file` and podman's mounts.conf: a line is `/SOURCE:/DESTINATION` or the one path of
 * both; others are comments. A source that is not there is left out, and so is a file that is not there. They copy the content for each
 * container; here it is bound, read-only, as `default_mounts` are: what changes on the node is seen.
 * @param warn told of what is left out and should not have been there.
 */
export async function readMountsFile(path: string, warn: (words: string) => void): Promise<OciMount[]> {
  if (path === '') return [];
  const mounts: OciMount[] = [];
  try {
    for (const line of linesOf(await unlessMissing(readFile(path, 'utf8'), ''))) {
      const mount = mountOf(line);
      if (mount === undefined) warn(`default_mounts_file ${path}: "${line}" is left out, must be /SOURCE:/DESTINATION without ..`);
      else if (await isThere(mount.source)) mounts.push(mount);
    }
  } catch (error) {
    warn(`default_mounts_file ${path} cannot be used: ${messageOf(error)}`);
  }
  return mounts;
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('/'));
}

function mountOf(line: string): OciMount | undefined {
  const [source = '', destination = source, ...more] = line.split(':');
  const isPath = (path: string): boolean => path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0');
  const place = destination.replace(/(.)\/+$/, '$1');
  if (more.length > 0 || !isPath(source) || !isPath(place) || place === '/') return undefined;
  return { destination: place, type: 'bind', source, options: ['rbind', 'rprivate', 'ro'] };
}

async function isThere(path: string): Promise<boolean> {
  return (await unlessMissing(stat(path), undefined)) !== undefined;
}
