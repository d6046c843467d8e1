import { readlink } from 'node:fs/promises';
import { PLAIN_ENVIRONMENT, run } from '../linux/spawn.ts';
import type { Part } from './part.ts';
import { readEnd } from './read-end.ts';

const JOURNAL_LINES = 5_000;
const JOURNAL_MS = 10_000;
const FILE_BYTES = 2 * 1024 * 1024;

/** The last lines of the daemon's log: the file that its standard error is, or else the journal of its unit. */
export const logPart: Part = {
  file: 'daemon.log',
  what: "the end of the daemon's log",
  limitMs: JOURNAL_MS + 1_000,
  keepsEnd: true,
  isLate: true,
  read: async ({ daemonPid }) => {
    const pid = await daemonPid();
    const target = pid === undefined ? '' : await readlink(`/proc/${pid}/fd/2`).catch(() => '');
    return target.startsWith('/') && !target.startsWith('/dev/') ? readEnd(target, FILE_BYTES) : readJournal();
  },
};

async function readJournal(): Promise<string> {
  const args = ['--unit', 'podwright', '--no-pager', '--quiet', '--output', 'short-iso-precise', '--lines', String(JOURNAL_LINES)];
  const { exit, stdout, stderr } = await run('journalctl', {
    args,
    env: PLAIN_ENVIRONMENT,
    timeoutMs: JOURNAL_MS,
    outputLimitBytes: FILE_BYTES,
    mayBeCut: true,
  });
  if (exit.code !== 0) throw new Error(`journalctl: ${stderr.toString().trim()}`);
  return stdout.toString();
}
