import { describeRealServerStatus, mergeCondition, readRealServerStatus } from '../api/index.ts';
import type {
  Condition,
  ConditionVerdict,
  RealServerResource,
  RealServerStatus,
  RealServerStatusEndpoint,
  VirtualServiceResource,
} from '../api/index.ts';
import type { Refusal } from '../plan/index.ts';
import type { RealServerHealth } from './fleet-health.ts';
import { describeDirectors } from './live-directors.ts';
import type { RefusedEndpoint, Resolution, ResolvedEndpoint } from './resolve-endpoints.ts';
import type { EndpointWeight } from './weight-pool.ts';

export interface RealServerStatusInput {
  readonly realServer: RealServerResource;
  readonly virtualService: VirtualServiceResource | undefined;
  readonly resolution: Resolution;
  /** By address, where weights follow the load. */
  readonly weights?: ReadonlyMap<string, EndpointWeight> | undefined;
  /** What `plan` says of the object with the rest of the world in view. */
  readonly refusals: readonly Refusal[];
  /** How the directors see it; undefined: none sees trouble. */
  readonly health: RealServerHealth | undefined;
  /** Directors that serve and have reported. */
  readonly directors: number;
  /** Conditions that were written last, if that is newer than what the object has. */
  readonly lastConditions?: readonly Condition[] | undefined;
  /** RFC 3339 */
  readonly now: string;
}

/** For people; `counts` has them all. */
const mostEndpoints = 50;

/** What became of a RealServer. Every sentence says what to do, or what is waited for. */
export function computeRealServerStatus(input: RealServerStatusInput): RealServerStatus {
  const { realServer, lastConditions, now, health, directors } = input;
  const { generation } = realServer.metadata;
  const found = sortOut(input);
  const accepted = judgeAcceptance(input);
  const resolved = judgeResolution(input, found);
  const verdicts = [
    verdict('Ready', judgeReadiness({ realServer, accepted, resolved, found }), generation),
    verdict('Accepted', accepted, generation),
    verdict('ResolvedEndpoints', resolved, generation),
    ...judgeHealth(input).map((healthy) => verdict('Healthy', healthy, generation)),
  ];
  let conditions: readonly Condition[] = lastConditions ?? readRealServerStatus(realServer).conditions;
  for (const condition of verdicts) conditions = mergeCondition(conditions, condition, now);
  const { refused, draining, serving } = found;
  return describeRealServerStatus({
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditions.filter(({ type }) => verdicts.some((own) => own.type === type)),
    counts: {
      endpoints: refused.length + draining.length + serving.length,
      serving: serving.length,
      draining: draining.length,
      ...(health === undefined ? {} : { failing: health.failing }),
    },
    ...(health === undefined
      ? {}
      : { directorsHealthy: `${directors - health.troubled.length}/${directors}` }),
    endpoints: [
      ...refused.slice(0, mostEndpoints).map(describeRefused),
      ...[...draining, ...serving].slice(0, mostEndpoints).map((one) => describeEndpoint(one, input.weights)),
    ].slice(0, mostEndpoints),
  });
}

interface Found {
  /** `message` is a whole sentence. */
  readonly refused: readonly (Omit<RefusedEndpoint, 'why'> & { readonly message: string })[];
  readonly draining: readonly ResolvedEndpoint[];
  readonly serving: readonly ResolvedEndpoint[];
}

/** What is refused when it is found, and what `plan` refuses of the rest with the whole cluster in view. */
function sortOut({ realServer, resolution, refusals }: RealServerStatusInput): Found {
  const { name } = realServer.metadata;
  const verdicts = new Map(
    refusals.flatMap((refusal) =>
      refusal.endpoint === undefined || refusal.severity === 'warning'
        ? []
        : [[refusal.endpoint, refusal] as const],
    ),
  );
  const isLeft = ({ address }: ResolvedEndpoint): boolean => !verdicts.has(address);
  return {
    refused: [
      ...resolution.refused.map((one) => ({
        ...one,
        message: `${one.address} ${one.why}, so RealServer ${name} cannot use it.`,
      })),
      ...resolution.endpoints.flatMap(({ address, nodeName, pod }) => {
        const refusal = verdicts.get(address);
        if (refusal === undefined) return [];
        const { reason, message } = refusal;
        return [{ address, reason, message, nodeName, podName: pod?.name }];
      }),
    ],
    draining: resolution.endpoints.filter((one) => one.phase === 'Draining' && isLeft(one)),
    serving: resolution.endpoints.filter((one) => one.phase === 'Serving' && isLeft(one)),
  };
}

