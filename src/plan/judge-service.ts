import {
  dampVerdict,
  holdWhileIsolated,
  isPanicking,
  isQuorumMet,
  newFlapHistory,
  rampWeight,
} from '../health/pure.ts';
import { isSameRealServerConfig } from '../ipvs/pure.ts';
import { formatEntry } from './absence.ts';
import type { HealthView, ServerHealth, ServiceHealth } from './health-types.ts';
import type { DesiredRealServer, DesiredVirtualService } from './types.ts';

export interface JudgeInput {
  /** `formatVirtualServiceKey` */
  readonly key: string;
  readonly service: DesiredVirtualService;
  readonly view: HealthView;
  readonly isIsolated: boolean;
  readonly isolatedUntilMs: number | undefined;
  /** Of the clock of the verdicts. */
  readonly nowMs: number;
  readonly before: ServiceHealth | undefined;
}

/**
 * What becomes of one service by the verdicts on its servers. In this order: each server by its own verdict (held while
 * the director is isolated, damped when it comes and goes); then panic, which takes every server for up; then quorum,
 * which decides between the servers and the sorry server; then slow start.
 */
export function judgeService(input: JudgeInput): ServiceHealth {
  const { service, before, nowMs } = input;
  const { policy } = service;
  const servers = new Map<string, ServerHealth>();
  for (const [key, server] of service.realServers) servers.set(key, judgeServer(key, server, input));
  const members = [...service.realServers].flatMap(([key, server]) =>
    isMember(server)
      ? [{ isUp: servers.get(key)?.isUp ?? true, configuredWeight: server.configuredWeight }]
      : [],
  );
  const up = members.filter(({ isUp }) => isUp).length;
  const panics = isPanicking(policy.panicThresholdPercent, up, members.length);
  const isQuorate = isQuorumMet(
    policy.quorum,
    panics ? members.map((member) => ({ ...member, isUp: true })) : members,
    before?.isQuorumMet,
  );
  const isSorryServing =
    !isQuorate &&
    [...service.realServers].some(([key, { isSorry }]) => isSorry && servers.get(key)?.isUp === true);
  const hasTaker = isSorryServing || (members.length > 0 && panics) || members.some((member) => member.isUp);
  const times: number[] = [];
  const goals = new Map<string, DesiredRealServer>();
  for (const [key, server] of service.realServers) {
    const health = servers.get(key);
    for (const atMs of [health?.heldUntilMs, health?.graceUntilMs]) if (atMs !== undefined) times.push(atMs);
    const isUp = panics || (health?.isUp ?? true);
    const { goal, nextStepAtMs } = goalOf({ server, service, isUp, isSorryServing, hasTaker, health, nowMs });
    if (nextStepAtMs !== undefined) times.push(nextStepAtMs);
    const last = before?.goal.realServers.get(key);
    goals.set(key, last !== undefined && isSameGoal(last, goal) ? last : goal);
  }
  return {
    base: service,
    goal: sameService(service, goals, before?.goal),
    servers,
    counts: { up, total: members.length },
    isQuorumMet: isQuorate,
    isPanicking: panics,
    isSorryServing,
    wakeAtMs: times.length === 0 ? undefined : Math.min(...times),
  };
}

/** Whether a server takes clients by what its object says; only such count. */
function isMember({ config, isSorry }: DesiredRealServer): boolean {
  return config.weight > 0 && !isSorry;
}

function judgeServer(serverKey: string, server: DesiredRealServer, input: JudgeInput): ServerHealth {
  const { key, view, isIsolated, nowMs, before } = input;
  const known = before?.servers.get(serverKey);
  const verdict = server.check === undefined ? undefined : view.verdictOf(formatEntry(key, serverKey));
  const isPassing = verdict?.isUp ?? true;
  const flaps = known?.flaps ?? newFlapHistory(isPassing);
  const graceUntilMs = isPassing || !flaps.isUp ? undefined : graceAfterIsolation(server, input);
  const { history, isUp, heldUntilMs } = dampVerdict(
    flaps,
    holdWhileIsolated(isPassing, flaps.isUp, isIsolated || graceUntilMs !== undefined),
    nowMs,
  );
  const hasRisen = isUp && known?.isUp === false;
  const upSinceMs = hasRisen ? nowMs : (known?.upSinceMs ?? firstUpSinceMs(serverKey, server, input));
  return { verdict, flaps: history, isUp, heldUntilMs, graceUntilMs, upSinceMs };
}

