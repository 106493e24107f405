import type { ConnectionCounts, RealServerConfig, VirtualServiceKey } from '../ipvs/pure.ts';
import type { Allocations, DrainRecord, DrainSettings } from './types.ts';

/** How servers leave whose object is gone and was never seen by this process: the defaults of the API. */
export const defaultDrainSettings: DrainSettings = { timeoutMs: 300_000, settleMs: 120_000, udpMs: 0 };

/** While something drains, connection counts are looked at this often. */
export const drainRecheckMs = 1000;

export interface DrainStart {
  readonly service: string;
  readonly realServer: string;
  readonly reason: DrainRecord['reason'];
  readonly settings: DrainSettings;
  /** When the endpoint itself ends, by its own word. */
  readonly ownDeadlineMs: number | undefined;
  /** UDP flows never end, so their servers leave by the clock alone. */
  readonly isUdp: boolean;
  /** It still takes clients, see `DesiredRealServer.isLastResort`. */
  readonly isLastResort: boolean;
  readonly nowMs: number;
}

/**
 * The record of a real server that leaves, begun or carried on. A record from an earlier pass, or from before a
 * restart, keeps its start; its deadline moves only when the settings or the endpoint's own deadline did.
 */
export function drainRecord(start: DrainStart, before: DrainRecord | undefined): DrainRecord {
  const { service, realServer, reason, settings, nowMs } = start;
  const sinceMs = before?.sinceMs ?? nowMs;
  const ownDeadlineMs = start.ownDeadlineMs ?? before?.ownDeadlineMs;
  return {
    service,
    realServer,
    sinceMs,
    deadlineMs: drainDeadlineMs(start, sinceMs, ownDeadlineMs),
    idleSinceMs: start.isLastResort ? undefined : before?.idleSinceMs,
    settings,
    ...(ownDeadlineMs === undefined ? {} : { ownDeadlineMs }),
    reason,
  };
}

/**
 * An endpoint that says when it ends (a pod in its grace period) is right: before that cutting it would be a loss that
 * nobody asked for, after it nobody is there. All others have the time that the VirtualService gives. A UDP server that
 * takes no more clients does not wait for either.
 */
function drainDeadlineMs(
  { settings, isUdp, isLastResort }: Pick<DrainStart, 'settings' | 'isUdp' | 'isLastResort'>,
  sinceMs: number,
  ownDeadlineMs: number | undefined,
): number {
  const deadlineMs = ownDeadlineMs ?? sinceMs + settings.timeoutMs;
  return isUdp && !isLastResort ? Math.min(sinceMs + settings.udpMs, ownDeadlineMs ?? Infinity) : deadlineMs;
}

/** Why a drain is over; undefined: it goes on. */
export type DrainEnd = 'Drained' | 'DrainDeadline';

export interface DrainStep {
  readonly record: DrainRecord;
  readonly end: DrainEnd | undefined;
}

/**
 * One look at a draining real server. It is over when the deadline has passed, when no connection is left, or when no
 * active one was seen for the settle time: a half-closed transfer counts as inactive in the kernel and may still move
 * data, so inactive connections hold the server that long. Persistence templates hold nothing: without their server the
 * kernel makes a new choice (ip_vs_check_template).
 *
 * Counts end a drain only if the server was already quiesced when they were read: with a weight, the next connection
 * may be on its way. So they do not end that of a last resort, which keeps its weight.
 */
export function stepDrain(
  record: DrainRecord,
  observed: { readonly config: Pick<RealServerConfig, 'weight'>; readonly connections: ConnectionCounts },
  nowMs: number,
  isLastResort = false,
): DrainStep {
  const { active, inactive } = observed.connections;
  const isQuiesced = observed.config.weight === 0 && !isLastResort;
  const idleSinceMs = active === 0 && isQuiesced ? (record.idleSinceMs ?? nowMs) : undefined;
  const next = idleSinceMs === record.idleSinceMs ? record : { ...record, idleSinceMs };
  if (isQuiesced && active + inactive === 0) return { record: next, end: 'Drained' };
  if (idleSinceMs !== undefined && nowMs - idleSinceMs >= record.settings.settleMs) {
    return { record: next, end: 'Drained' };
  }
  return { record: next, end: nowMs >= record.deadlineMs ? 'DrainDeadline' : undefined };
}

/** When a drain wants to be looked at again. */
export function nextDrainLookMs(record: DrainRecord, nowMs: number): number {
  return Math.min(nowMs + drainRecheckMs, Math.max(record.deadlineMs, nowMs));
}

/** Whether a service carries UDP alone; a mark service tells by the ports that its mark was given to. */
export function isUdpService(key: VirtualServiceKey, marks: Allocations['marks']): boolean {
  if (key.kind === 'address') return key.protocol === 'UDP';
  const allocation = Object.values(marks).find(({ mark }) => mark === key.mark);
  return allocation !== undefined && allocation.claims.every(({ protocol }) => protocol === 'UDP');
}