interface Judgement {
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

function judgeAcceptance({ realServer, virtualService, refusals }: RealServerStatusInput): Judgement {
  const { name } = realServer.spec.virtualServiceRef;
  if (virtualService === undefined) {
    const message = `Namespace ${realServer.metadata.namespace} has no VirtualService ${name}.`;
    return { holds: false, reason: 'VirtualServiceNotFound', message };
  }
  const refusal = refusals.find(({ severity, endpoint }) => severity === 'error' && endpoint === undefined);
  if (refusal !== undefined) return { holds: false, reason: refusal.reason, message: refusal.message };
  return { holds: true, reason: 'Accepted', message: `It stands behind VirtualService ${name}.` };
}

function judgeResolution({ resolution }: RealServerStatusInput, { refused }: Found): Judgement {
  const { endpoints, absence } = resolution;
  const [first] = refused;
  if (first !== undefined) {
    const others = refused.length === 1 ? '' : ` ${refused.length - 1} more are refused, too.`;
    return { holds: false, reason: 'EndpointsRefused', message: `${first.message}${others}` };
  }
  if (endpoints.length === 0) {
    return { holds: false, ...(absence ?? { reason: 'NoEndpoints', message: 'There are no endpoints.' }) };
  }
  return { holds: true, reason: 'Resolved', message: 'All endpoints are known.' };
}

/** Whether anybody asks it how it is. */
function isChecked({ realServer, virtualService }: RealServerStatusInput): boolean {
  const check = realServer.spec.healthCheck ?? virtualService?.spec.healthCheck;
  return check !== undefined && check.none === undefined;
}

/** Empty: nobody asks, or nobody has told yet. */
function judgeHealth(input: RealServerStatusInput): readonly Judgement[] {
  const { health, directors } = input;
  if (!isChecked(input) || directors === 0) return [];
  if (health === undefined)
    return [
      { holds: true, reason: 'Passing', message: 'All endpoints pass their checks on every director.' },
    ];
  const message =
    `Up to ${health.failing} endpoints fail their checks on ${describeDirectors(health.troubled)}; ` +
    'status.failing of the Director says which and why.';
  return [{ holds: false, reason: 'Failing', message }];
}

function judgeReadiness({
  realServer,
  accepted,
  resolved,
  found,
}: {
  readonly realServer: RealServerResource;
  readonly accepted: Judgement;
  readonly resolved: Judgement;
  readonly found: Found;
}): Judgement {
  if (!accepted.holds) return accepted;
  if (realServer.spec.state === 'Drained') {
    return { holds: true, reason: 'Drained', message: 'It takes no new connections, as its state says.' };
  }
  if (found.serving.length > 0) {
    return { holds: true, reason: 'Serving', message: 'Endpoints take new connections.' };
  }
  if (!resolved.holds) return resolved;
  return {
    holds: false,
    reason: 'NoEndpointServes',
    message: 'All endpoints are ending or not ready; see status.endpoints.',
  };
}

function verdict(
  type: string,
  { holds, reason, message }: Judgement,
  observedGeneration: number | undefined,
): ConditionVerdict {
  return {
    type,
    status: holds ? 'True' : 'False',
    reason,
    message,
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
  };
}

function describeEndpoint(
  { address, phase, reason, nodeName, pod }: ResolvedEndpoint,
  weights: ReadonlyMap<string, EndpointWeight> | undefined,
): RealServerStatusEndpoint {
  const weight = weights?.get(address);
  return {
    address,
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(pod === undefined ? {} : { podName: pod.name }),
    ...(weight === undefined ? {} : describeWeight(weight)),
  };
}

function describeWeight({ configuredWeight, advisedWeight, effectiveWeight, reason }: EndpointWeight) {
  return {
    configuredWeight,
    ...(advisedWeight === undefined ? {} : { advisedWeight }),
    effectiveWeight,
    weightReason: reason,
  };
}

function describeRefused({
  address,
  reason,
  nodeName,
  podName,
}: Found['refused'][number]): RealServerStatusEndpoint {
  return {
    address,
    phase: 'Excluded',
    reason,
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(podName === undefined ? {} : { podName }),
  };
}