/**
 * Until when a verdict from the time of isolation does not count: most others answer again, and this server has yet to be
 * asked as often as it must pass. Undefined: it counts.
 */
function graceAfterIsolation(
  { check }: DesiredRealServer,
  { isolatedUntilMs, nowMs }: JudgeInput,
): number | undefined {
  if (check === undefined || isolatedUntilMs === undefined) return undefined;
  const { intervalMs, timeoutMs } = check.probe;
  // One probe may be on its way already, and lost.
  const untilMs = isolatedUntilMs + (check.policy.successThreshold + 1) * intervalMs + timeoutMs;
  return nowMs < untilMs ? untilMs : undefined;
}

/** When the weight of a server began to rise that is seen for the first time. One that the kernel has is no newcomer. */
function firstUpSinceMs(
  serverKey: string,
  { config }: DesiredRealServer,
  { key, service, view, nowMs }: JudgeInput,
): number {
  const weight = view.weightOf(key, serverKey);
  if (weight === undefined || weight === 0) return nowMs;
  if (weight >= config.weight) return -Infinity;
  return nowMs - (service.policy.slowStartMs ?? 0) * (weight / config.weight);
}

interface GoalInput {
  readonly server: DesiredRealServer;
  readonly service: DesiredVirtualService;
  readonly isUp: boolean;
  readonly isSorryServing: boolean;
  readonly hasTaker: boolean;
  readonly health: ServerHealth | undefined;
  readonly nowMs: number;
}

function goalOf(input: GoalInput): {
  readonly goal: DesiredRealServer;
  readonly nextStepAtMs: number | undefined;
} {
  const { server, service, isUp, isSorryServing, hasTaker, health, nowMs } = input;
  const { slowStartMs, onFailure } = service.policy;
  const still = (goal: DesiredRealServer) => ({ goal, nextStepAtMs: undefined });
  if (server.isSorry) return still(isSorryServing ? { ...server, isDrained: false } : quiesce(server, true));
  if (server.config.weight === 0) {
    // Everybody else is down: better one that is on its way out than nobody.
    const { lastResort } = server;
    return still(
      hasTaker || !isUp || lastResort === undefined
        ? server
        : { ...server, config: lastResort, isLastResort: true },
    );
  }
  if (!isUp) {
    const goal = quiesce(server, true);
    // A deadline that has passed: it goes with the next change, whatever it has open.
    return still(onFailure === 'Remove' ? { ...goal, drainDeadlineMs: 0 } : goal);
  }
  if (isSorryServing) return still(quiesce(server, server.isDrained));
  if (slowStartMs === undefined) return still(server);
  const { weight, nextStepAtMs } = rampWeight(
    server.config.weight,
    health?.upSinceMs ?? -Infinity,
    slowStartMs,
    nowMs,
  );
  return { goal: { ...server, config: { ...server.config, weight } }, nextStepAtMs };
}

function quiesce(server: DesiredRealServer, isDrained: boolean): DesiredRealServer {
  return { ...server, config: { ...server.config, weight: 0 }, isDrained, isLastResort: false };
}

function isSameGoal(a: DesiredRealServer, b: DesiredRealServer): boolean {
  return (
    a.key === b.key &&
    a.owner === b.owner &&
    a.check === b.check &&
    a.isDrained === b.isDrained &&
    a.isLastResort === b.isLastResort &&
    a.drainDeadlineMs === b.drainDeadlineMs &&
    isSameRealServerConfig(a.config, b.config)
  );
}

/** The service with other servers: the one of the objects or of the last pass, if it says the same. */
function sameService(
  base: DesiredVirtualService,
  goals: ReadonlyMap<string, DesiredRealServer>,
  last: DesiredVirtualService | undefined,
): DesiredVirtualService {
  const isSame = (other: DesiredVirtualService) =>
    other.realServers.size === goals.size &&
    [...goals].every(([key, goal]) => other.realServers.get(key) === goal);
  if (isSame(base)) return base;
  if (last !== undefined && last.config === base.config && last.drain === base.drain && isSame(last))
    return last;
  return { ...base, realServers: goals };
}
