import { Session } from 'node:inspector';
import { reasonOf, sleep } from '../base/deadline.ts';
import { fail } from '../base/errors.ts';
import { timed } from '../base/timed.ts';

/** Most a profile may have, bytes: a minute has some five million. */
const LIMIT_BYTES = 128 * 1024 * 1024;
/** How often the thread is looked at, microseconds: a profile of a minute must stay small, and the looking cheap. */
const INTERVAL_US = 1_000;

/**
 * What the event loop's thread does for so long, as DevTools and VS Code read it (.cpuprofile). The loop goes on meanwhile; only the
 * end, when the profile is put together, holds it up.
 * @throws the signal's reason when it aborts first.
 */
export async function takeCpuProfile(durationMs: number, signal: AbortSignal): Promise<string> {
  const session = new Session();
  session.connect();
  try {
    timed('cpu profile', () => {
      session.post('Profiler.enable');
      session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
      session.post('Profiler.start');
    });
    await sleep(durationMs, signal);
    if (signal.aborted) throw reasonOf(signal);
    const text = timed('cpu profile', () => {
      let found: unknown;
      session.post('Profiler.stop', (error, answer) => {
        if (error !== null) throw error;
        found = answer.profile;
      });
      return JSON.stringify(found);
    });
    if (text.length > LIMIT_BYTES)
      return fail('ResourceExhausted', `debug profile: it has ${text.length} bytes, must have ${LIMIT_BYTES} or fewer: take fewer seconds`);
    return text;
  } finally {
    session.disconnect();
  }
}
