import { refuseDynamicWeights } from '../api/index.ts';
import { computeBaseShares, defaultBaseWeight, toShares } from './base-shares.ts';
import { explainAbsent, explainMember } from './explain.ts';
import { LoadFollower } from './load-follower.ts';
import { LvsDynamicFeedback } from './lvs-dynamic-feedback.ts';
import { Member, type PolicyEngine, type PolicyOutcome } from './member.ts';
import type { InputRejection } from './metric-intake.ts';
import { kernelMeanWeight } from './policy.ts';
import { StaticWeights } from './static-weights.ts';
import type {
  AdvisedWeight,
  ConnectionReading,
  MetricSample,
  WeightAdvice,
  WeightController,
  WeightControllerOptions,
  WeightedRealServer,
  WeightExplanation,
} from './types.ts';

/**
 * The weights of one virtual service. Deterministic: the same calls give the same weights.
 *
 * @example
 *   const controller = createWeightController({ scheduler: 'wlc', policy: { type: 'CapacityEstimate' } });
 *   controller.observeRealServers([{ name: 'a', cpuLimitCores: 2 }, { name: 'b', cpuLimitCores: 1 }]);
 *   // every second:
 *   controller.observeConnections([{ realServer: 'a', director: 'n1', atMs, totalConnections, activeConnections }]);
 *   // whenever there are some, repetitions included:
 *   controller.observeMetrics([{ realServer: 'a', timestampMs, windowMs: 15_000, cpuCores: 1.2 }]);
 *   const { weights } = controller.tick(nowMs);
 */
export function createWeightController(options: WeightControllerOptions): WeightController {
  return new Controller(options);
}

class Controller implements WeightController {
  readonly #options: WeightControllerOptions;
  readonly #engine: PolicyEngine;
  readonly #members = new Map<string, Member>();
  /** Known servers that are left alone, and why. */
  readonly #absent = new Map<string, string>();
  #nowMs = -Infinity;
  #steppedMs: number | undefined;
  #isPoolChanged = true;
  #hasPool = false;
  #advice = nothing;
  #metricsFailure: string | undefined;

  constructor(options: WeightControllerOptions) {
    this.#options = options;
    this.#engine = createEngine(options);
  }

