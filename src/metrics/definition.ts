/** What is known of a metric before there is a number. */
export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence for people; it stands in the text that is read and in docs/metrics.md. */
  readonly help: string;
  /** Names of the labels, in the order in which they are written. @default none */
  readonly labels?: readonly string[];
  /** Counters and histograms: values of the labels that are there from the start, at zero. */
  readonly seeds?: readonly Readonly<Record<string, string>>[];
  /** Histograms: upper bounds, ascending. */
  readonly buckets?: readonly number[];
}

export type MetricDefinitions = Readonly<Record<string, MetricDefinition>>;

/** Metrics that a process has or has not together. */
export interface MetricGroup {
  readonly title: string;
  /** Which processes tell them. */
  readonly toldBy: string;
  readonly metrics: MetricDefinitions;
}
