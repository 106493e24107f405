import { formatObjectRef } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import type { LvsError } from '../base/index.ts';
import { describeHealth } from '../plan/index.ts';
import type { DesiredState, HealthSummary, HeldRemoval } from '../plan/index.ts';
import type { ApplyResult, ChangeFailure } from './apply.ts';
import type { DesiredSource, DesiredView } from './desired-source.ts';
import type { HealthState } from './director-health.ts';
import type { HostState } from './host.ts';
import type { Ledger } from './ledger.ts';
import type { MaintenanceProgress } from './maintenance.ts';
import { formatTime, listCap } from './status.ts';
import type { DrainStatus, FailingStatus, ProblemStatus } from './status.ts';

/** What a round found and left behind: all that a status is made of. */
export interface BoardInput {
  readonly view: DesiredView;
  readonly desired: DesiredState;
  readonly health: HealthState;
  readonly host: HostState;
  readonly ledger: Ledger;
  readonly held: HeldRemoval | undefined;
  readonly result: ApplyResult;
  readonly failures: ReadonlyMap<string, ChangeFailure>;
  /** Undefined: nobody else changes what is ours. */
  readonly foreignHands: string | undefined;
  readonly announcementProblem: LvsError | undefined;
  /** Undefined: it takes clients. */
  readonly maintenance: MaintenanceProgress | undefined;
  readonly locate: DesiredSource['locate'];
}

/** Everything that is not served, or not as written. */
export function collectProblems(input: BoardInput): readonly ProblemStatus[] {
  const { view, desired, failures, health, locate } = input;
  const refusals = desired.refusals.map((refusal) => ({
    where: locate(refusal.object, refusal.path) ?? formatObjectRef(refusal.object),
    object: formatObjectRef(refusal.object),
    severity: refusal.severity,
    reason: refusal.reason,
    message: refusal.message,
  }));
  const unasked = health.problems.map(({ object, reason, message }) => ({
    where: locate(object, ['spec', 'healthCheck']) ?? formatObjectRef(object),
    object: formatObjectRef(object),
    severity: 'error' as const,
    reason,
    message,
  }));
  const kernel = [...failures.values()].map((failure) => ({
    where: (failure.owner === undefined ? undefined : locate(failure.owner, [])) ?? failure.key,
    object: failure.owner === undefined ? undefined : formatObjectRef(failure.owner),
    severity: 'error' as const,
    reason: failure.error.code,
    message: formatErrorForPeople(failure.error),
  }));
  return [...view.problems, ...refusals, ...unasked, ...kernel];
}

/** What leaves, at most `listCap` of it. */
export function describeDrains({ ledger, host }: BoardInput): readonly DrainStatus[] {
  return ledger.drains.slice(0, listCap).map((drain) => {
    const connections = host.table.get(drain.service)?.realServers.get(drain.realServer)?.connections;
    return {
      service: drain.service,
      realServer: drain.realServer,
      reason: drain.reason,
      active: connections?.active ?? 0,
      inactive: connections?.inactive ?? 0,
      since: formatTime(drain.sinceMs),
      deadline: formatTime(drain.deadlineMs),
    };
  });
}

const summaries = new WeakMap<HealthState, HealthSummary>();

/** Health as exceptions; what is told twice is computed once. */
export function summarizeHealth({ health }: Pick<BoardInput, 'health'>): HealthSummary {
  let summary = summaries.get(health);
  if (summary === undefined) summaries.set(health, (summary = describeHealth(health.memory)));
  return summary;
}

/** Real servers that fail, at most `listCap` of them, those that have failed longest first. */
export function describeFailing({ health }: Pick<BoardInput, 'health'>): readonly FailingStatus[] {
  const { failing } = summarizeHealth({ health });
  const first =
    failing.length <= listCap ? failing : failing.toSorted((a, b) => a.sinceMs - b.sinceMs).slice(0, listCap);
  return first.map(({ service, realServer, object, reason, sinceMs }) => ({
    service,
    realServer,
    object,
    reason,
    since: formatTime(sinceMs + health.clockOffsetMs),
  }));
}

/** Those of clients. */
export function countServices(desired: DesiredState): number {
  let count = 0;
  for (const { isForProbes } of desired.services.values()) if (isForProbes !== true) count++;
  return count;
}

/** Behind services of clients. */
export function countRealServers(desired: DesiredState): number {
  let count = 0;
  for (const { realServers, isForProbes } of desired.services.values())
    if (isForProbes !== true) count += realServers.size;
  return count;
}
