import { describeVirtualServiceStatus } from '../api/index.ts';
import type { ConditionVerdict, VirtualServiceStatus } from '../api/index.ts';
import { directorLabel } from '../cluster/index.ts';
import type { WeightVerdict } from '../weight/index.ts';
import { mergeConditions } from './conditions.ts';
import type { VirtualServiceDecision } from './decide.ts';
import { describeServiceHealth } from './fleet-health.ts';
import { describeDirectors } from './live-directors.ts';
import type { ProgrammingVerdict } from './programming.ts';

type Verdict = Omit<ConditionVerdict, 'observedGeneration'>;

/**
 * @param weights what is known of weights that follow the load; undefined: none do
 * @param now RFC 3339, for what changes
 */
export function virtualServiceStatus(
  decision: VirtualServiceDecision,
  stored: Pick<VirtualServiceStatus, 'conditions'>,
  now: string,
  weights?: WeightVerdict | 'unknown',
): VirtualServiceStatus {
  const { generation, grant, endpoints, programming, health } = decision;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const verdicts = [...virtualServiceVerdicts(decision), ...weightVerdicts(weights, stored.conditions)].map(
    (verdict) => ({ ...verdict, ...observed }),
  );
  return describeVirtualServiceStatus({
    ...observed,
    conditions: mergeConditions(stored.conditions, verdicts, now),
    addresses: grant?.addresses ?? [],
    ports: grant?.ports ?? [],
    counts: {
      ...endpoints,
      failing: health?.failing ?? 0,
      directors: programming.directors,
      programmed: programming.programmed,
      inMaintenance: programming.inMaintenance.length,
    },
  });
}

/**
 * The conditions, `Ready` first. `Reconciling` and `Stalled` follow only while they are true, and never both: tools that
 * wait (kstatus) take the first for patience and the second for a mistake that a person has to mend.
 */
export function virtualServiceVerdicts(decision: VirtualServiceDecision): readonly Verdict[] {
  const steps = [
    accepted(decision),
    addressAssigned(decision),
    programmed(decision),
    realServersAvailable(decision),
  ];
  const obstacle = steps.find(({ status }) => status !== 'True');
  if (obstacle === undefined)
    return [{ type: 'Ready', status: 'True', reason: 'Ready', message: describeServed(decision) }, ...steps];
  const { reason, message } = obstacle;
  const type = isStalled(decision) ? 'Stalled' : 'Reconciling';
  return [
    { type: 'Ready', status: 'False', reason, message },
    ...steps,
    { type, status: 'True', reason, message },
  ];
}

function describeServed({ programming: { inMaintenance } }: VirtualServiceDecision): string {
  return inMaintenance.length === 0
    ? 'Clients are served on every director.'
    : `Clients are served on every director that is not in maintenance, as is ${describeDirectors(inMaintenance)}.`;
}

/** Nothing gets better by waiting. */
function isStalled({ acceptance, grant, programming }: VirtualServiceDecision): boolean {
  if (acceptance.kind !== 'accepted') return acceptance.kind === 'refused';
  return grant !== undefined && programming.verdict.kind === 'refused';
}

function accepted({ acceptance }: VirtualServiceDecision): Verdict {
  const type = 'Accepted';
  return acceptance.kind === 'accepted'
    ? { type, status: 'True', reason: 'Accepted', message: 'Addresses and ports are accepted.' }
    : { type, status: 'False', reason: acceptance.reason, message: acceptance.message };
}

function addressAssigned({ acceptance, grant, warnings }: VirtualServiceDecision): Verdict {
  const type = 'AddressAssigned';
  if (grant === undefined) {
    return acceptance.kind === 'accepted'
      ? { type, status: 'False', reason: 'Pending', message: 'No address is assigned yet.' }
      : { type, status: 'False', reason: acceptance.reason, message: acceptance.message };
  }
  const shrunk = warnings.filter(({ reason }) => reason === 'PoolShrunk');
  if (shrunk.length > 0) {
    const message = shrunk.map((warning) => warning.message).join(' ');
    return { type, status: 'True', reason: 'OutsidePool', message };
  }
  const list = grant.addresses
    .map(({ ip, pool }) => (pool === undefined ? ip : `${ip} of AddressPool ${pool}`))
    .join(', ');
  const before = acceptance.kind === 'accepted' ? '' : ', as accepted for an earlier generation';
  return { type, status: 'True', reason: 'Assigned', message: `It has ${list}${before}.` };
}

