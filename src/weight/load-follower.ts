import { capAtCompletions, drainFactor, saturatedBelow } from './backlog.ts';
import { judgeFreshness } from './freshness.ts';
import type { Member, PolicyEngine, PolicyOutcome, Pool } from './member.ts';
import type { BasePolicy } from './policy.ts';
import { comparePool, hasSomeToSpare, measureResidence, type Residence } from './residence.ts';
import { takeMetrics, type WorkUnit } from './take-metrics.ts';
import { judgeOutcome } from './verdict.ts';
import { limitStep } from './whole-weights.ts';
import { WriteBudget } from './write-budget.ts';

export interface LoadFollowerOptions {
  readonly policy: BasePolicy;
  /** Of the weights that are written. */
  readonly meanWeight: number;
  /** Whether pod metrics are used at all. */
  readonly hasMetrics: boolean;
  /** Whether the scheduler looks at connections itself, and so sends less to who falls behind. */
  readonly isLeastConnection: boolean;
}

/**
 * The policies CapacityEstimate and InFlight. In each step, for each server:
 *
 *   relative   what it completes per CPU, against the pool's mean (the prior until that is learnt)
 *   backoff    no more than it completes, found while it had a backlog; given back slowly
 *   drain      less for as long as there is a backlog (both only under wrr, which sees none itself)
 *   wanted     the product, within minPercent and maxPercent of the base
 *   level      no step larger than half as much again, or down to half; to a quarter with a backlog
 *   ramp       a new or recovered server begins with a tenth and has its whole share after a minute
 *   weight     a whole number; written when it moved by a tenth and the budget of writes allows
 *
 * Guarantees: a weight is at least 1; without news every weight stays, and in the end returns to the base; nothing
 * that a metric source can say leads outside the limits.
 */
export class LoadFollower implements PolicyEngine {
  readonly #options: LoadFollowerOptions;
  readonly #budget = new WriteBudget();
  #unit: WorkUnit = 'Completions';
  #firstStepMs: number | undefined;
  /** Nobody said what the servers are worth, and no metrics have yet: backlogs are all there is to go by. */
  #isUnknown = false;

  constructor(options: LoadFollowerOptions) {
    this.#options = options;
  }

  /** Milliseconds between two steps. The first completions can be counted after 4 s, and where nothing is known they matter. */
  get periodMs(): number {
    return this.#isUnknown ? unknownPeriodMs : usualPeriodMs;
  }

