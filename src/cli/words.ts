import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import { isoTime } from '../base/time.ts';

const NS_PER_MS = 1_000_000n;
const STEPS: readonly (readonly [seconds: number, unit: string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'm'],
];

/** How long ago a time of the CRI (nanoseconds) was: `42s`, `7m`, `3h`, `12d`. Two units where one would hide half. */
export function ageText(ns: bigint, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - Number(ns / NS_PER_MS)) / 1000));
  for (const [index, [size, unit]] of STEPS.entries()) {
    if (seconds < 2 * size) continue;
    const [smaller, smallerUnit] = STEPS[index + 1] ?? [1, 's'];
    const rest = seconds < 10 * size ? Math.floor((seconds % size) / smaller) : 0;
    return rest === 0 ? `${Math.floor(seconds / size)}${unit}` : `${Math.floor(seconds / size)}${unit}${rest}${smallerUnit}`;
  }
  return `${seconds}s`;
}

/** A time of the CRI as RFC 3339 has it, in UTC; undefined for 0, which says that it never was. */
export function timeText(ns: bigint): string | undefined {
  return ns === 0n ? undefined : isoTime(ns);
}

export function podStateText(state: PodSandboxState): string {
  return state === PodSandboxState.SANDBOX_READY ? 'ready' : 'notready';
}

export function containerStateText(state: ContainerState): string {
  if (state === ContainerState.CONTAINER_CREATED) return 'created';
  if (state === ContainerState.CONTAINER_RUNNING) return 'running';
  return state === ContainerState.CONTAINER_EXITED ? 'exited' : 'unknown';
}
