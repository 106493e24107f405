import { formatObjectRef, maxDirectorExceptions, mergeCondition } from '../api/index.ts';
import type {
  Condition,
  DirectorRefusal,
  DirectorStatus as DirectorObjectStatus,
  ObjectRef,
} from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { vipAddressProtocol } from '../link/index.ts';
import type { DesiredState } from '../plan/index.ts';
import type { ChangeFailure } from './apply.ts';
import type { ObservedVersions } from './desired-source.ts';
import type { KernelFacts } from './host.ts';
import { isWorse } from './health-words.ts';
import {
  collectProblems,
  countRealServers,
  countServices,
  describeDrains,
  describeFailing,
  summarizeHealth,
} from './status-parts.ts';
import type { BoardInput } from './status-parts.ts';
import { formatTime } from './status.ts';
import type { DirectorCondition } from './status.ts';

/** What a director says of itself in its own object. Its generation is that of the spec that it went by. */
export type DirectorReport = DirectorObjectStatus;

export interface DirectorIdentity {
  readonly version: string;
  readonly nodeName: string;
  readonly kernel: KernelFacts;
  readonly schedulers: readonly string[];
  /** Undefined: nobody else reaches one. */
  readonly endpoint: DirectorObjectStatus['endpoint'] | undefined;
}

export interface ReportInput {
  readonly round: BoardInput;
  readonly conditions: readonly DirectorCondition[];
  readonly identity: DirectorIdentity;
  /** `programmedThrough` of the last report. */
  readonly programmedThrough: ObservedVersions;
}

const longestMessage = 1024;

/**
 * The status of a Director: what this node serves, up to which version of the objects, and the exceptions. Lists are
 * capped and the counts are whole.
 */
export function computeDirectorReport(input: ReportInput): DirectorReport {
  const { round, conditions, identity } = input;
  const { desired, ledger } = round;
  const releasing = listReleasing(round);
  const refused = listRefused(round);
  const observed = round.view.cluster?.ownDirector?.generation;
  return {
    ...(observed === undefined ? {} : { observedGeneration: observed }),
    version: identity.version,
    nodeName: identity.nodeName,
    kernel: identity.kernel,
    schedulers: identity.schedulers,
    ...(identity.endpoint === undefined ? {} : { endpoint: identity.endpoint }),
    conditions,
    ...describeProgress(round),
    programmedThrough: programmedThrough(input),
    releasing: releasing.slice(0, maxDirectorExceptions),
    drains: describeDrains(round),
    ...describeTroubles(round),
    refused: refused.slice(0, maxDirectorExceptions),
    counts: {
      virtualServices: desired.accepted.virtualServices.length,
      services: countServices(desired),
      realServers: countRealServers(desired),
      vips: new Set(desired.vips.map(({ vip }) => vip)).size,
      releasing: releasing.length,
      drains: ledger.drains.length,
      checked: summarizeHealth(round).checked,
      failing: summarizeHealth(round).failing.length,
      refused: refused.length,
    },
  };
}

function describeProgress({ maintenance }: BoardInput): Pick<DirectorReport, 'maintenance'> {
  if (maintenance === undefined) return {};
  const { sinceMs, connections } = maintenance;
  return { maintenance: { since: formatTime(sinceMs), ...connections } };
}

/** The worst services first: the list may not hold all. */
function describeTroubles(
  round: BoardInput,
): Pick<DirectorReport, 'failing' | 'failingRealServers' | 'failingServices'> {
  const { services, realServers } = summarizeHealth(round);
  return {
    failing: describeFailing(round),
    failingRealServers: realServers.slice(0, maxDirectorExceptions),
    failingServices: services
      .toSorted((a, b) => Number(isWorse(b, a)) - Number(isWorse(a, b)))
      .slice(0, maxDirectorExceptions)
      .map(({ trouble, ...service }) => ({ ...service, reason: trouble })),
  };
}

