import type { MetricDefinitions } from './definition.ts';

/** Of what follows the load alone; a weight that somebody wrote is in no series here. */
const perAddress = ['virtual_service', 'address'] as const;

/** The names that `src/weight` has for why a weight is what it is; a test compares the two. */
const weightReasons = [
  'Configured',
  'Base',
  'FromLoad',
  'InFlight',
  'Ramp',
  'StaleMetrics',
  'FewFreshMetrics',
  'FadingToBase',
  'NoConnectionReadings',
  'LittleLoad',
  'SchedulerIgnoresWeights',
];

/** The same for samples and readings that are left out. */
const rejections = [
  'NotANumber',
  'Negative',
  'Huge',
  'ClockAhead',
  'TooOld',
  'WindowOutOfRange',
  'NothingToCompareWith',
  'NotWatched',
  'TooYoung',
  'ImpossibleReading',
];

/** What moves weights, and what keeps them from moving. */
export const weightMetrics = {
  lvs_controller_weight_pools: {
    type: 'gauge',
    help: 'VirtualServices whose weights are to follow the load: following it, held where they are, fading to the base weights, or at these because nothing is known yet.',
    labels: ['state'],
  },
  lvs_controller_virtual_service_weights: {
    type: 'gauge',
    help: 'Always 1 for a VirtualService whose weights are to follow the load; the reason is that of its condition WeightsFromLoad.',
    labels: ['virtual_service', 'reason'],
  },
  lvs_controller_real_server_weight: {
    type: 'gauge',
    help: 'The weight that kernels are to have now, health checks apart; 0 drains.',
    labels: perAddress,
  },
  lvs_controller_real_server_capacity_estimate: {
    type: 'gauge',
    help: 'What the real server completes per unit of its CPU, 1 is the mean of its pool; LVSDynamicFeedback: its aggregate load. Absent until known.',
    labels: perAddress,
  },
  lvs_controller_real_server_in_flight_factor: {
    type: 'gauge',
    help: 'What connections in flight leave of its share: 1 is all, less is a server with a backlog.',
    labels: perAddress,
  },
  lvs_controller_real_server_metric_age_seconds: {
    type: 'gauge',
    help: 'Since the end of the window of its last usable sample. Absent until there was one.',
    labels: perAddress,
  },
  lvs_controller_weight_writes_total: {
    type: 'counter',
    help: 'Weights that were written because of the load, by the reason of the new weight.',
    labels: ['reason'],
    seeds: weightReasons.map((reason) => ({ reason })),
  },
  lvs_controller_weight_inputs_left_out_total: {
    type: 'counter',
    help: 'Samples of metrics and readings of connections of which no use could be made, by reason. Samples that are merely served again are not counted.',
    labels: ['reason'],
    seeds: rejections.map((reason) => ({ reason })),
  },
  lvs_controller_weight_source_errors_total: {
    type: 'counter',
    help: 'Questions without a usable answer: of metrics.k8s.io, of Prometheus, of counters of directors.',
    labels: ['source'],
    seeds: ['PodMetrics', 'Prometheus', 'Directors'].map((source) => ({ source })),
  },
} as const satisfies MetricDefinitions;
