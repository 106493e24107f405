/**
 * When to probe. Every probe has a phase, a point inside its interval that never changes, so that thousands of them stay
 * evenly spread and the arrival of one moves no other. Time and chance are arguments.
 */

/** The golden ratio: its multiples fill an interval more evenly than chance, however many there will be. */
const goldenRatio = 0.618_033_988_749_894_9;

/** Widest step aside from the grid, as a share of the interval. Breaks step with whatever the servers do in step. */
export const jitterShare = 0.05;

/** The least time between first probes of newcomers that arrive together. */
const newcomerGapMs = 1;

/** The phase of the n-th probe that this director ever began, in [0, 1). */
export function phaseOf(ordinal: number): number {
  return (ordinal * goldenRatio) % 1;
}

/**
 * The time of the next probe: the next point of the probe's own grid, moved by jitter, and at least half an interval
 * from now, so that a probe that ran late is not followed at once by another.
 * @param chance in [0, 1)
 */
export function nextProbeAtMs(phase: number, intervalMs: number, nowMs: number, chance: number): number {
  const soonest = nowMs + intervalMs / 2;
  const turn = Math.ceil(soonest / intervalMs - phase);
  return (turn + phase) * intervalMs + (chance - 0.5) * jitterShare * intervalMs;
}

/**
 * How long the first probe of a newcomer waits: a single one is asked at once, and many that arrive together are spread
 * over as long as they need at one a millisecond, at most one interval.
 */
export function firstProbeDelayMs(index: number, arrivals: number, intervalMs: number): number {
  const windowMs = Math.min(intervalMs, arrivals * newcomerGapMs);
  return (index / Math.max(arrivals, 1)) * windowMs;
}
