import { stat } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { findingsOf, type Finding } from './finding.ts';

/** What runtimes, monitors and plugins open without a second look: path, major and minor number (Documentation/admin-guide/devices.txt). */
const NEEDED: readonly (readonly [path: string, major: number, minor: number])[] = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
];

/** One device node: what is at its path. */
export interface DeviceFacts {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  readonly is: 'right' | 'missing' | 'a file' | 'another device' | 'something else';
}

export async function readDeviceFacts(): Promise<DeviceFacts[]> {
  return Promise.all(NEEDED.map(async ([path, major, minor]) => ({ path, major, minor, is: await whatIsAt(path, major, minor) })));
}

async function whatIsAt(path: string, major: number, minor: number): Promise<DeviceFacts['is']> {
  const found = await unlessMissing(stat(path), undefined);
  if (found === undefined) return 'missing';
  // Numbers below 256 are one byte each in rdev (makedev(3)).
  if (found.isCharacterDevice()) return found.rdev === major * 256 + minor ? 'right' : 'another device';
  return found.isFile() ? 'a file' : 'something else';
}

/** A program that runs as root and replaces its output file turns /dev/null into a file that fills up and that everybody reads. */
export function judgeDevices(devices: readonly DeviceFacts[]): Finding[] {
  const { ok, error } = findingsOf('kernel');
  const wrong = devices.filter(({ is }) => is !== 'right');
  if (wrong.length === 0) return [ok(`devices: ${devices.map(({ path }) => path).join(', ')}`)];
  return wrong.map(({ path, major, minor, is }) =>
    error(`${path} is ${is}`, {
      must: `the character device ${major}:${minor}`,
      advice: `rm -f ${path}; mknod -m 666 ${path} c ${major} ${minor}`,
    }),
  );
}
