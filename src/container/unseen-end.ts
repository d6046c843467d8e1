import { uptime } from 'node:os';
import { nowNs } from '../base/time.ts';
import type { ContainerRecord, ContainerState, ExitedFields } from './container.ts';

type End = Omit<ExitedFields, 'startedAtNs'>;

/** The exit code where nobody could see how the process ended, as containerd has it. */
const UNKNOWN_EXIT_CODE = 255;
const SECOND_NS = 1_000_000_000;

/**
 * The end of a container whose process is gone, while nobody saw how.
 * @param boot the id of this boot
 */
export function unseenEnd({ bootId }: ContainerRecord, state: ContainerState, boot: string): End {
  if (bootId === boot)
    return {
      finishedAtNs: nowNs(),
      exitCode: UNKNOWN_EXIT_CODE,
      reason: 'Unknown',
      message: 'its monitor ended before it; how the process ended is not known',
    };
  const ran = 'startedAtNs' in state && state.startedAtNs !== undefined;
  return {
    finishedAtNs: endedByBoot('startedAtNs' in state ? state.startedAtNs : undefined),
    exitCode: UNKNOWN_EXIT_CODE,
    reason: 'NodeRebooted',
    message: `the node was rebooted ${ran ? 'while it ran' : 'before it was started'} (boot id ${bootId}, now ${boot})`,
  };
}

/** It ended no later than this boot began; the clock may have been set back since it was started. */
function endedByBoot(startedAtNs = 0n): bigint {
  const bootedAtNs = nowNs() - BigInt(Math.round(uptime() * SECOND_NS));
  return bootedAtNs > startedAtNs ? bootedAtNs : startedAtNs;
}

/** Words for an end of which only the monitor's exit file tells, from an earlier boot: the node's shutdown, or a moment before. */
export function endedBeforeBoot({ bootId }: ContainerRecord): string {
  return `it ended when the node was rebooted, or before (boot id ${bootId})`;
}
