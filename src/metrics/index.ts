/**
 * metrics: every number that a process tells, by name.
 *
 * Owns the names, types, labels and explanations of all metrics, in one readable place, and the text that Prometheus
 * reads. Promises that what is documented is what is told; that counters of errors are there at zero from the start;
 * that the series of an object end with the object; and that telling tens of thousands of series takes the event loop
 * in small slices. Refuses to know where a number comes from: rooms count in plain numbers, and whoever composes a
 * process says at each reading what they are.
 */
export { metricsContentType, Metrics } from './metrics.ts';
export type { HistogramReading, HistogramSamples, MetricSamples } from './metrics.ts';
export { labels, withLabels } from './labels.ts';
export type { LabelText } from './labels.ts';
export {
  clusterMetrics,
  controllerMetrics,
  directorMetrics,
  metricGroups,
  processMetrics,
} from './definitions.ts';
export { healthMetrics } from './health-definitions.ts';
export { weightMetrics } from './weight-definitions.ts';
export type { MetricDefinition, MetricDefinitions, MetricGroup } from './definition.ts';
export { provideProcessMetrics } from './process-metrics.ts';
