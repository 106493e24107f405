/** The ramp moves in this many steps: each is a kernel write, and more would not be seen. */
const steps = 10;
const leastStepMs = 1000;

export interface RampPosition {
  readonly weight: number;
  /** When the next step is due; undefined when the full weight is reached. */
  readonly nextStepAtMs: number | undefined;
}

/**
 * The weight of a server that has just come up: from a tenth to all of it, in even steps. A weight of 0 stays 0, and
 * no step of a positive weight is 0: the server is up.
 */
export function rampWeight(
  fullWeight: number,
  upSinceMs: number,
  durationMs: number,
  nowMs: number,
): RampPosition {
  const elapsed = Math.max(0, nowMs - upSinceMs);
  if (fullWeight === 0 || elapsed >= durationMs) return { weight: fullWeight, nextStepAtMs: undefined };
  const count = Math.max(1, Math.min(steps, Math.floor(durationMs / leastStepMs)));
  const stepMs = durationMs / count;
  const step = Math.floor(elapsed / stepMs);
  return {
    weight: Math.max(1, Math.round((fullWeight * (step + 1)) / (count + 1))),
    nextStepAtMs: upSinceMs + (step + 1) * stepMs,
  };
}
