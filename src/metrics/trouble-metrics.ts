import type { MetricSpecs } from './metric-spec.ts';

/** What hangs, and what ran out of memory. */
export const TROUBLE_METRICS = {
  oomKills: {
    name: 'oom_kills_total',
    kind: 'counter',
    labels: ['level'],
    help: 'Containers that ended after the kernel had killed a process of theirs for lack of memory, by whose limit was met: `container`, `pod`, `node` (also that of a cgroup above the pod), `unknown`.',
  },
  slowPrograms: {
    name: 'slow_programs_total',
    kind: 'counter',
    labels: ['program'],
    help: 'Programs that took longer than log.slow_program, and commands in containers (`exec`) whose timeout was over, by program (`other` after a hundred of them). The log says what they waited for.',
  },
} as const satisfies MetricSpecs;
