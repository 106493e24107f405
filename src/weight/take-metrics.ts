import type { Member, Pool } from './member.ts';
import type { MetricRejection } from './metric-intake.ts';
import type { MetricSample } from './types.ts';

/** What the work of a window is counted in: requests, or time in which connections are open. */
export type WorkUnit = 'Completions' | 'ConnectionSeconds';

/**
 * Joins the samples that wait with what the directors counted in exactly the same windows, and teaches each member's
 * learner. A sample waits until the totals of its whole window are known, but not for ever: a server without
 * connections has totals that do not move.
 */
export function takeMetrics({ members, shares }: Pool, nowMs: number, unit: WorkUnit): void {
  for (const [index, member] of members.entries()) {
    const { untilMs } = member.connections.knownSpan(nowMs, 'Pod');
    const cores = (shares.capacities ?? shares.prior)[index];
    const comparison = { cores, isReal: shares.capacities !== undefined, unit };
    member.intake.take(nowMs, Math.max(untilMs, nowMs - longestWaitMs), (sample, fault) => {
      const rejection = fault ?? learnFrom(member, sample, comparison);
      if (rejection !== 'SeenBefore') member.lastRejection = rejection;
      if (rejection !== undefined && rejection !== 'SeenBefore') member.uncounted.push(rejection);
      if (rejection !== undefined) return;
      member.lastSample = sample;
      member.lastSampleEndMs = sample.timestampMs;
    });
  }
}

interface Comparison {
  readonly cores: number | undefined;
  /** Whether the cores are truly there, or merely in proportion. */
  readonly isReal: boolean;
  readonly unit: WorkUnit;
}

function learnFrom(
  member: Member,
  sample: MetricSample,
  { cores, isReal, unit }: Comparison,
): MetricRejection | undefined {
  const { windowMs, timestampMs, cpuCores } = sample;
  const fromMs = timestampMs - windowMs;
  // Of a server that was just added, half a window at least must lie behind its first seconds.
  const { rampSinceMs } = member;
  if (rampSinceMs !== undefined && fromMs + windowMs / 2 < rampSinceMs + firstSecondsMs) return 'TooYoung';
  const utilisation = sample.utilisation ?? ratio(cpuCores, cores);
  if (utilisation === undefined) return 'NothingToCompareWith';
  const isPart = isReal || sample.utilisation !== undefined;
  if (isPart && utilisation > mostUtilisation) return 'Huge';
  const flow = member.connections.flowBetween(fromMs, timestampMs, 'Pod');
  if (flow === undefined) return 'NotWatched';
  member.lastUtilisation = isPart ? utilisation : undefined;
  const seconds = windowMs / 1000;
  const work = unit === 'Completions' ? flow.completions : flow.meanActive * seconds;
  member.learner.learn(work, utilisation, { seconds, isReal: isPart });
  return undefined;
}

/** The kernel moves totals every 2 s and directors read them every second: later, they are known as well as ever. */
const longestWaitMs = 5000;
const firstSecondsMs = 10_000;
/** Above this, a limit was changed or the sample is broken. Requests may be exceeded by far, limits by bursts only. */
const mostUtilisation = 20;

function ratio(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined ? undefined : part / whole;
}