/** What is left to say of a director that gave its node back. */
export function retiredReport(identity: DirectorIdentity, nowMs: number): DirectorReport {
  const { endpoint: _gone, ...told } = identity;
  const message = `Node ${identity.nodeName} is no director any more; nothing of it is served here.`;
  const verdict = {
    status: 'False',
    reason: 'Retired',
    message,
    lastTransitionTime: formatTime(nowMs),
  } as const;
  return {
    ...told,
    conditions: [
      { type: 'Ready', ...verdict },
      { type: 'Programmed', ...verdict },
    ],
    releasing: [],
    drains: [],
    failing: [],
    failingRealServers: [],
    failingServices: [],
    refused: [],
    counts: {
      virtualServices: 0,
      services: 0,
      realServers: 0,
      vips: 0,
      releasing: 0,
      drains: 0,
      checked: 0,
      failing: 0,
      refused: 0,
    },
  };
}

/**
 * Conditions keep the time of their last transition over restarts of the director: the object has it. They keep their
 * order there too, as an apply does.
 */
export function carryConditions(
  before: readonly Condition[],
  after: readonly Condition[],
  observedGeneration: number | undefined,
): readonly Condition[] {
  const kept = before.filter(({ type }) => after.some((condition) => condition.type === type));
  return after.reduce<readonly Condition[]>((list, { lastTransitionTime, ...verdict }) => {
    const judged = observedGeneration === undefined ? verdict : { ...verdict, observedGeneration };
    return mergeCondition(list, judged, lastTransitionTime);
  }, kept);
}

/**
 * A round that ran to its end has put into the kernel what its view asks for, or has a refusal for it. Without packet
 * rules nothing is as it should be, and before every kind was read nothing was removed.
 */
function programmedThrough({ round, programmedThrough: before }: ReportInput): ObservedVersions {
  const { view, failures, held } = round;
  const isWithoutRules = [...failures.values()].some(({ change }) => change.type === 'setPacketRules');
  if (!view.isComplete || isWithoutRules || held !== undefined) return before;
  return view.cluster?.versions ?? before;
}

/** VIPs of ours that are on a device although no VirtualService claims them. */
function listReleasing({ host, ledger, desired }: BoardInput): readonly IpAddress[] {
  const wanted = new Set<string>(desired.vips.map(({ vip }) => vip));
  const ours = new Set(ledger.vips.map(({ vip, device }) => `${vip} ${device}`));
  const bound = host.addresses.filter(
    ({ ip, device, protocol }) =>
      !wanted.has(ip) && (protocol === vipAddressProtocol || ours.has(`${ip} ${device}`)),
  );
  return [...new Set(bound.map(({ ip }) => ip))].toSorted();
}

/** By object, as the API server keeps a limit on it; what belongs to no object is in the conditions. */
function listRefused(round: BoardInput): readonly DirectorRefusal[] {
  const objects = collectProblems(round).flatMap(({ object, severity, reason, message }) =>
    object === undefined || severity !== 'error' ? [] : [{ object, reason, message: cut(message) }],
  );
  const addresses = [...round.failures.values()].flatMap((failure) =>
    ownersOfVip(failure, round.desired).map((owner) => ({
      object: formatObjectRef(owner),
      reason: failure.error.code,
      message: cut(failure.error.message),
    })),
  );
  return [...objects, ...addresses];
}

/** The objects that are served on an address that could not be bound. */
function ownersOfVip({ change }: ChangeFailure, desired: DesiredState): readonly ObjectRef[] {
  if (change.type !== 'bindVip') return [];
  const owners = new Map<string, ObjectRef>();
  const { vip } = change.binding;
  const marks = new Set(
    Object.values(desired.allocations.marks).flatMap((mark) => (mark.vip === vip ? [mark.mark] : [])),
  );
  for (const { key, owner } of desired.services.values()) {
    if (key.kind === 'address' ? key.vip === vip : marks.has(key.mark))
      owners.set(formatObjectRef(owner), owner);
  }
  return [...owners.values()];
}

function cut(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage - 1)}…`;
}
