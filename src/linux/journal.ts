import { run } from './spawn.ts';

/** SD_MESSAGE_UNIT_OUT_OF_MEMORY, sd-messages.h: what systemd says when memory.events of a unit's cgroup has counted a kill. */
const OUT_OF_MEMORY = 'fe6faa94e7774663a0da52717891d8ef';
/** The journal answers in some 20 ms; it is asked for help, and not waited for longer than this, milliseconds. */
const ASK_MS = 5_000;

/**
 * Which of these units had a process killed for lack of memory since the boot, as systemd says in the journal.
 *
 * A scope whose cgroup is gone and that is not named had no kill: systemd reads the count of a cgroup before it removes the
 * cgroup (unit_check_oom), and `--sync` makes the journal take in all that was sent to it before it is asked. Only entries
 * that process 1 itself has written count.
 * @returns undefined where there is no journal to ask. journalctl(1), systemd.journal-fields(7)
 */
export async function unitsOutOfMemory(units: readonly string[]): Promise<ReadonlySet<string> | undefined> {
  const fields = [`MESSAGE_ID=${OUT_OF_MEMORY}`, '_PID=1', ...units.map((unit) => `UNIT=${unit}`)];
  try {
    await run('journalctl', { args: ['--sync'], timeoutMs: ASK_MS });
    const args = ['--boot', '--quiet', '--no-pager', '--output=json', '--output-fields=UNIT', ...fields];
    const { exit, stdout, heldOpen } = await run('journalctl', { args, timeoutMs: ASK_MS });
    return exit.code === 0 && !heldOpen ? parseUnits(stdout.toString()) : undefined;
  } catch {
    return undefined; // no journalctl, or one that hangs: the other sources remain
  }
}

/** The units of journal entries, each a line of JSON. */
export function parseUnits(text: string): ReadonlySet<string> {
  const entries = text.split('\n').filter((line) => line !== '');
  return new Set(entries.map((line) => String((JSON.parse(line) as { readonly UNIT?: unknown }).UNIT)));
}
