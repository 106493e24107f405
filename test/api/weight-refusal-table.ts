import { virtualService } from './objects.ts';
import type { RefusalRow } from './objects.ts';

const at = 'spec.weightPolicy';
const policy = (weightPolicy: object, spec: object = {}) => virtualService({ weightPolicy, ...spec });
const underScheduler = (scheduler: string, why: string): RefusalRow => [
  `weights that follow the load under ${scheduler}`,
  policy({ type: 'CapacityEstimate' }, { scheduler }),
  `SchedulerIgnoresWeights: ${at}.type cannot be CapacityEstimate: ${why}`,
];
const affinity =
  'would send clients to other real servers at every change of a weight; use wlc, or sed with persistence';
const overload = 'reads the weight as the number of connections above which a server is overloaded; use wlc';
const adaptive = 'applies to type CapacityEstimate and InFlight only, and the type is';
const measured = 'applies to type CapacityEstimate and LVSDynamicFeedback only, and the type is';
const metrics = (fields: object) => policy({ type: 'CapacityEstimate', metrics: fields });
const prometheus = { query: 'up', windowSeconds: 30 };

/** What one can get wrong about weights that follow the load. */
export const weightRefusals: readonly RefusalRow[] = [
  underScheduler('rr', 'rr gives every real server the same share and ignores weights; use wrr'),
  underScheduler('lc', 'lc looks at connections alone and ignores weights; use wlc'),
  underScheduler('dh', 'dh picks by the destination address and ignores weights; use wlc or sed'),
  underScheduler('sh', `sh ${affinity}`),
  underScheduler('mh', `mh ${affinity}`),
  underScheduler('lblc', `lblc ${overload}`),
  underScheduler('lblcr', `lblcr ${overload}`),
  underScheduler('fo', 'fo sends everything to the real server with the highest weight; use wlc'),
  underScheduler(
    'ovf',
    'ovf reads the weight as the number of connections that a real server takes; use wlc',
  ),
  [
    'a weight policy that does not exist',
    policy({ type: 'CapacityEstimates' }),
    `InvalidValue: ${at}.type must be one of Static, CapacityEstimate, InFlight, LVSDynamicFeedback, ` +
      'not "CapacityEstimates"; did you mean "CapacityEstimate"?',
  ],
  [
    'limits and metrics of weights that stay as they are',
    policy({ base: 'Prior', minPercent: 50, maxPercent: 200, metrics: {} }),
    `WeightPolicyMismatch: ${at}.base ${adaptive} Static`,
    `WeightPolicyMismatch: ${at}.minPercent ${adaptive} Static`,
    `WeightPolicyMismatch: ${at}.maxPercent ${adaptive} Static`,
    `WeightPolicyMismatch: ${at}.metrics ${measured} Static`,
  ],
  [
    'a slow start beside weights that rise by themselves',
    policy({ type: 'InFlight' }, { slowStart: { durationSeconds: 60 } }),
    'SlowStartUnused: spec.slowStart cannot be had beside weightPolicy InFlight, which gives new servers a rising share ' +
      'itself; remove one of them',
  ],
  [
    'metrics for InFlight',
    policy({ type: 'InFlight', metrics: {} }),
    `WeightPolicyMismatch: ${at}.metrics ${measured} InFlight`,
  ],
  [
    'parameters of another formula',
    policy({ type: 'CapacityEstimate', dynamicFeedback: { gain: 2 } }),
    `WeightPolicyMismatch: ${at}.dynamicFeedback applies to type LVSDynamicFeedback only, and the type is CapacityEstimate`,
  ],
  [
    'minPercent 0',
    policy({ type: 'InFlight', minPercent: 0 }),
    `InvalidValue: ${at}.minPercent must be a whole number from 1 to 100, not 0`,
  ],
  [
    'maxPercent 99',
    policy({ type: 'InFlight', maxPercent: 99 }),
    `InvalidValue: ${at}.maxPercent must be a whole number from 100 to 1000, not 99`,
  ],
  [
    'Prometheus without a query',
    metrics({ source: 'Prometheus' }),
    `WeightMetricsMismatch: ${at}.metrics.prometheus is required with source Prometheus: the query to ask`,
  ],
  [
    'a query for PodMetrics',
    metrics({ prometheus }),
    `WeightMetricsMismatch: ${at}.metrics.prometheus applies to source Prometheus only, and the source is PodMetrics`,
  ],
  [
    'a query without its window',
    metrics({ source: 'Prometheus', prometheus: { query: 'up' } }),
    `MissingField: ${at}.metrics.prometheus.windowSeconds is required: a whole number from 5 to 120`,
  ],
  [
    'servers that report without a port',
    metrics({ source: 'Endpoint' }),
    `WeightMetricsMismatch: ${at}.metrics.endpoint is required with source Endpoint: the port where real servers report`,
  ],
  [
    'a port of reports for a query',
    metrics({ source: 'Prometheus', prometheus, endpoint: { port: 9000 } }),
    `WeightMetricsMismatch: ${at}.metrics.endpoint applies to source Endpoint only, and the source is Prometheus`,
  ],
  [
    'a path for an agent check',
    metrics({ source: 'Endpoint', endpoint: { protocol: 'AgentCheck', port: 9000, path: '/load' } }),
    `WeightMetricsMismatch: ${at}.metrics.endpoint.path applies to protocol ORCA only: an agent check has no path`,
  ],
  [
    'reports at the port of the kubelet',
    metrics({ source: 'Endpoint', endpoint: { port: 10250 } }),
    `WeightMetricsMismatch: ${at}.metrics.endpoint.port belongs to the control plane; choose the port where real servers report`,
  ],
  [
    'a path that is a whole URL',
    metrics({ source: 'Endpoint', endpoint: { port: 9000, path: 'http://example.org/' } }),
    `InvalidValue: ${at}.metrics.endpoint.path must be a path such as /load, not "http://example.org/"`,
  ],
  [
    'a floor above the scale',
    policy({ type: 'LVSDynamicFeedback', dynamicFeedback: { floor: 11 } }),
    `WeightLimitsCrossed: ${at}.dynamicFeedback.floor is above ${at}.dynamicFeedback.scale, ` +
      'so that no weight lies between them',
  ],
  [
    'a share above 1',
    policy({ type: 'LVSDynamicFeedback', dynamicFeedback: { shares: { cpu: 2 } } }),
    `InvalidValue: ${at}.dynamicFeedback.shares.cpu must be a number from 0 to 1, not 2`,
  ],
];
