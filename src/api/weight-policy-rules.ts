import type { ResourceRule, RuleViolation } from './problem.ts';
import type { VirtualServiceSpec } from './virtual-service.ts';
import { weightObstacles, refuseDynamicWeights } from './weight-schedulers.ts';

const at = ['spec', 'weightPolicy'];
const adaptive = ['CapacityEstimate', 'InFlight'];
const measured = ['CapacityEstimate', 'LVSDynamicFeedback'];

/** Fields that mean nothing under some types. */
const bound = [
  ['base', adaptive],
  ['minPercent', adaptive],
  ['maxPercent', adaptive],
  ['metrics', measured],
  ['dynamicFeedback', ['LVSDynamicFeedback']],
] as const;

const metricsAt = [...at, 'metrics'];
const sources = [
  ['prometheus', 'Prometheus', 'the query to ask'],
  ['endpoint', 'Endpoint', 'the port where real servers report'],
] as const;

/** As the formula has them. */
const defaultFloor = 1;
const defaultScale = 10;

const ownRamp = 'which gives new servers a rising share itself; remove one of them';

/** Of the kubelet, the API server and etcd (CVE-2021-25740): directors ask with the network of their host. */
const controlPorts = [10250, 6443, 2379, 2380];
const portIsControl = 'belongs to the control plane; choose the port where real servers report';
const pathNeedsOrca = 'applies to protocol ORCA only: an agent check has no path';
const floorAboveScale =
  'is above spec.weightPolicy.dynamicFeedback.scale, so that no weight lies between them';

