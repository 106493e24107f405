import type { Member } from './member.ts';

/** How far the metrics of a pool can be trusted. Sets `metricAgeMs`, `isFresh` and `fade` of every trace. */
export interface Freshness {
  readonly fresh: number;
  /** Most metrics are missing, so it is the source that fails and not the servers. */
  readonly isPanic: boolean;
}

/**
 * Old metrics hold what was learnt, then let go of it. For one server that is after minutes: the others are still
 * measured, and it may have become another one. For the whole pool it is later, since what was learnt together is
 * still better than what was never known.
 *
 * @param sinceMs when the controller began to look: before, nothing could come
 */
export function judgeFreshness(members: readonly Member[], nowMs: number, sinceMs: number): Freshness {
  let fresh = 0;
  for (const { trace, lastSample, lastSampleEndMs, firstSeenMs } of members) {
    const ageMs = nowMs - lastSampleEndMs;
    trace.metricAgeMs = Number.isFinite(ageMs) ? ageMs : undefined;
    trace.isFresh = ageMs <= staleAfterMs + (lastSample?.windowMs ?? 0);
    if (trace.isFresh || (nowMs - firstSeenMs < youngMs && firstSeenMs > sinceMs)) fresh++;
  }
  const isPanic = fresh < members.length / 2;
  for (const { trace, lastSampleEndMs } of members) {
    const ageMs = nowMs - Math.max(lastSampleEndMs, sinceMs);
    const past = ageMs - (isPanic ? panicHoldMs : holdMs);
    trace.fade = Math.min(1, Math.max(0, past / (isPanic ? panicFadeMs : fadeMs)));
  }
  return { fresh, isPanic };
}

/** On top of the window: three scrapes of metrics-server may be lost. */
const staleAfterMs = 45_000;
/** A new server has no metrics yet, which is no sign of trouble. */
const youngMs = 90_000;
const holdMs = 180_000;
const fadeMs = 60_000;
const panicHoldMs = 600_000;
const panicFadeMs = 300_000;
