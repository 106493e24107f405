import type * as z from 'zod';
import { choice, decimal, fields, integer, text, words } from './fields.ts';
import type { Immutable } from './immutable.ts';

export const weightPolicyTypes = ['Static', 'CapacityEstimate', 'InFlight', 'LVSDynamicFeedback'] as const;
export const weightMetricsSources = ['PodMetrics', 'Prometheus', 'Endpoint'] as const;

const share = (what: string, usual: number) =>
  decimal(0, 1).optional().describe(`${what} ${usual} if omitted. Shares are divided by their sum.`);

const prometheusSchema = fields({
  query: words('a PromQL query', 2048).describe(
    'An instant query that returns one sample for each pod, with its name in the label `pod` (and its namespace, if at ' +
      'all, in `namespace`), or for each static address with `instance`. Which Prometheus is asked, the controller is told.',
  ),
  windowSeconds: integer(5, 120).describe(
    'The time that a sample is a mean of: the range of rate() in the query.',
  ),
  unit: choice(['Cores', 'Utilisation'])
    .default('Cores')
    .describe('Cores: CPU seconds per second. Utilisation: the busy part of the server, 1 is full.'),
});

const endpointSchema = fields({
  protocol: choice(['ORCA', 'AgentCheck'])
    .default('ORCA')
    .describe(
      'ORCA: an HTTP GET is answered by JSON with application_utilization or cpu_utilization, and mem_utilization. ' +
        'AgentCheck: a line of text as for the agent-check of HAProxy, in which a percentage is what is free of the server.',
    ),
  port: integer(1, 65535).describe('Port of the real server that reports. Not one that clients come by.'),
  path: text('a path such as /load', /^\/[\x21-\x7e]{0,254}$/, 255)
    .optional()
    .describe('Path of the GET of ORCA; /load if omitted. Only with protocol ORCA.'),
  intervalSeconds: integer(5, 60)
    .default(10)
    .describe('How often each director asks, and the time that an answer counts for.'),
});

const metricsSchema = fields({
  source: choice(weightMetricsSources)
    .default('PodMetrics')
    .describe(
      'PodMetrics: CPU of pods from metrics.k8s.io (metrics-server). Prometheus: a query. Endpoint: the real servers ' +
        'report themselves, and directors ask them.',
    ),
  prometheus: prometheusSchema
    .optional()
    .describe('What to ask. Required with source Prometheus, and only there.'),
  endpoint: endpointSchema
    .optional()
    .describe('Where real servers report. Required with source Endpoint, and only there.'),
});

const dynamicFeedbackSchema = fields({
  shares: fields({
    input: share('R1: new connections in the period, relative to the mean of the pool.', 0.1),
    cpu: share('R2: CPU utilisation.', 0.4),
    disk: share('R3: the used part of the disk.', 0.1),
    memory: share('R4: the used part of the memory.', 0.1),
    processes: share('R5: processes, 1 is as many as there should be.', 0.1),
    response: share('R6: response time, relative to the mean of the pool.', 0.2),
  })
    .optional()
    .describe('How much each input counts. An input that no source reports counts nothing.'),
  gain: decimal(0.01, 1000).optional().describe('A: how far a weight moves in one period. 5 if omitted.'),
  target: decimal(0.01, 10).optional().describe('The load at which a weight stays. 0.95 if omitted.'),
  scale: decimal(1, 100)
    .optional()
    .describe('Highest weight in multiples of the base weight. 10 if omitted.'),
  floor: decimal(0.01, 100)
    .optional()
    .describe('Lowest weight in multiples of the base weight. 1 if omitted.'),
  threshold: decimal(0, 1000)
    .optional()
    .describe('A weight is written when it moved by more than this since it was written. 1 if omitted.'),
  periodSeconds: integer(5, 300).optional().describe('Time between two steps. 10 if omitted.'),
});

export const weightPolicySchema = fields({
  type: choice(weightPolicyTypes)
    .default('Static')
    .describe(
      'Static: the weights of the RealServers, as written. CapacityEstimate: by what each server completes per CPU, and ' +
        'by its backlog. InFlight: by connections alone, without metrics of pods. LVSDynamicFeedback: the formula that ' +
        'the authors of LVS published. Other than Static needs a cluster and one of the schedulers wrr, wlc, sed, nq.',
    ),
  base: choice(['Prior', 'Policy'])
    .optional()
    .describe(
      'What the weight of a RealServer means. Prior: where to begin, and what to fall back to. Policy: a wish that ' +
        'stays, and what the load says is multiplied by it. Prior if omitted. Only with CapacityEstimate and InFlight.',
    ),
  minPercent: integer(1, 100)
    .optional()
    .describe(
      'No weight below this part of the base weight. 10 if omitted. Only with CapacityEstimate and InFlight.',
    ),
  maxPercent: integer(100, 1000)
    .optional()
    .describe(
      'No weight above this part of the base weight. 400 if omitted. Only with CapacityEstimate and InFlight.',
    ),
  metrics: metricsSchema
    .optional()
    .describe(
      'Where metrics come from; PodMetrics if omitted. Only with CapacityEstimate and LVSDynamicFeedback.',
    ),
  dynamicFeedback: dynamicFeedbackSchema
    .optional()
    .describe('Parameters of the formula. Only with LVSDynamicFeedback.'),
});

export type WeightPolicySpec = Immutable<z.output<typeof weightPolicySchema>>;
export type WeightMetricsSpec = NonNullable<WeightPolicySpec['metrics']>;
export type PrometheusMetricsSpec = NonNullable<WeightMetricsSpec['prometheus']>;
export type EndpointMetricsSpec = NonNullable<WeightMetricsSpec['endpoint']>;

/** Whether weights are to be computed from the load, and not taken as they are written. */
export function followsLoad({
  weightPolicy,
}: {
  readonly weightPolicy?: WeightPolicySpec | undefined;
}): boolean {
  return weightPolicy !== undefined && weightPolicy.type !== 'Static';
}

/** Where the metrics of a policy come from; undefined: it needs none. */
export function metricsOf(policy: WeightPolicySpec | undefined): WeightMetricsSpec | undefined {
  if (policy === undefined || policy.type === 'Static' || policy.type === 'InFlight') return undefined;
  return policy.metrics ?? { source: 'PodMetrics' };
}
