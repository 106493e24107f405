/**
 * load: what the world tells of the work of real servers, made into what `weight` understands.
 *
 * Owns the ways to it: the counters of directors, pod metrics of the cluster, a Prometheus, and servers that report
 * themselves. Promises that nothing a source does costs more than that source: every answer has a limit of bytes and of
 * time, no redirect is followed, and what cannot be read is an error that says whose fault it is. Refuses to compute a
 * weight, to know which virtual service asks, and to believe a number: judging them is for `weight`.
 */
export { boundedGet, plainAgent, verifiedAgent } from './bounded-get.ts';
export type { BoundedGetOptions } from './bounded-get.ts';
export { parseCounters } from './counters.ts';
export type { AgentReport, CountersDocument, ServiceCounters } from './counters.ts';
export { DirectorPoller } from './director-poller.ts';
export type { CountersReport, DirectorPollerOptions, PolledDirector } from './director-poller.ts';
export { loadError } from './load-error.ts';
export { readPodMetrics } from './pod-metrics.ts';
export type { PodMetric } from './pod-metrics.ts';
export { PrometheusClient } from './prometheus.ts';
export type { PrometheusOptions, PrometheusSample } from './prometheus.ts';
export { askReport } from './ask-report.ts';
export type { ReportQuestion } from './ask-report.ts';
export { ReportPoller } from './report-poller.ts';
export type { ReportPollerOptions, ReportTarget } from './report-poller.ts';
export { parseAgentCheck, parseOrca } from './server-report.ts';
export type { ServerReport } from './server-report.ts';
