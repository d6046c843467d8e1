import type { StepSink } from '../base/steps.ts';
import type { Metrics } from './metrics.ts';

/** Counts steps and operations. */
export function stepMetrics(metrics: Metrics): StepSink {
  return {
    stepEnded: ({ name, durationMs, error }) => {
      metrics.observe('stepSeconds', { step: name, outcome: outcomeOf(error) }, (durationMs ?? 0) / 1000);
    },
    operationEnded: ({ what, durationMs, error }) => {
      metrics.observe('operationSeconds', { operation: what, outcome: outcomeOf(error) }, (durationMs ?? 0) / 1000);
    },
  };
}

function outcomeOf(error: string | undefined): string {
  return error === undefined ? 'ok' : 'failed';
}