function programmed({ acceptance, grant, programming }: VirtualServiceDecision): Verdict {
  const type = 'Programmed';
  if (grant === undefined) {
    const reason = acceptance.kind === 'waiting' ? acceptance.reason : 'NoAddress';
    const message = 'There is no address to serve yet, so directors have nothing to do.';
    return { type, status: 'False', reason, message };
  }
  return { type, ...describeProgramming(programming.verdict) };
}

function describeProgramming(verdict: ProgrammingVerdict): Omit<Verdict, 'type'> {
  switch (verdict.kind) {
    case 'programmed':
      return { status: 'True', reason: 'Programmed', message: 'Every director serves it.' };
    case 'noDirectors':
      return {
        status: 'False',
        reason: 'NoDirectors',
        message:
          'No director is there to serve it: no Director object belongs to a node that exists and is ready. Label nodes ' +
          `with ${directorLabel} where directors are to run.`,
      };
    case 'inMaintenance':
      return {
        status: 'False',
        reason: 'DirectorsInMaintenance',
        message:
          `Nobody takes new clients: ${describeDirectors(verdict.directors)}, all that there are, in maintenance. ` +
          'Connections that are open go on. "lvs-operator undrain director NAME" puts one back.',
      };
    case 'pending':
      return {
        status: 'False',
        reason: 'DirectorsPending',
        message: `Waiting for ${describeDirectors(verdict.directors)} to report that the kernel holds it.`,
      };
    case 'refused':
      return {
        status: 'False',
        reason: verdict.reason,
        message: `Director ${verdict.director}: ${verdict.message}`,
      };
  }
}

function realServersAvailable({ endpoints, warnings, health }: VirtualServiceDecision): Verdict {
  const type = 'RealServersAvailable';
  const { realServers, serving } = endpoints;
  if (serving > 0 && health !== undefined) {
    // Whoever comes to such a director meets it, whatever the others do.
    const isServed = ['Degraded', 'HealthIgnored'].includes(health.worst.reason);
    return {
      type,
      status: isServed ? 'True' : 'False',
      reason: health.worst.reason,
      message: describeServiceHealth(health),
    };
  }
  if (serving > 0) {
    const other = warnings.filter(({ reason }) => reason !== 'PoolShrunk').map(({ message }) => message);
    return {
      type,
      status: 'True',
      reason: other.length === 0 ? 'Serving' : 'ServingWithWarnings',
      message: ['Real servers take connections.', ...new Set(other)].join(' '),
    };
  }
  return realServers === 0
    ? {
        type,
        status: 'False',
        reason: 'NoRealServers',
        message:
          'No endpoint stands behind it: make a RealServer whose virtualServiceRef names it, or see why those that do ' +
          'have none.',
      }
    : {
        type,
        status: 'False',
        reason: 'NoneServing',
        message: 'Every endpoint behind it is draining or has weight 0, so none takes new clients.',
      };
}

/** A leader that has just begun says what the last one said, until it knows better. */
function weightVerdicts(
  weights: WeightVerdict | 'unknown' | undefined,
  conditions: VirtualServiceStatus['conditions'],
): readonly Verdict[] {
  const type = 'WeightsFromLoad';
  if (weights === undefined) return [];
  if (weights !== 'unknown') {
    const { isFromLoad, reason, message } = weights;
    return [{ type, status: isFromLoad ? 'True' : 'False', reason, message }];
  }
  const known = conditions.find((condition) => condition.type === type);
  if (known !== undefined) {
    const { status, reason, message } = known;
    return [{ type, status, reason, message }];
  }
  const message = 'Nothing is known of the load yet; weights are as the RealServers say.';
  return [{ type, status: 'Unknown', reason: 'Base', message }];
}
