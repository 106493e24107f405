import { judgeFreshness } from './freshness.ts';
import type { Member, PolicyEngine, PolicyOutcome, Pool } from './member.ts';
import { completeLoadShares, type LoadShares, type LvsDynamicFeedbackPolicy } from './policy.ts';
import { takeMetrics } from './take-metrics.ts';
import { judgeOutcome } from './verdict.ts';
import { wholeWeight } from './whole-weights.ts';

/**
 * The formula that the authors of LVS published for their monitor daemon, for those who want exactly that: each input
 * of a server is brought to a scale on which 1 is full, they are added with the shares R1 to R6, and the weight moves by
 * the cube root of the distance to a target.
 *
 * Known weakness, which is the formula's own: the target is absolute. In a pool that is less busy than the target every
 * weight climbs to its upper limit, and there they say no more than the base weights do.
 *
 * An input that nobody delivers takes no part, and the others share its share.
 */
export class LvsDynamicFeedback implements PolicyEngine {
  readonly periodMs: number;
  readonly #policy: LvsDynamicFeedbackPolicy;
  readonly #shares: LoadShares;
  readonly #meanWeight: number;
  #firstStepMs: number | undefined;
  #movedMs = -Infinity;

  constructor(policy: LvsDynamicFeedbackPolicy, meanWeight: number) {
    this.#policy = policy;
    this.#shares = completeLoadShares(policy.shares);
    this.#meanWeight = meanWeight;
    this.periodMs = policy.periodMs ?? 10_000;
  }

  step(pool: Pool, nowMs: number): PolicyOutcome {
    this.#firstStepMs ??= nowMs;
    const { members, shares } = pool;
    takeMetrics(pool, nowMs, 'Completions');
    const freshness = judgeFreshness(members, nowMs, this.#firstStepMs);
    const arrivals = members.map((member) => this.#arrivals(member, nowMs));
    const means: PoolMeans = {
      arrivals: meanOf(arrivals),
      responseMs: meanOf(members.map(({ lastSample }) => lastSample?.responseMs)),
    };
    // A server that comes or goes must not make everybody move early.
    const isDue = nowMs - this.#movedMs >= this.periodMs;
    if (isDue) this.#movedMs = nowMs;
    for (const [index, member] of members.entries()) {
      const { trace } = member;
      trace.prior = shares.prior[index] ?? 1;
      trace.configured = shares.configured[index] ?? 1;
      trace.active = member.connections.activeNow(nowMs);
      trace.arrivalsPerSecond = ((arrivals[index] ?? 0) * 1000) / this.periodMs;
      trace.loads = this.#loads(member, arrivals[index], means);
      trace.aggregateLoad = trace.isFresh ? aggregate(trace.loads) : undefined;
      trace.estimate = trace.aggregateLoad;
      this.#move(member, isDue);
    }
    const heardMs = Math.max(...members.map(({ connections }) => connections.lastReadingMs));
    const isHeard = nowMs - heardMs < 15_000;
    return judgeOutcome(members, { ...freshness, isHeard, isIdle: false, hasMetrics: true });
  }

  #arrivals({ connections }: Member, nowMs: number): number | undefined {
    const { untilMs } = connections.knownSpan(nowMs, 'VirtualService');
    return connections.flowBetween(untilMs - this.periodMs, untilMs, 'VirtualService')?.arrivals;
  }

  #loads(
    { lastSample, lastUtilisation, trace }: Member,
    arrivals: number | undefined,
    means: PoolMeans,
  ): Trace {
    const { input, cpu, disk, memory, processes, response } = this.#shares;
    if (!trace.isFresh || lastSample === undefined) return [];
    const all: [string, number | undefined, number][] = [
      ['new connections', ratio(arrivals, means.arrivals), input],
      ['CPU', lastUtilisation, cpu],
      ['disk', lastSample.disk, disk],
      ['memory', lastSample.memory, memory],
      ['processes', lastSample.processes, processes],
      ['response time', ratio(lastSample.responseMs, means.responseMs), response],
    ];
    return all.flatMap(([name, value, share]) =>
      value === undefined ? [] : [[name, value, share] as const],
    );
  }

  #move(member: Member, isDue: boolean): void {
    const { trace } = member;
    const { gain = 5, target = 0.95, scale = 10, floor = 1, threshold = 1 } = this.#policy;
    const base = trace.prior * this.#meanWeight;
    trace.lower = floor * base;
    trace.upper = scale * base;
    const old = member.level ?? member.server.currentWeight ?? base;
    const step =
      trace.aggregateLoad === undefined || !isDue ? 0 : gain * Math.cbrt(target - trace.aggregateLoad);
    if (isDue) trace.moved = step;
    const moved = old + step;
    const faded = moved + (base - moved) * trace.fade;
    member.level = Math.min(trace.upper, Math.max(trace.lower, faded));
    trace.level = member.level / this.#meanWeight;
    trace.exactWeight = member.level;
    const known = member.advised ?? member.server.currentWeight;
    const isMoved = known === undefined || known < 1 || Math.abs(member.level - known) > threshold;
    member.advised = isMoved ? wholeWeight(member.level) : known;
  }
}

interface PoolMeans {
  readonly arrivals: number | undefined;
  readonly responseMs: number | undefined;
}

type Trace = Member['trace']['loads'];

/** AGGREGATE_LOAD: the mean of the inputs, each as often as its share. */
function aggregate(loads: Trace): number | undefined {
  const shares = loads.reduce((sum, [, , share]) => sum + share, 0);
  if (shares <= 0) return undefined;
  return loads.reduce((sum, [, value, share]) => sum + value * share, 0) / shares;
}

function meanOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function ratio(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined || whole <= 0 ? undefined : part / whole;
}