/** What the structure of a weightPolicy cannot say. */
export const weightPolicyRules: readonly ResourceRule<VirtualServiceSpec>[] = [
  {
    name: 'SchedulerIgnoresWeights',
    promise: 'weightPolicy.type is other than Static only where the scheduler reads weights as shares.',
    violations: ({ scheduler, weightPolicy }) => {
      if (weightPolicy === undefined || weightPolicy.type === 'Static') return [];
      const obstacle = refuseDynamicWeights(scheduler);
      if (obstacle === undefined) return [];
      return [{ path: [...at, 'type'], message: `cannot be ${weightPolicy.type}: ${obstacle}` }];
    },
    cel: [
      {
        at: ['spec'],
        rule:
          "!has(self.weightPolicy) || self.weightPolicy.type == 'Static' || " +
          `!(self.scheduler in [${Object.keys(weightObstacles).map(quote).join(', ')}])`,
        message: 'needs a scheduler that reads weights as shares: wrr, wlc, sed or nq',
        messageExpression: `'cannot be %s: %s'.format([self.weightPolicy.type, {${Object.entries(
          weightObstacles,
        )
          .map(([scheduler, why]) => `${quote(scheduler)}: ${quote(why)}`)
          .join(', ')}}[self.scheduler]])`,
        fieldPath: '.weightPolicy.type',
        reason: 'FieldValueForbidden',
      },
    ],
  },
  {
    name: 'SlowStartUnused',
    promise: 'slowStart and a weightPolicy other than Static are not set together: both raise a new server.',
    violations: ({ slowStart, weightPolicy }) =>
      slowStart === undefined || weightPolicy === undefined || weightPolicy.type === 'Static'
        ? []
        : [
            {
              path: ['spec', 'slowStart'],
              message: `cannot be had beside weightPolicy ${weightPolicy.type}, ${ownRamp}`,
            },
          ],
    cel: [
      {
        at: ['spec'],
        rule: "!has(self.slowStart) || !has(self.weightPolicy) || self.weightPolicy.type == 'Static'",
        message: `cannot be had beside a weightPolicy other than Static, ${ownRamp}`,
        messageExpression: `'cannot be had beside weightPolicy %s, ${ownRamp}'.format([self.weightPolicy.type])`,
        fieldPath: '.slowStart',
        reason: 'FieldValueForbidden',
      },
    ],
  },
  {
    name: 'WeightPolicyMismatch',
    promise: 'Fields of weightPolicy are set only under the types that use them.',
    violations: ({ weightPolicy }) =>
      weightPolicy === undefined
        ? []
        : bound.flatMap(([field, types]): RuleViolation[] =>
            weightPolicy[field] === undefined || (types as readonly string[]).includes(weightPolicy.type)
              ? []
              : [
                  {
                    path: [...at, field],
                    message: `applies to type ${types.join(' and ')} only, and the type is ${weightPolicy.type}`,
                  },
                ],
          ),
    cel: bound.map(([field, types]) => ({
      at,
      rule: `!has(self.${field}) || self.type in [${types.map(quote).join(', ')}]`,
      message: `applies to type ${types.join(' and ')} only`,
      messageExpression: `'applies to type ${types.join(' and ')} only, and the type is %s'.format([self.type])`,
      fieldPath: `.${field}`,
      reason: 'FieldValueForbidden' as const,
    })),
  },
  {
    name: 'WeightMetricsMismatch',
    promise:
      'A source of metrics has its own field, and no other; a path goes with protocol ORCA; no port is of the control plane.',
    violations: ({ weightPolicy }) => {
      const { metrics } = weightPolicy ?? {};
      if (metrics === undefined) return [];
      const violations = sources.flatMap(([field, source, what]): RuleViolation[] => {
        const isThere = metrics[field] !== undefined;
        if (isThere === (metrics.source === source)) return [];
        const message = isThere
          ? `applies to source ${source} only, and the source is ${metrics.source}`
          : `is required with source ${source}: ${what}`;
        return [{ path: [...metricsAt, field], message }];
      });
      if (metrics.endpoint?.protocol === 'AgentCheck' && metrics.endpoint.path !== undefined)
        violations.push({ path: [...metricsAt, 'endpoint', 'path'], message: pathNeedsOrca });
      if (metrics.endpoint !== undefined && controlPorts.includes(metrics.endpoint.port))
        violations.push({ path: [...metricsAt, 'endpoint', 'port'], message: portIsControl });
      return violations;
    },
    cel: [
      ...sources.flatMap(([field, source, what]) => [
        {
          at: metricsAt,
          rule: `!has(self.${field}) || self.source == ${quote(source)}`,
          message: `applies to source ${source} only`,
          messageExpression: `'applies to source ${source} only, and the source is %s'.format([self.source])`,
          fieldPath: `.${field}`,
          reason: 'FieldValueForbidden' as const,
        },
        {
          at: metricsAt,
          rule: `has(self.${field}) || self.source != ${quote(source)}`,
          message: `is required with source ${source}: ${what}`,
          fieldPath: `.${field}`,
          reason: 'FieldValueRequired' as const,
        },
      ]),
      {
        at: [...metricsAt, 'endpoint'],
        rule: "!has(self.path) || self.protocol == 'ORCA'",
        message: pathNeedsOrca,
        fieldPath: '.path',
        reason: 'FieldValueForbidden',
      },
      {
        at: [...metricsAt, 'endpoint'],
        rule: `!(self.port in [${controlPorts.join(', ')}])`,
        message: portIsControl,
        fieldPath: '.port',
        reason: 'FieldValueForbidden',
      },
    ],
  },
  {
    name: 'WeightLimitsCrossed',
    promise: 'The floor of dynamicFeedback is not above its scale.',
    violations: ({ weightPolicy }) => {
      const { floor = defaultFloor, scale = defaultScale } = weightPolicy?.dynamicFeedback ?? {};
      return floor > scale ? [{ path: [...at, 'dynamicFeedback', 'floor'], message: floorAboveScale }] : [];
    },
    cel: [
      {
        at: [...at, 'dynamicFeedback'],
        rule: `!has(self.floor) || self.floor <= (has(self.scale) ? self.scale : ${defaultScale}.0)`,
        message: floorAboveScale,
        fieldPath: '.floor',
      },
    ],
  },
];

function quote(text: string): string {
  return `'${text}'`;
}
