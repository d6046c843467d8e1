import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDaemon } from './daemon.ts';
import { findProgram } from './find-program.ts';

const path = await findProgram('crictl', process.env['CRICTL']);

/** Why tests with crictl cannot run here; false where they can. */
export const noCrictl: string | false = path === undefined && 'crictl is neither $CRICTL nor in PATH';

/**
 * The program and arguments of a crictl that talks to this daemon. Its configuration is a file of the daemon's own: without
 * one crictl takes /etc/crictl.yaml, and where that is missing a warning stands in front of each standard error.
 */
export async function crictlCommand(daemon: TestDaemon, args: readonly string[]): Promise<[program: string, args: string[]]> {
  if (path === undefined) throw new Error('crictl: is not here, the test must be skipped');
  const file = join(daemon.directory, 'crictl.yaml');
  const endpoint = `unix://${daemon.socket}`;
  await writeFile(file, `runtime-endpoint: ${endpoint}\nimage-endpoint: ${endpoint}\ntimeout: 30\n`);
  return [path, ['--config', file, ...args]];
}
