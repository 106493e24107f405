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
  /** The lower median, so that of two servers the one that is well is the measure; less in an unknown pool. */
  readonly typicalMs: number;
  /** The lower quartile: servers with some to spare. */
  readonly shortMs: number;
}

/**
 * What is usual in the pool.
 * @param isUnknown the shares are a mere guess: then more than half of the servers may have a backlog at once, and their
 *   median would pass for well. The fastest quarter is the measure instead. In a pool that is truly full, or whose shares
 *   are right, that would blame chance.
 */
export function comparePool(
  residences: readonly Residence[],
  { isUnknown }: { readonly isUnknown: boolean },
): PoolResidence | undefined {
  const sorted = residences
    .flatMap(({ residenceMs }) => (residenceMs === undefined ? [] : [residenceMs]))
    .toSorted((a, b) => a - b);
  const medianMs = sorted[Math.floor((sorted.length - 1) / 2)];
  const shortMs = sorted[Math.floor((sorted.length - 1) / 4)];
  if (medianMs === undefined || shortMs === undefined) return undefined;
  // Of servers that were never seen busy, no time is known that the others could be compared with.
  const isMeasure = isUnknown && shortMs > 0;
  return { typicalMs: isMeasure ? Math.min(medianMs, mostOfShort * shortMs) : medianMs, shortMs };
}

/** Whether a server answers nearly as fast as the fastest quarter of the pool. */
export function hasSomeToSpare({ residenceMs }: Residence, { shortMs }: PoolResidence): boolean {
  return residenceMs !== undefined && residenceMs < 1.3 * shortMs;
}

const mostOfShort = 1.5;
/** Recent first; further back only when too little happened. */
const spansMs = [15_000, 30_000, 60_000];
const shortestSpanMs = 4000;
const enoughCompletions = 10;
