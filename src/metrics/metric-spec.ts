/** One metric: its name without the prefix `podwright_`, what it counts, and its labels. */
export interface MetricSpec {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram's buckets, in the unit of its name. */
  readonly buckets?: readonly number[];
}

/** The rows of one area, by the names that code has for them. */
export type MetricSpecs = Readonly<Record<string, MetricSpec>>;
