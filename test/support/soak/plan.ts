import type { Behaviour } from '../cni.ts';
import { seededRandom } from '../random-messages.ts';

/** How the process of a container comes to its end. */
export type End = 'exits' | 'is stopped' | 'is killed';

/** What is to become of one container. */
export interface ContainerPlan {
  readonly end: End;
  /** Of an exit, or of the signal handler. */
  readonly code: number;
  /** How long it runs before it exits, or before it is stopped, milliseconds. */
  readonly lifeMs: number;
}

export interface PodPlan {
  readonly number: number;
  /** One after the other: a restart is the next attempt. */
  readonly containers: readonly ContainerPlan[];
  readonly sharesPids: boolean;
  readonly hasPort: boolean;
}

/** A whole run, which a seed decides but for the order in which the kernel lets things happen. */
export interface SoakPlan {
  readonly pods: readonly PodPlan[];
  readonly adds: readonly Behaviour[];
  readonly dels: readonly Behaviour[];
  /** One of each ten pods: the daemon is killed so many steps, and then so long, after the first of the ten begins. */
  readonly kills: readonly { readonly steps: number; readonly delayMs: number; readonly downMs: number }[];
}

const PODS_A_KILL = 10;
/** Steps of ten pods without a fault: each has about nine. */
const STEPS_A_KILL = 85;
const ADD_FAULTS: readonly Behaviour[] = ['fails', 'fails-plainly', 'fails-silently', 'crashes', 'answers-garbage', 'hangs'];
const DEL_FAULTS: readonly Behaviour[] = ['fails', 'fails-plainly', 'crashes', 'hangs'];
const ADD_FAULT_SHARE = 0.2;
const DEL_FAULT_SHARE = 0.1;
/** What SIGKILL leaves: 128 + 9. */
const KILLED = 137;

/** The code that must be told. */
export function exitCodeOf({ end, code }: ContainerPlan): number {
  return end === 'is killed' ? KILLED : code;
}

export function planSoak(seed: number, podCount: number): SoakPlan {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const one = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const list = <T>(length: number, make: (index: number) => T): T[] => Array.from({ length }, (_, index) => make(index));
  const lots = (share: number, faults: readonly Behaviour[]): Behaviour[] =>
    list(podCount * 4, () => (random() < share ? one(faults) : 'passes'));
  return {
    pods: list(podCount, (number) => ({
      number,
      containers: list(1 + below(2), () => ({
        end: one(['exits', 'is stopped', 'is killed'] as const),
        code: below(256),
        lifeMs: below(2000),
      })),
      sharesPids: random() < 0.25,
      hasPort: random() < 0.25,
    })),
    adds: lots(ADD_FAULT_SHARE, ADD_FAULTS),
    dels: lots(DEL_FAULT_SHARE, DEL_FAULTS),
    kills: list(Math.floor(podCount / PODS_A_KILL), () => ({ steps: below(STEPS_A_KILL), delayMs: below(400), downMs: below(1000) })),
  };
}
