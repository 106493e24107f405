import type { SchedulerName } from '../api/index.ts';

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

const refusals: Readonly<Partial<Record<SchedulerName, string>>> = {
  rr: 'rr ignores weights',
  lc: 'lc ignores weights',
  fo: 'fo sends everything to the highest weight, so a ramp would move all clients at once',
  ovf: 'ovf reads weights as an order and as limits of connections, so a ramp would move clients between servers',
  dh: 'dh hashes destinations to servers, so a ramp would move flows',
  sh: 'sh hashes clients to servers, so every step of a ramp would move clients of other servers',
  mh: 'mh hashes clients to servers, so every step of a ramp would move clients of other servers',
};

/** Why a scheduler cannot ramp weights, as a clause of a sentence; undefined when it can. */
export function slowStartRefusal(scheduler: SchedulerName): string | undefined {
  return refusals[scheduler];
}
