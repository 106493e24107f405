/** Steps from a wanted share to a weight in the kernel. */

/**
 * No server's share grows faster than this, or shrinks faster than to half: what a sample says is old, and the step
 * after it sees what came of the first. A backlog is no sample but a fact, and may be answered sooner.
 */
export function limitStep(
  level: number | undefined,
  wanted: number,
  { elapsedMs, isSaturated }: { readonly elapsedMs: number; readonly isSaturated: boolean },
): number {
  if (level === undefined || level <= 0) return wanted;
  const steps = Math.min(mostSteps, elapsedMs / 5000);
  const least = level / (isSaturated ? 4 : 2) ** steps;
  return Math.min(Math.max(wanted, least), level * 1.5 ** steps);
}

/** After a pause of the controller, no leap. */
const mostSteps = 3;

/** Whether a weight moved enough to be worth a write: under wrr each one sets the kernel back to the first server. */
export function isWorthWriting(exact: number, kernelWeight: number | undefined): boolean {
  if (kernelWeight === undefined || kernelWeight < 1) return true;
  const isMoved = Math.abs(exact - kernelWeight) >= Math.max(0.75, 0.1 * kernelWeight);
  return isMoved && wholeWeight(exact) !== kernelWeight;
}

/** Never 0: that is for drains and failed probes. The kernel takes up to 65535. */
export function wholeWeight(exact: number): number {
  return Math.min(65_535, Math.max(1, Math.round(exact)));
}