  step(pool: Pool, nowMs: number, elapsedMs: number): PolicyOutcome {
    this.#firstStepMs ??= nowMs;
    const { members } = pool;
    const { hasMetrics } = this.#options;
    const residences = members.map((member) => measureResidence(member, nowMs));
    this.#chooseUnit(members, residences);
    if (hasMetrics) takeMetrics(pool, nowMs, this.#unit);
    const freshness = judgeFreshness(members, nowMs, this.#firstStepMs);
    setRelatives(pool);
    this.#isUnknown = !this.#options.isLeastConnection && isUnknown(pool, nowMs - this.#firstStepMs);
    const heardMs = Math.max(...members.map(({ connections }) => connections.lastReadingMs));
    const isHeard = nowMs - heardMs < deafAfterMs;
    if (isHeard) this.#setFactors(members, residences, elapsedMs);
    else forgetFactors(members);
    const isIdle = (poolUtilisation(members) ?? 1) < idleUtilisation;
    this.#setLevels(members, { nowMs, elapsedMs, isIdle });
    this.#budget.spend(members, elapsedMs);
    return judgeOutcome(members, { ...freshness, isHeard, isIdle, hasMetrics });
  }

  /** Where connections live long, requests are not what uses the CPU: the open connections are. */
  #chooseUnit(members: readonly Member[], residences: readonly Residence[]): void {
    const completions = sum(residences.map((one) => one.completionsPerSecond));
    const active = sum(residences.map((one) => one.active));
    if (active === 0) return;
    const seconds = active / completions;
    const isLong =
      seconds > longLivedSeconds || (seconds > shortLivedSeconds && this.#unit !== 'Completions');
    const unit = isLong ? 'ConnectionSeconds' : 'Completions';
    if (unit === this.#unit) return;
    this.#unit = unit;
    for (const member of members) {
      // What was learnt in the other unit stays until there is something better in this one.
      member.fallback = member.trace.relative;
      member.learner.reset();
      member.backoff = 1;
    }
  }

  #setFactors(members: readonly Member[], residences: readonly Residence[], elapsedMs: number): void {
    const pool = comparePool(residences, { isUnknown: this.#isUnknown });
    const saturated = new Set<number>();
    // Connections that clients hold open say nothing about how busy a server is.
    const isBlind = pool === undefined || this.#unit !== 'Completions';
    const steps = Math.min(3, elapsedMs / usualPeriodMs);
    for (const [index, member] of members.entries()) {
      const { trace } = member;
      const residence = residences[index];
      if (residence === undefined) continue;
      trace.residenceMs = residence.residenceMs;
      trace.typicalResidenceMs = pool?.typicalMs;
      trace.active = residence.active;
      trace.arrivalsPerSecond = residence.arrivalsPerSecond;
      // wlc and sed see a backlog themselves, at the next connection and not after seconds.
      const isSeen = isBlind || this.#options.isLeastConnection;
      trace.drain = isSeen ? 1 : drainFactor(residence, pool.typicalMs);
      if (trace.drain < saturatedBelow) saturated.add(index);
      else if (trace.isFresh && trace.estimate !== undefined) member.backoff *= giveBackTrusted ** steps;
      else if (!isBlind && hasSomeToSpare(residence, pool)) member.backoff *= giveBack ** steps;
    }
    capAtCompletions(members, residences, saturated);
    settleBackoffs(members);
  }

  #setLevels(
    members: readonly Member[],
    { nowMs, elapsedMs, isIdle }: { nowMs: number; elapsedMs: number; isIdle: boolean },
  ) {
    const { policy, meanWeight } = this.#options;
    const { base = 'Prior', minPercent = 10, maxPercent = 400 } = policy;
    const ramps = members.map((member) => rampOf(member, nowMs));
    const fullest = Math.max(...ramps);
    const meanBackoff = sum(members.map(({ trace }) => trace.backoff)) / members.length;
    for (const [index, member] of members.entries()) {
      const { trace } = member;
      trace.wish = base === 'Policy' ? trace.configured : 1;
      trace.lower = (trace.prior * trace.wish * minPercent) / 100;
      trace.upper = (trace.prior * trace.wish * maxPercent) / 100;
      const isHeld = isIdle && member.level !== undefined;
      const product = (trace.relative * trace.wish * trace.drain * trace.backoff) / meanBackoff;
      if (!isHeld) trace.wanted = clamp(product, trace.lower, trace.upper);
      member.level = limitStep(member.level, trace.wanted, {
        elapsedMs,
        isSaturated: trace.drain < saturatedBelow,
      });
      // When all are new there is nobody to spare them.
      trace.ramp = (ramps[index] ?? 1) / fullest;
      trace.level = member.level * trace.ramp;
      trace.exactWeight = trace.level * meanWeight;
    }
  }
}

/** At the start of a pool of which neither sizes nor metrics of most servers are known. */
function isUnknown({ members, shares }: Pool, ageMs: number): boolean {
  if (ageMs > longestUnknownMs || shares.origin === 'CpuLimits' || shares.origin === 'CpuRequests')
    return false;
  const known = members.filter(({ trace }) => trace.estimate !== undefined).length;
  return known < members.length / 2;
}

/** Estimates are made relative; the servers of which nothing is known keep their part of the whole. */
function setRelatives({ members, shares }: Pool): void {
  let estimates = 0;
  let expected = 0;
  for (const [index, { learner, trace, fallback }] of members.entries()) {
    trace.prior = shares.prior[index] ?? 1;
    trace.configured = shares.configured[index] ?? 1;
    if (learner.estimate === undefined) continue;
    estimates += learner.estimate;
    expected += fallback ?? trace.prior;
  }
  for (const { learner, trace, fallback } of members) {
    trace.estimate = learner.estimate === undefined ? undefined : (learner.estimate / estimates) * expected;
    const known = trace.estimate ?? fallback ?? trace.prior;
    trace.relative = known ** (1 - trace.fade) * trace.prior ** trace.fade;
  }
}

/** Nobody reports connections any more: what was found out by them goes at the pace at which metrics are forgotten. */
function forgetFactors(members: readonly Member[]): void {
  for (const { trace, backoff } of members) {
    if (trace.fade === 0) continue;
    trace.drain = 1;
    trace.backoff = backoff ** (1 - trace.fade);
  }
}

const usualPeriodMs = 5000;
const unknownPeriodMs = 4000;
/** Metrics that come at all have come by then. */
const longestUnknownMs = 40_000;
const deafAfterMs = 15_000;
/** Two limits, so that a pool between them does not learn everything anew each time it crosses. */
const longLivedSeconds = 30;
const shortLivedSeconds = 15;
/** Below, CPU is not that of requests, and there is nothing to gain. */
const idleUtilisation = 0.1;
const rampMs = 60_000;
const smallestBackoff = 0.1;
/** Doubled in two minutes: long enough that a server which is truly slower is not pushed into a backlog each minute. */
const giveBack = 1.03;
/** Doubled in 35 s, where the metrics have had time to say the same. */
const giveBackTrusted = 1.1;

/** Only ratios count: the largest is 1. Those whose metrics are trusted are never held above the others by this. */
function settleBackoffs(members: readonly Member[]): void {
  for (const member of members)
    if (member.trace.isFresh && member.trace.estimate !== undefined)
      member.backoff = Math.min(1, member.backoff);
  const largest = Math.max(...members.map(({ backoff }) => backoff));
  for (const member of members) {
    member.backoff = clamp(member.backoff / largest, smallestBackoff, 1);
    member.trace.backoff = member.backoff;
  }
}

function rampOf({ rampSinceMs }: Member, nowMs: number): number {
  return rampSinceMs === undefined ? 1 : clamp((nowMs - rampSinceMs) / rampMs, 0.1, 1);
}

function poolUtilisation(members: readonly Member[]): number | undefined {
  const known = members.filter(
    ({ trace, lastUtilisation }) => trace.isFresh && lastUtilisation !== undefined,
  );
  if (known.length === 0) return undefined;
  return sum(known.map(({ lastUtilisation }) => lastUtilisation ?? 0)) / known.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((left, right) => left + right, 0);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
