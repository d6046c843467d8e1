import { join } from 'node:path';
import { execa } from 'execa';
import type { TestDaemon } from './daemon.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/podwright');

/** The command line and environment of one of the commands that ask the CRI, for this daemon. */
export function viewCommand(
  daemon: TestDaemon,
  [command = '', ...args]: readonly string[],
): { line: string[]; env: Record<string, string> } {
  const own = [
    '--config',
    join(daemon.directory, 'podwright.toml'),
    '--config-dir',
    join(daemon.directory, 'conf.d'),
    '--listen',
    daemon.socket,
  ];
  return {
    line: [PROGRAM, command, ...own, ...args],
    env: process.env['PODWRIGHT_DIST'] === undefined ? { PODWRIGHT_FROM_SOURCE: '1' } : {},
  };
}

export interface Viewed {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs such a command and does not mind how it ends. */
export async function view(daemon: TestDaemon, args: readonly string[], input: string | Buffer = ''): Promise<Viewed> {
  const { line, env } = viewCommand(daemon, args);
  const [program = '', ...rest] = line;
  const { exitCode, stdout, stderr } = await execa(program, rest, { timeout: 60_000, reject: false, stripFinalNewline: false, env, input });
  return { exitCode, stdout, stderr };
}
