/** The shape that Kubernetes tools expect of a condition (metav1.Condition). */
export interface Condition<Type extends string = string> {
  readonly type: Type;
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase, stable, never empty. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** RFC 3339; moves only when `status` changes. */
  readonly lastTransitionTime: string;
  /** Generation of the object that this was judged on. */
  readonly observedGeneration?: number | undefined;
}

export type ConditionVerdict<Type extends string = string> = Omit<Condition<Type>, 'lastTransitionTime'>;

/**
 * The list with the verdict in the place of the condition of its type, or behind the others. The very same list comes
 * back when nothing changed, so that a caller can tell by identity that there is nothing to write.
 * @param now RFC 3339, the transition time if the status differs from the last one.
 */
export function mergeCondition<Type extends string>(
  conditions: readonly Condition<Type>[],
  verdict: ConditionVerdict<Type>,
  now: string,
): readonly Condition<Type>[] {
  const index = conditions.findIndex(({ type }) => type === verdict.type);
  const last = conditions[index];
  if (last === undefined) return [...conditions, { ...verdict, lastTransitionTime: now }];
  if (isSameVerdict(last, verdict)) return conditions;
  const lastTransitionTime = last.status === verdict.status ? last.lastTransitionTime : now;
  return conditions.with(index, { ...verdict, lastTransitionTime });
}

function isSameVerdict(a: ConditionVerdict, b: ConditionVerdict): boolean {
  return (
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}
