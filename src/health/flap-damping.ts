/**
 * Damping of servers that come and go. Falls are never held back: a server that cannot answer gets no new connections.
 * Rises are, once a server has fallen twice within `memoryMs`: it rises no sooner than `leastDownMs` after its fall. So
 * the first recovery is as fast as the checks are, and a server that goes on flapping costs at most one rise and one fall
 * a minute.
 */
const leastDownMs = 60_000;
const memoryMs = 600_000;

export interface FlapHistory {
  /** When the server fell, oldest first; only what is younger than the memory. */
  readonly fallsMs: readonly number[];
  /** What is in force, as opposed to what the verdict says. */
  readonly isUp: boolean;
}

export interface DampedState {
  readonly history: FlapHistory;
  readonly isUp: boolean;
  /** When a rise that is held back is due; undefined when none is. */
  readonly heldUntilMs: number | undefined;
}

export function newFlapHistory(isUp: boolean): FlapHistory {
  return { fallsMs: [], isUp };
}

/** What to make of a verdict now. Level-triggered: asked again with nothing new it answers the same. */
export function dampVerdict(history: FlapHistory, verdictIsUp: boolean, nowMs: number): DampedState {
  if (verdictIsUp === history.isUp) return { history, isUp: verdictIsUp, heldUntilMs: undefined };
  const recent = history.fallsMs.filter((fall) => nowMs - fall < memoryMs);
  if (!verdictIsUp) {
    // Two say that it flaps, and the last one when it fell; more would only be kept, not read.
    const fallsMs = [...recent, nowMs].slice(-2);
    return { history: { fallsMs, isUp: false }, isUp: false, heldUntilMs: undefined };
  }
  const lastFall = recent.at(-1);
  const heldUntilMs = recent.length < 2 || lastFall === undefined ? undefined : lastFall + leastDownMs;
  return heldUntilMs !== undefined && nowMs < heldUntilMs
    ? { history, isUp: false, heldUntilMs }
    : { history: { fallsMs: recent, isUp: true }, isUp: true, heldUntilMs: undefined };
}
