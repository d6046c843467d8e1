import { access } from 'node:fs/promises';
import { PLAIN_ENVIRONMENT, run } from './spawn.ts';

/** How long systemd may take to say what it does, milliseconds; its answer is of help, and not waited for longer. */
const ASK_MS = 2_000;
/** How long an answer counts for all that ask, milliseconds. */
const KEEP_MS = 1_000;
/** There where systemd is process 1, sd_booted(3). */
const SYSTEMD = '/run/systemd/system';

let last: { readonly atMs: number; readonly answer: Promise<boolean> } | undefined;

/**
 * Whether systemd takes the node down. It ends the scopes of containers then, after the kubelet and before us. Asked at most once
 * a second; false where there is no systemd, or it does not answer.
 */
export async function isNodeShuttingDown(): Promise<boolean> {
  if (last === undefined || performance.now() - last.atMs > KEEP_MS) last = { atMs: performance.now(), answer: ask() };
  return last.answer;
}

/** `systemctl is-system-running` asks systemd itself, and needs no D-Bus, which may have ended before. */
async function ask(): Promise<boolean> {
  try {
    await access(SYSTEMD);
    const { stdout } = await run('systemctl', { args: ['is-system-running'], env: PLAIN_ENVIRONMENT, timeoutMs: ASK_MS });
    return stdout.toString().trim() === 'stopping';
  } catch {
    return false;
  }
}
