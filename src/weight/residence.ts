import type { Member } from './member.ts';

/** What directors alone can tell of a member, over the last seconds. */
export interface Residence {
  /** Mean time that a connection is open, by Little's law; undefined: too few to say. */
  readonly residenceMs: number | undefined;
  readonly completionsPerSecond: number;
  readonly arrivalsPerSecond: number;
  /** Connections that are active now. */
  readonly active: number;
}

export function measureResidence({ connections }: Member, nowMs: number): Residence {
  const { sinceMs, untilMs } = connections.knownSpan(nowMs, 'VirtualService');
  const active = connections.activeNow(nowMs);
  let found: Residence | undefined;
  for (const spanMs of spansMs) {
    const fromMs = Math.max(sinceMs, untilMs - spanMs);
    if (untilMs - fromMs < shortestSpanMs) break;
    const flow = connections.flowBetween(fromMs, untilMs, 'VirtualService');
    if (flow === undefined) break;
    const isEnough = flow.completions >= enoughCompletions;
    found = {
      residenceMs: isEnough ? (flow.meanActive * flow.spanMs) / flow.completions : undefined,
      completionsPerSecond: (flow.completions * 1000) / flow.spanMs,
      arrivalsPerSecond: (flow.arrivals * 1000) / flow.spanMs,
      active,
    };
    if (isEnough || fromMs === sinceMs) break;
  }
  return found ?? { residenceMs: undefined, completionsPerSecond: 0, arrivalsPerSecond: 0, active };
}

export interface PoolResidence {
  /** The lower median, so that of two servers the one that is well is the measure. */
  readonly typicalMs: number;
  /** The lower quartile: servers with some to spare. */
  readonly shortMs: number;
}

export function comparePool(residences: readonly Residence[]): PoolResidence | undefined {
  const sorted = residences
    .flatMap(({ residenceMs }) => (residenceMs === undefined ? [] : [residenceMs]))
    .toSorted((a, b) => a - b);
  const typicalMs = sorted[Math.floor((sorted.length - 1) / 2)];
  const shortMs = sorted[Math.floor((sorted.length - 1) / 4)];
  return typicalMs === undefined || shortMs === undefined ? undefined : { typicalMs, shortMs };
}

/** Whether a server answers nearly as fast as the fastest quarter of the pool. */
export function hasSomeToSpare({ residenceMs }: Residence, { shortMs }: PoolResidence): boolean {
  return residenceMs !== undefined && residenceMs < 1.3 * shortMs;
}

/** Recent first; further back only when too little happened. */
const spansMs = [15_000, 30_000, 60_000];
const shortestSpanMs = 4000;
const enoughCompletions = 10;
