import { mergeCondition } from '../api/index.ts';
import type { Condition, ConditionVerdict } from '../api/index.ts';

/** RFC 3339 in whole seconds, as metav1.Time writes it. */
export function formatTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * The conditions that hold now, with the transition times of those that held before. What no verdict is about is left
 * out: some conditions are there only while they are true.
 */
export function mergeConditions(
  stored: readonly Condition[],
  verdicts: readonly ConditionVerdict[],
  now: string,
): readonly Condition[] {
  const kept = stored.filter(({ type }) => verdicts.some((verdict) => verdict.type === type));
  return verdicts.reduce<readonly Condition[]>((list, verdict) => mergeCondition(list, verdict, now), kept);
}
