import type { Log } from '../base/log.ts';
import { addStepSink, outsideOfRequests } from '../base/steps.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/schema.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { traceSink } from '../tracing/trace-sink.ts';

/** Makes spans from now on, where the configuration says where to. @returns what ends that. */
export async function startTracing({ tracing }: Config, metrics: Metrics, log: Log): Promise<() => Promise<void>> {
  const { endpoint, samplingRatePerMillion } = tracing;
  if (endpoint === '') return async () => Promise.resolve();
  const { openOtlp } = await import('../tracing/otlp.ts');
  let isTold = false;
  const writer = openOtlp({
    endpoint,
    version: VERSION,
    samplesPerMillion: samplingRatePerMillion,
    tell: (outcome, count, why) => {
      // It comes in the turn of a timer that some call has begun.
      outsideOfRequests(() => {
        metrics.add('traceSpans', { outcome }, count);
        // One line when it begins to fail, and one when it works again.
        if (outcome === 'failed' && !isTold) log.warn('the receiver of traces does not take them', { url: endpoint, error: why });
        if (outcome === 'sent' && isTold) log.info('the receiver of traces takes them again', { url: endpoint });
        if (outcome !== 'dropped') isTold = outcome === 'failed';
      });
    },
  });
  for (const outcome of ['sent', 'dropped', 'failed']) metrics.add('traceSpans', { outcome }, 0);
  const remove = addStepSink(traceSink(writer));
  return async () => {
    remove();
    await writer.close();
  };
}
