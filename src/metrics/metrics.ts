import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { timed } from '../base/timed.ts';
import { METRICS, PREFIX } from './table.ts';
import type { MetricSpec } from './metric-spec.ts';
import type { Labels, MetricKey, MetricsOfKind } from './table.ts';

/**
 * Node's sampled event loop delays wake the process 100 times a second, about 1% of a core, for as long as it lives.
 * `nodejs_eventloop_lag_seconds`, which is measured when asked for, stays.
 */
const SAMPLED = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map((what) => `nodejs_eventloop_lag_${what}_seconds`);
/** Gauges whose names end as a counter's must: Prometheus' own check of names refuses them. Each has one by kind beside it. */
const ILL_NAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);
const ONE_HOUR_MS = 3_600_000;

/** The daemon's metrics: those of table.ts, and what Node knows of its process. One instance, made by main.ts. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricKey, Counter>();
  readonly #gauges = new Map<MetricKey, Gauge>();
  readonly #histograms = new Map<MetricKey, Histogram>();
  readonly #readers: (() => void)[] = [];
  #rendering: Promise<string> | undefined;

  constructor() {
    for (const [key, spec] of Object.entries(METRICS) as [MetricKey, MetricSpec][]) this.#create(key, spec);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: ONE_HOUR_MS });
    for (const name of [...SAMPLED, ...ILL_NAMED]) this.#registry.removeSingleMetric(name);
  }

  #create(key: MetricKey, spec: MetricSpec): void {
    const common = { name: PREFIX + spec.name, help: spec.help, labelNames: [...spec.labels], registers: [this.#registry] };
    if (spec.kind === 'counter') this.#counters.set(key, new Counter(common));
    else if (spec.kind === 'gauge') this.#gauges.set(key, new Gauge(common));
    else this.#histograms.set(key, new Histogram(spec.buckets === undefined ? common : { ...common, buckets: [...spec.buckets] }));
  }

  /** Adds to a counter, or to a gauge (then also less than zero). */
  add<Key extends MetricsOfKind<'counter' | 'gauge'>>(key: Key, labels: Labels<Key>, by = 1): void {
    this.#counters.get(key)?.inc(labels, by);
    this.#gauges.get(key)?.inc(labels, by);
  }

  /** Sets a gauge. */
  set<Key extends MetricsOfKind<'gauge'>>(key: Key, labels: Labels<Key>, value: number): void {
    this.#gauges.get(key)?.set(labels, value);
  }

  /** Records one value of a histogram, in the unit of its name. */
  observe<Key extends MetricsOfKind<'histogram'>>(key: Key, labels: Labels<Key>, value: number): void {
    this.#histograms.get(key)?.observe(labels, value);
  }

  /** Has `set` run before each reading: for gauges of what is there anyway. It must be quick, since it runs on the event loop, and must not throw. */
  whenRead(set: () => void): void {
    this.#readers.push(set);
  }

  /** All metrics in the text format of Prometheus. Who asks meanwhile gets the same page. */
  async render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  async #render(): Promise<string> {
    for (const set of this.#readers) timed('reading of metrics', set);
    return this.#registry.metrics();
  }

  /** The media type of what {@link render} gives. */
  get contentType(): string {
    return this.#registry.contentType;
  }
}
