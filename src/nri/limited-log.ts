import type { Log, LogFields } from '../base/log.ts';

const PERIOD_MS = 1000;
/** Most lines in a period; more are counted and left out. A node has some ten plugins, each of which tells of itself once or twice. */
const MOST_LINES = 20;

/** A log for lines that whoever connects can cause as often as it likes: connections that come and go without end do not fill it. */
export function limitedLog(log: Log): Log {
  let lines = 0;
  const endPeriod = (): void => {
    const leftOut = lines - MOST_LINES;
    lines = 0;
    if (leftOut > 0)
      log.warn('lines about NRI plugins from outside are left out', { reason: `${leftOut} more than ${MOST_LINES} in a second` });
  };
  const isWithin = (): boolean => {
    if (lines === 0) setTimeout(endPeriod, PERIOD_MS).unref();
    lines += 1;
    return lines <= MOST_LINES;
  };
  const limited = (inner: Log): Log => {
    const at =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (message: string, fields?: LogFields): void => {
        if (isWithin()) inner[level](message, fields);
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: (fields) => limited(inner.with(fields)) };
  };
  return limited(log);
}
