import type { Log } from '../base/log.ts';
import { currentOperation, note } from '../base/steps.ts';
import type { LiveConfig } from '../config/live-config.ts';
import type { ProcessWait } from '../linux/describe-wait.ts';
import { watchSlowPrograms, type SlowProgram } from '../linux/slow-programs.ts';
import { firstNames } from '../metrics/first-names.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Functions of the kernel that are told of one process; the rest says how a system call is entered. */
const FRAMES_TOLD = 10;

/** Most programs that have numbers of their own: configurations may name ever new ones. */
const MOST_PROGRAMS = 100;

/** Logs and counts programs that take long, and notes it for the work that waits for them. Returns what ends that. */
export function tellSlowPrograms(config: LiveConfig, metrics: Metrics, log: Log): () => void {
  const nameOf = firstNames(MOST_PROGRAMS);
  return watchSlowPrograms({
    thresholdMs: () => config.current.log.slowProgramMs,
    tell: (program) => {
      const words = wordsOf(program);
      const { sandboxId, containerId } = currentOperation()?.subject ?? {};
      note(words);
      metrics.add('slowPrograms', { program: nameOf(program.program) });
      // A command in a container is slow by its owner's doing.
      log[program.program === 'exec' ? 'info' : 'warn'](words, {
        pid: program.pid,
        durationMs: program.ranMs,
        ...(sandboxId === undefined ? {} : { sandboxId }),
        ...(containerId === undefined ? {} : { containerId }),
        processes: program.waits?.processes.map(lineOf) ?? [],
      });
    },
  });
}

function wordsOf({ what, ranMs, waits }: SlowProgram): string {
  const since = `${what} has not ended after ${(ranMs / 1000).toFixed(1)} s`;
  return waits === undefined ? since : `${since}: ${waits.words}`;
}

/** `runc(12) S futex: futex_do_wait < futex_wait < ...` */
function lineOf({ name, pid, state, systemCall, wchan, stack }: ProcessWait): string {
  const where = stack.length > 0 ? stack.slice(0, FRAMES_TOLD).join(' < ') : wchan;
  return `${name}(${pid}) ${state}${systemCall === '' ? '' : ` ${systemCall}`}${where === '' ? '' : `: ${where}`}`;
}