  observeRealServers(servers: readonly WeightedRealServer[]): void {
    const serving = new Set<string>();
    this.#absent.clear();
    for (const server of servers) {
      const obstacle = obstacleOf(server);
      if (obstacle !== undefined) {
        this.#absent.set(server.name, obstacle);
        continue;
      }
      serving.add(server.name);
      const member = this.#members.get(server.name);
      if (member !== undefined) member.server = server;
      else {
        this.#members.set(server.name, new Member(server, this.#nowMs, this.#hasPool));
        this.#isPoolChanged = true;
      }
    }
    for (const name of this.#members.keys()) {
      if (serving.has(name)) continue;
      this.#members.delete(name);
      this.#isPoolChanged = true;
    }
    if (!this.#hasPool) adopt([...this.#members.values()]);
    this.#hasPool ||= this.#members.size > 0;
  }

  observeConnections(readings: readonly ConnectionReading[]): void {
    const own = this.#options.virtualService ?? '';
    for (const reading of readings) {
      const member = this.#members.get(reading.realServer);
      if (member === undefined) continue;
      const isOwn = reading.virtualService === undefined || reading.virtualService === own;
      if (member.connections.add(reading, isOwn)) continue;
      member.badReadings++;
      if (member.uncounted.length < mostUncounted) member.uncounted.push('ImpossibleReading');
    }
  }

  observeMetrics(samples: readonly MetricSample[]): void {
    if (samples.length > 0) this.#metricsFailure = undefined;
    for (const sample of samples) this.#members.get(sample.realServer)?.intake.offer(sample);
  }

  observeMetricsFailure(message: string): void {
    this.#metricsFailure = message;
  }

  tick(nowMs: number): WeightAdvice {
    // A clock that was set back, or is no number: the weights stay until time goes on.
    if (!(nowMs > this.#nowMs)) return this.#advice;
    this.#nowMs = nowMs;
    const isDue = this.#steppedMs === undefined || nowMs - this.#steppedMs >= this.#engine.periodMs;
    if (!isDue && !this.#isPoolChanged) {
      this.#advice = this.#repeat();
      return this.#advice;
    }
    const members = [...this.#members.values()];
    const before = members.map(({ advised, server }) => server.currentWeight ?? advised);
    const elapsedMs = nowMs - (this.#steppedMs ?? nowMs);
    const { policy } = this.#options;
    const base = 'base' in policy ? policy.base : undefined;
    const shares = computeBaseShares(
      members.map(({ server }) => server),
      base ?? 'Prior',
    );
    const outcome =
      members.length === 0 ? emptyPool : this.#engine.step({ members, shares }, nowMs, elapsedMs);
    for (const member of members) member.connections.forgetSilent(nowMs);
    this.#steppedMs = nowMs;
    this.#isPoolChanged = false;
    this.#advice = this.#advise(members, before, outcome);
    return this.#advice;
  }

  explain(realServer: string): WeightExplanation | undefined {
    const member = this.#members.get(realServer);
    if (member !== undefined) return explainMember(member, this.#options.policy.type);
    const obstacle = this.#absent.get(realServer);
    return obstacle === undefined ? undefined : explainAbsent(realServer, obstacle);
  }

  #advise(
    members: readonly Member[],
    before: readonly (number | undefined)[],
    outcome: PolicyOutcome,
  ): WeightAdvice {
    const weights = new Map<string, AdvisedWeight>();
    let changes = 0;
    for (const [index, member] of members.entries()) {
      const { trace, advised = defaultBaseWeight } = member;
      const isChanged = advised !== before[index];
      if (isChanged) changes++;
      weights.set(member.server.name, {
        weight: advised,
        isChanged,
        reason: trace.reason,
        capacityEstimate: trace.estimate,
        inFlightFactor: trace.drain * trace.backoff,
        metricAgeMs: trace.metricAgeMs,
      });
    }
    const { reason, isFromLoad, isPanic } = outcome;
    const failure =
      this.#metricsFailure === undefined ? '' : ` The metric source failed: ${this.#metricsFailure}.`;
    const verdict = { isFromLoad, reason, message: outcome.message + failure };
    const warnings = this.#warnings(members);
    return { weights, changes, isPanic, verdict, warnings, leftOut: countLeftOut(members) };
  }

  /** Between two steps: the same weights, of which only those are to be written that others have changed since. */
  #repeat(): WeightAdvice {
    let changes = 0;
    const weights = new Map<string, AdvisedWeight>();
    for (const [name, advised] of this.#advice.weights) {
      const current = this.#members.get(name)?.server.currentWeight;
      const isChanged = current !== undefined && current !== advised.weight;
      if (isChanged) changes++;
      weights.set(name, advised.isChanged === isChanged ? advised : { ...advised, isChanged });
    }
    return { ...this.#advice, changes, weights, leftOut: none };
  }

  #warnings(members: readonly Member[]): readonly string[] {
    const { scheduler, policy } = this.#options;
    if (scheduler !== 'wrr' || policy.type === 'Static') return [];
    const perSecond = members.reduce((sum, { trace }) => sum + trace.arrivalsPerSecond, 0);
    const round = members.reduce((sum, { advised = 0 }) => sum + advised, 0);
    if (perSecond === 0 || round / perSecond <= longestRoundSeconds) return [];
    return [
      `One round of wrr takes ${(round / perSecond).toFixed(1)} s at this rate of connections, and within a round ` +
        'shares are uneven; wlc or sed suit little traffic better.',
    ];
  }
}

function createEngine({ policy, scheduler }: WeightControllerOptions): PolicyEngine {
  const obstacle = refuseDynamicWeights(scheduler);
  if (policy.type === 'Static' || obstacle !== undefined) return new StaticWeights(policy, obstacle);
  const meanWeight = kernelMeanWeight(scheduler);
  if (policy.type === 'LVSDynamicFeedback') return new LvsDynamicFeedback(policy, meanWeight);
  const hasMetrics = policy.type === 'CapacityEstimate';
  return new LoadFollower({ policy, meanWeight, hasMetrics, isLeastConnection: scheduler !== 'wrr' });
}

function obstacleOf({
  state = 'Serving',
  baseWeight = defaultBaseWeight,
}: WeightedRealServer): string | undefined {
  if (state !== 'Serving') return state === 'Drained' ? 'drained' : 'failed';
  return baseWeight > 0 ? undefined : 'its configured weight is 0';
}

/**
 * A controller that takes over goes on from the weights that it finds. Weights in proportion to the configured ones
 * are nothing that was learnt.
 */
function adopt(members: readonly Member[]): void {
  const found = members.map(({ server }) => server.currentWeight ?? 0);
  if (found.length === 0 || found.some((weight) => !(weight > 0))) return;
  const configured = toShares(members.map(({ server }) => server.baseWeight ?? defaultBaseWeight));
  const shares = toShares(found);
  const isConfigured = shares.every((share, index) => {
    const expected = configured[index] ?? 1;
    return Math.abs(share - expected) <= 0.1 * expected;
  });
  if (isConfigured) return;
  for (const [index, member] of members.entries()) member.fallback = shares[index];
}

/** By reason, and from now on counted. */
function countLeftOut(members: readonly Member[]): WeightAdvice['leftOut'] {
  let counts: Map<InputRejection, number> | undefined;
  for (const member of members) {
    if (member.uncounted.length === 0) continue;
    counts ??= new Map();
    for (const reason of member.uncounted) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    member.uncounted = [];
  }
  return counts ?? none;
}

const none: WeightAdvice['leftOut'] = new Map();
/** Between two steps of a policy; whoever sends more than that is not worth the memory. */
const mostUncounted = 64;

/** A round of wrr that takes longer is felt by clients. */
const longestRoundSeconds = 1;

const emptyPool: PolicyOutcome = {
  reason: 'Base',
  isFromLoad: false,
  isPanic: false,
  message: 'No real server serves.',
};

const nothing: WeightAdvice = {
  weights: new Map(),
  changes: 0,
  isPanic: false,
  verdict: { isFromLoad: false, reason: 'Base', message: 'Nothing was observed yet.' },
  warnings: [],
  leftOut: none,
};
