/** The arithmetic of false alarms. */
import type { Pace } from './pace.ts';

/**
 * The share of probes to a healthy server that fail when each packet is lost with a probability of `loss`, in each direction. A
 * probe dials twice, and a dial needs a SYN and its answer; the kernel repeats neither within the timeout of one second.
 */
export function probeFailureShare(loss: number): number {
  const dialFails = 1 - (1 - loss) ** 2;
  return dialFails ** 2;
}

/** Falls of one healthy target in a day: rows of failures that are as long as the threshold, each begun after a success. */
export function falseTransitionsPerDay(
  failureShare: number,
  { intervalSeconds, failureThreshold }: Pick<Pace, 'intervalSeconds' | 'failureThreshold'>,
): number {
  return (86_400 / intervalSeconds) * (1 - failureShare) * failureShare ** failureThreshold;
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
