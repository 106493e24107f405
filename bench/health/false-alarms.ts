/** The arithmetic of false alarms. */
import type { Pace } from './pace.ts';

/**
 * The share of probes to a healthy server that fail when each packet is lost with a probability of `loss`, in each direction. A
 * dial needs a SYN and its answer; the kernel repeats neither within the timeout of one second.
 * @param dials how often a probe tries to connect within its timeout: ours twice, keepalived's once
 */
export function probeFailureShare(loss: number, dials: 1 | 2): number {
  const dialFails = 1 - (1 - loss) ** 2;
  return dialFails ** dials;
}

type Thresholds = Pick<Pace, 'failureThreshold'>;

/** Falls in so many probes of healthy servers: rows of failures that are as long as the threshold, each begun after a success. */
export function expectedFalls(
  probes: number,
  failureShare: number,
  { failureThreshold }: Thresholds,
): number {
  return probes * (1 - failureShare) * failureShare ** failureThreshold;
}

/** Of one healthy target. */
export function falseFallsPerDay(
  failureShare: number,
  pace: Thresholds & Pick<Pace, 'intervalSeconds'>,
): number {
  return expectedFalls(86_400 / pace.intervalSeconds, failureShare, pace);
}

/**
 * What the true share is below, with 99 % certainty, when `count` of `trials` were counted: the upper end of Wilson's score
 * interval, which holds for a count of 0, too.
 */
export function upperBound(count: number, trials: number): number {
  const z = 2.326;
  const share = count / trials;
  const spread = z * Math.sqrt((share * (1 - share)) / trials + (z / (2 * trials)) ** 2);
  return (share + z ** 2 / (2 * trials) + spread) / (1 + z ** 2 / trials);
}
