import type { MetricSpecs } from './metric-spec.ts';

/** What hangs. */
export const TROUBLE_METRICS = {
  slowPrograms: {
    name: 'slow_programs_total',
    kind: 'counter',
    labels: ['program'],
    help: 'Programs that took longer than log.slow_program, and commands in containers (`exec`) whose timeout was over, by program. The log says what they waited for.',
  },
} as const satisfies MetricSpecs;
