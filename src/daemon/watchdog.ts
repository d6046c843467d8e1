import { sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { sdNotify } from '../linux/systemd.ts';
import { askStatus } from '../server/ask-status.ts';

/** Signs of life in the time after which systemd takes the daemon for dead: one or two may be late on a busy node. */
const SIGNS = 4;

/**
 * How long systemd waits for a sign of life, milliseconds: sd_watchdog_enabled(3).
 * @returns undefined where it waits for none, or for those of another process.
 */
export function watchdogMs(environment: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC: microseconds = '', WATCHDOG_PID: owner = String(pid) } = environment;
  if (!/^[1-9]\d*$/.test(microseconds) || owner !== String(pid)) return undefined;
  return Number(microseconds) / 1000;
}

/**
 * Tells systemd that the daemon works, each time only after its own CRI has answered Status over its socket. So a daemon that stands
 * still, or does not let clients through, is ended and started again, and its pods go on.
 * @returns ends it.
 */
export function startWatchdog(socketPath: string, log: Log): () => void {
  const limitMs = watchdogMs(process.env, process.pid);
  const ended = new AbortController();
  if (limitMs !== undefined) void giveSigns(socketPath, limitMs, log, ended.signal);
  return () => {
    ended.abort();
  };
}

async function giveSigns(socketPath: string, limitMs: number, log: Log, signal: AbortSignal): Promise<void> {
  let wasAnswered = true;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      await askStatus(socketPath, limitMs / 2);
      sdNotify('WATCHDOG=1');
      wasAnswered = true;
    } catch (error) {
      // Told once: systemd tells the rest.
      if (wasAnswered && !isOver()) log.error('our own CRI does not answer; systemd gets no sign of life', { error: messageOf(error) });
      wasAnswered = false;
    }
    await sleep(limitMs / SIGNS, signal);
  }
}
