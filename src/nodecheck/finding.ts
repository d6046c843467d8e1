/** What a finding is about; also the order in which they are told. */
export const AREAS = [
  'daemon',
  'kernel',
  'sysctls',
  'cgroups',
  'runtimes',
  'network',
  'disks',
  'registries',
  'clock',
  'other runtimes',
  'kubelet',
] as const;
export type Area = (typeof AREAS)[number];

/** `error`: pods cannot run, or not as asked. `warning`: some cannot, or not under load. `note`: worth to know. */
export type Level = 'ok' | 'note' | 'warning' | 'error';

/** One thing that was looked at. */
export interface Finding {
  readonly level: Level;
  readonly area: Area;
  /** What is. */
  readonly is: string;
  /** What must be, where it is not. */
  readonly must?: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** Whether `version` ("1.2.3", "v1.2.3-rc1", "conmon version 2.1.6") is `major.minor` or later; undefined where it has no number. */
export function isAtLeast(version: string, major: number, minor: number): boolean | undefined {
  const [, ofMajor, ofMinor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  if (ofMajor === undefined) return undefined;
  return Number(ofMajor) > major || (Number(ofMajor) === major && Number(ofMinor) >= minor);
}

/** Makes the findings of one area. */
export function findingsOf(area: Area): {
  ok: (is: string) => Finding;
  note: (is: string, more?: Hint) => Finding;
  warning: (is: string, more: Hint) => Finding;
  error: (is: string, more: Hint) => Finding;
} {
  return {
    ok: (is) => ({ level: 'ok', area, is }),
    note: (is, more = {}) => ({ level: 'note', area, is, ...more }),
    warning: (is, more) => ({ level: 'warning', area, is, ...more }),
    error: (is, more) => ({ level: 'error', area, is, ...more }),
  };
}

type Hint = Pick<Finding, 'must' | 'advice'>;
