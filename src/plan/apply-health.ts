import { isSuspect, judgeIsolation } from '../health/pure.ts';
import type { ServiceView, Verdict } from '../health/pure.ts';
import { formatEntry } from './absence.ts';
import { groundOf, rememberGround } from './ground.ts';
import { needsHealth } from './health-policy.ts';
import type { HealthMemory, HealthView, ServiceHealth } from './health-types.ts';
import { judgeService } from './judge-service.ts';
import type { DesiredState, DesiredVirtualService } from './types.ts';

export const noHealthMemory: HealthMemory = {
  services: new Map(),
  isolation: undefined,
  isolatedUntilMs: undefined,
};

export interface HealthInput {
  /** As the objects want it. */
  readonly desired: DesiredState;
  readonly view: HealthView;
  readonly memory: HealthMemory;
  /** Of the clock of the verdicts. */
  readonly nowMs: number;
}

export interface HealthAnswer {
  /** As the kernel should have it; the very goal of the input where health changes nothing. */
  readonly desired: DesiredState;
  readonly memory: HealthMemory;
  /** When time alone changes the answer; undefined: never. Of the clock of the verdicts. */
  readonly wakeAtMs: number | undefined;
}

/**
 * Puts health into a goal: servers that are down leave it, sorry servers enter it, weights rise slowly. What nothing
 * happened to is the same object as in the last answer.
 */
export function applyHealth(input: HealthInput): HealthAnswer {
  const { desired, view, memory, nowMs } = input;
  const isolation = judgeIsolation({
    ...lookAround(input),
    isUplinkDown: view.isUplinkDown,
    wasIsolated: memory.isolation !== undefined,
  });
  const isIsolated = isolation !== undefined;
  const isMoved = isIsolated !== (memory.isolation !== undefined);
  const isolatedUntilMs = isIsolated ? undefined : isMoved ? nowMs : memory.isolatedUntilMs;
  const services = new Map<string, ServiceHealth>();
  const goals = new Map<string, DesiredVirtualService>();
  let wakeAtMs = Infinity;
  let isTouched = false;
  let isRemembered = memory.services.size > 0;
  for (const [key, service] of desired.services) {
    if (!needsHealth(service)) {
      goals.set(key, service);
      continue;
    }
    const before = memory.services.get(key);
    const health =
      before !== undefined && !isMoved && isStill(before, { key, service, view, nowMs })
        ? before
        : judgeService({ key, service, view, isIsolated, isolatedUntilMs, nowMs, before });
    services.set(key, health);
    goals.set(key, health.goal);
    isTouched ||= health.goal !== service;
    isRemembered &&= health === before;
    if (health.wakeAtMs !== undefined) wakeAtMs = Math.min(wakeAtMs, health.wakeAtMs);
  }
  isRemembered &&= services.size === memory.services.size && isolation === memory.isolation;
  return {
    desired: isTouched ? withServices(desired, goals) : desired,
    memory: isRemembered ? memory : { services, isolation, isolatedUntilMs },
    wakeAtMs: wakeAtMs === Infinity ? undefined : wakeAtMs,
  };
}

/** Whether a service would be judged as it was: nothing that the judgement rests on has moved. */
function isStill(
  before: ServiceHealth,
  now: {
    readonly key: string;
    readonly service: DesiredVirtualService;
    readonly view: HealthView;
    readonly nowMs: number;
  },
): boolean {
  if (before.base !== now.service) return false;
  if (before.wakeAtMs !== undefined && now.nowMs >= before.wakeAtMs) return false;
  for (const [serverKey, { verdict }] of before.servers) {
    if (verdict === undefined) continue;
    const current = now.view.verdictOf(formatEntry(now.key, serverKey));
    if (current !== verdict && (current === undefined || !isSameSaying(current, verdict))) return false;
  }
  return true;
}

/** A row of contradictions that is not long enough changes nothing yet. */
function isSameSaying(a: Verdict, b: Verdict): boolean {
  return a.isUp === b.isUp && a.isProven === b.isProven && a.reason === b.reason && a.sinceMs === b.sinceMs;
}

/** What the isolation guard goes by: servers in force as up, and whether they answered last. */
function lookAround({ desired, view, memory }: HealthInput): {
  readonly services: readonly ServiceView[];
  readonly failingHosts: number;
} {
  const hosts = new Set<string>();
  const services: ServiceView[] = [];
  for (const [key, { servers }] of memory.services) {
    const service = desired.services.get(key);
    if (service === undefined) continue;
    let serving = 0;
    let failing = 0;
    for (const [serverKey, { isUp, verdict: last }] of servers) {
      if (!isUp || last === undefined) continue;
      const verdict = view.verdictOf(formatEntry(key, serverKey));
      const server = service.realServers.get(serverKey);
      if (verdict === undefined || server === undefined) continue;
      serving++;
      if (verdict.isUp && !isSuspect(verdict)) continue;
      failing++;
      hosts.add(server.key.rip);
    }
    services.push({ serving, failing });
  }
  return { services, failingHosts: hosts.size };
}

/** The last goal that was put together, so that the same parts give the same object. */
const assembled = new WeakMap<DesiredState, DesiredState>();

function withServices(
  desired: DesiredState,
  services: ReadonlyMap<string, DesiredVirtualService>,
): DesiredState {
  const last = assembled.get(desired);
  if (last !== undefined && [...services].every(([key, service]) => last.services.get(key) === service))
    return last;
  const ground = groundOf(desired);
  if (ground !== undefined) rememberGround(services, ground);
  const goal = { ...desired, services };
  assembled.set(desired, goal);
  return goal;
}
