import type { Freshness } from './freshness.ts';
import type { Member, PolicyOutcome } from './member.ts';
import { rejectionTexts } from './metric-intake.ts';
import type { WeightReason } from './types.ts';

/** Why a weight is what it is, for people. */
export const weightReasons: Readonly<Record<WeightReason, string>> = {
  Configured: 'the configured weight, as the policy says',
  Base: 'the base weight: nothing is known of the load yet',
  FromLoad: 'from what the server completes per CPU and from its backlog',
  InFlight: 'from the connections in flight alone',
  Ramp: 'new or recovered, with a rising share',
  StaleMetrics: 'held: this server has no fresh metrics',
  FewFreshMetrics: 'held: most servers have no fresh metrics',
  FadingToBase: 'on the way back to the base weight: there were no metrics for too long',
  NoConnectionReadings: 'held: no director reports connections',
  LittleLoad: 'held: the pool has too little to do to tell servers apart',
  SchedulerIgnoresWeights: 'the configured weight: the scheduler does not read weights as shares',
};

interface Circumstances extends Freshness {
  readonly isHeard: boolean;
  readonly isIdle: boolean;
  readonly hasMetrics: boolean;
}

/** The reason of each member, and of the pool as a whole. */
export function judgeOutcome(members: readonly Member[], facts: Circumstances): PolicyOutcome {
  for (const member of members) member.trace.reason = reasonOf(member, facts);
  const reason = reasonOfPool(members, facts);
  return {
    reason,
    isFromLoad: reason === 'FromLoad' || reason === 'InFlight' || reason === 'LittleLoad',
    isPanic: facts.hasMetrics && facts.isPanic,
    message: describePool(members, reason, facts),
  };
}

function reasonOf(member: Member, { isHeard, isIdle, isPanic, hasMetrics }: Circumstances): WeightReason {
  const { trace } = member;
  if (trace.ramp < 1) return 'Ramp';
  if (hasMetrics && trace.fade > 0) return 'FadingToBase';
  if (!isHeard) return trace.estimate === undefined ? 'Base' : 'NoConnectionReadings';
  if (isIdle) return 'LittleLoad';
  if (!hasMetrics) return 'InFlight';
  if (trace.estimate === undefined) return trace.backoff < 1 || trace.drain < 1 ? 'InFlight' : 'Base';
  if (trace.isFresh) return 'FromLoad';
  return isPanic ? 'FewFreshMetrics' : 'StaleMetrics';
}

function reasonOfPool(members: readonly Member[], facts: Circumstances): WeightReason {
  const { isHeard, isIdle, isPanic, hasMetrics } = facts;
  const isLearnt = members.some(({ trace }) => trace.estimate !== undefined);
  if (hasMetrics && isPanic && members.every(({ trace }) => trace.fade > 0)) return 'FadingToBase';
  if (!isHeard) return 'NoConnectionReadings';
  if (!hasMetrics) return 'InFlight';
  if (!isLearnt) return 'Base';
  if (isPanic) return 'FewFreshMetrics';
  return isIdle ? 'LittleLoad' : 'FromLoad';
}

function describePool(members: readonly Member[], reason: WeightReason, facts: Circumstances): string {
  const parts = [`Weights: ${weightReasons[reason]}.`];
  if (facts.hasMetrics) parts.push(`${facts.fresh} of ${members.length} servers have fresh metrics.`);
  const rejected = members.find(({ lastRejection, trace }) => lastRejection !== undefined && !trace.isFresh);
  if (rejected?.lastRejection !== undefined)
    parts.push(
      `The last sample of ${titleOf(rejected)} was left out: ${rejectionTexts[rejected.lastRejection]}.`,
    );
  return parts.join(' ');
}

function titleOf({ server: { name, title = name } }: Member): string {
  return title;
}
