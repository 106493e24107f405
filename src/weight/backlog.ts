/**
 * Servers with a backlog, found by the directors alone.
 *
 * Under wrr nothing else notices one: a server that gets 5 % more than it can do falls behind for ever. Its backlog
 * says two things at once. It has to be emptied, so the server gets less than its share for a while; and as long as it
 * is there the server works at full capacity, so what it completes IS its capacity, whatever its CPU metric says.
 */
import type { Member } from './member.ts';
import type { Residence } from './residence.ts';

/**
 * The part of its share that a server with a backlog gets, so that the backlog is gone within seconds.
 *
 * Two measures, of which the smaller counts: the seconds that the backlog is worth, which tells how much is too much at
 * once, and how much longer than usual a connection stays, which also sees the small backlog of short requests.
 *
 * @param typicalMs what a connection takes at a server that is well; twice as much is no backlog
 */
export function drainFactor(residence: Residence, typicalMs: number): number {
  const { residenceMs, completionsPerSecond, active } = residence;
  if (residenceMs === undefined || completionsPerSecond <= 0) return 1;
  const backlogSeconds = active / completionsPerSecond - (2 * typicalMs) / 1000;
  // Where requests themselves take seconds, a backlog is counted in requests and not in seconds.
  const withinSeconds = Math.max(shortestDrainSeconds, (5 * typicalMs) / 1000);
  const bySeconds = Math.max(smallestPart, 1 - backlogSeconds / withinSeconds);
  const byResidence = Math.max(smallestByResidence, Math.sqrt((crowdedFrom * typicalMs) / residenceMs));
  return Math.min(1, bySeconds, byResidence);
}

/** One step of the controller: what it does about a backlog shows in the next one. */
const shortestDrainSeconds = 5;
const smallestPart = 0.1;
/** Chance alone makes connections stay twice as long at one server as at another, in a busy pool. */
const crowdedFrom = 3;
const smallestByResidence = 0.5;
/** Below this factor a server counts as one that works at its full capacity. */
export const saturatedBelow = 0.9;

/**
 * Lowers `backoff` of saturated members so that each gets no more than it completes. It names a share of all arrivals
 * and not a step downwards, so that to act twice on the same numbers does no harm.
 */
export function capAtCompletions(
  members: readonly Member[],
  residences: readonly Residence[],
  saturated: ReadonlySet<number>,
): void {
  const arrivals = sumBy(residences, ({ arrivalsPerSecond }) => arrivalsPerSecond);
  if (saturated.size === 0 || arrivals <= 0) return;
  const share = (index: number): number => (residences[index]?.completionsPerSecond ?? 0) / arrivals;
  const taken = sumBy([...saturated], share);
  let others = 0;
  for (const [index, { trace, backoff }] of members.entries())
    if (!saturated.has(index)) others += trace.relative * backoff;
  // With next to nobody to take it over, taking load away helps nobody.
  if (taken > mostTaken || others <= 0) return;
  for (const index of saturated) {
    const member = members[index];
    if (member === undefined) continue;
    const level = (share(index) / (1 - taken)) * others;
    const most = level / Math.max(1e-9, member.trace.relative);
    if (most < member.backoff) member.backoff = Math.max(most, member.backoff / 4);
  }
}

const mostTaken = 0.95;

function sumBy<T>(values: readonly T[], value: (one: T) => number): number {
  return values.reduce((sum, one) => sum + value(one), 0);
}
