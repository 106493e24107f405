/**
 * When to probe. Every probe has a phase, a point inside its interval that never changes, so that thousands of them stay
 * evenly spread and the arrival of one moves no other. Time and chance are arguments.
 */

/** The golden ratio: its multiples fill an interval more evenly than chance, however many there will be. */
const goldenRatio = 0.618_033_988_749_894_9;

/** Widest step aside from the grid, as a share of the interval. Breaks step with whatever the servers do in step. */
export const jitterShare = 0.05;

/**
 * Turns are taken on a common grid of so much of the interval. Those that share a point wake the thread up once for all of
 * them and, as servers mostly answer at once, once more for their answers: half of the CPU at 400 probes a second.
 */
const slotShare = 1 / 200;

/** The least time between first probes of newcomers that arrive together. */
const newcomerGapMs = 1;

/** The phase of the n-th probe that this director ever began, in [0, 1). */
export function phaseOf(ordinal: number): number {
  return (ordinal * goldenRatio) % 1;
}

/**
 * The time of the next probe: the next point of the probe's own grid, moved by jitter, at least half an interval after
 * the last one began, so that one that began late is not followed at once by another. How long it took does not matter:
 * a silent server, whose probes take their whole timeout, is asked as often as any. A turn that passed by more than a
 * quarter of an interval while the probe was still under way is left out; a smaller delay only makes it late.
 * @param chance in [0, 1)
 */
export function nextProbeAtMs(
  phase: number,
  intervalMs: number,
  last: { readonly startMs: number; readonly endMs: number },
  chance: number,
): number {
  const soonest = Math.max(last.startMs + intervalMs / 2, last.endMs - intervalMs / 4);
  const turn = Math.ceil(soonest / intervalMs - phase);
  const slot = (turn + phase + (chance - 0.5) * jitterShare) / slotShare;
  return Math.round(slot) * slotShare * intervalMs;
}

/**
 * How long the first probe of a newcomer waits: a single one is asked at once, and many that arrive together are spread
 * over as long as they need at one a millisecond, at most one interval.
 */
export function firstProbeDelayMs(index: number, arrivals: number, intervalMs: number): number {
  const windowMs = Math.min(intervalMs, arrivals * newcomerGapMs);
  return (index / Math.max(arrivals, 1)) * windowMs;
}
