import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { isSystemError, messageOf } from '../base/errors.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** Writes a file that its owner alone may read, and that is there only when it is whole. */
export async function writePrivateFile(path: string, write: (target: Writable) => Promise<void>): Promise<void> {
  const partial = `${path}.${process.pid}.part`;
  try {
    await write(createWriteStream(partial, { flags: 'wx', mode: 0o600 }));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw isSystemError(error) ? new CliError(EXIT.failed, messageOf(error), { cause: error }) : error;
  }
}

/** `podwright-NAME-2026-11-26T18-45-33.ENDING`, in the working directory. */
export function defaultFile(name: string, ending: string): string {
  return `podwright-${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.${ending}`;
}
