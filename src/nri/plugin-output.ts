import type { Socket } from 'node:net';
import type { Log } from '../base/log.ts';

/** Longest line of a plugin that is logged as one, characters. */
const LINE_LIMIT = 4096;
const PERIOD_MS = 1000;
/** Most lines that are logged of one output in a period; more are counted and left out, so that the plugin is not held up. */
const MOST_LINES = 100;
/** Most that is read of one output in a period, characters: then the plugin waits, or it would keep the event loop busy. */
const MOST_CHARACTERS = 1024 * 1024;

/** Writes each line that a plugin writes to the log, one that is too long in pieces; of one that does not stop so many and no more. */
export function logOutput(pipe: Socket, plugin: string, log: Log): void {
  let rest = '';
  let lines = 0;
  let characters = 0;
  let period: NodeJS.Timeout | undefined;
  const tell = (output: string): void => {
    if (output.trim() === '') return;
    lines += 1;
    if (lines <= MOST_LINES) log.info('an NRI plugin says', { plugin, output });
  };
  const endPeriod = (): void => {
    clearTimeout(period);
    period = undefined;
    const leftOut = lines - MOST_LINES;
    if (leftOut > 0) log.warn('lines of an NRI plugin are left out', { plugin, reason: `${leftOut} more than ${MOST_LINES} in a second` });
    lines = 0;
    characters = 0;
    pipe.resume();
  };
  pipe.setEncoding('utf8');
  pipe.on('data', (text: string) => {
    period ??= setTimeout(endPeriod, PERIOD_MS);
    characters += text.length;
    if (characters > MOST_CHARACTERS) pipe.pause();
    const complete = (rest + text).split('\n');
    rest = complete.pop() ?? '';
    for (const line of complete) tell(line.slice(0, LINE_LIMIT));
    for (; rest.length > LINE_LIMIT; rest = rest.slice(LINE_LIMIT)) tell(rest.slice(0, LINE_LIMIT));
  });
  pipe.once('close', () => {
    tell(rest);
    endPeriod();
  });
}
