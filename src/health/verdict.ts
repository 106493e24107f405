import type { FailureReason, ProbeOutcome } from './outcome.ts';

/** How many outcomes in a row turn a verdict. */
export interface VerdictPolicy {
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** What we hold of one server. Never changed in place: an outcome that changes nothing gives the same object back. */
export interface Verdict {
  readonly isUp: boolean;
  /** False until a probe turned or confirmed what was assumed at the start. */
  readonly isProven: boolean;
  /** Outcomes in a row that contradict `isUp`. */
  readonly against: number;
  /** Of the last failure; undefined once the server is up and its last probe passed. */
  readonly reason: FailureReason | undefined;
  /** Since when `isUp` is what it is. */
  readonly sinceMs: number;
}

/**
 * What is assumed before the first probe. New: nothing is known of the server, and its check says how it begins. Kept:
 * somebody (the kernel's table, the check before an edit) already had a verdict, which stands until probes turn it.
 */
export type Beginning =
  | { readonly kind: 'new'; readonly initialState: 'Up' | 'Down' }
  | {
      readonly kind: 'kept';
      readonly isUp: boolean;
      readonly reason?: FailureReason | undefined;
      /** @default now */
      readonly sinceMs?: number | undefined;
    };

export function firstVerdict(beginning: Beginning, nowMs: number): Verdict {
  const isKept = beginning.kind === 'kept';
  return {
    isUp: isKept ? beginning.isUp : beginning.initialState === 'Up',
    isProven: isKept,
    against: 0,
    reason: isKept && !beginning.isUp ? beginning.reason : undefined,
    sinceMs: (isKept ? beginning.sinceMs : undefined) ?? nowMs,
  };
}

/** What a verdict is to whoever goes on from it: an edited check, a prober that was started again. */
export function beginningFrom({ isUp, isProven, reason, sinceMs }: Verdict): Beginning {
  return isProven
    ? { kind: 'kept', isUp, reason, sinceMs }
    : { kind: 'new', initialState: isUp ? 'Up' : 'Down' };
}

/**
 * The verdict after one more probe. A void probe changes nothing: it neither counts nor breaks a row. A new server comes
 * up with its first success, as nothing speaks against it; one that fell has to pass `successThreshold` times.
 */
export function nextVerdict(
  verdict: Verdict,
  outcome: ProbeOutcome,
  policy: VerdictPolicy,
  nowMs: number,
): Verdict {
  switch (outcome.kind) {
    case 'void':
      return verdict;
    case 'passed':
      return verdict.isUp ? confirmUp(verdict) : rise(verdict, policy, nowMs);
    case 'failed':
      return verdict.isUp
        ? fall(verdict, outcome.reason, policy, nowMs)
        : confirmDown(verdict, outcome.reason);
  }
}

/** Whether the last probe contradicted an up verdict: not yet a failure, but a reason to look around. */
export function isSuspect(verdict: Verdict): boolean {
  return verdict.isUp && verdict.against > 0;
}

function confirmUp(verdict: Verdict): Verdict {
  if (verdict.isProven && verdict.against === 0) return verdict;
  return { ...verdict, isProven: true, against: 0, reason: undefined };
}

function confirmDown(verdict: Verdict, reason: FailureReason): Verdict {
  if (verdict.isProven && verdict.against === 0 && verdict.reason === reason) return verdict;
  return { ...verdict, isProven: true, against: 0, reason };
}

function rise(verdict: Verdict, { successThreshold }: VerdictPolicy, nowMs: number): Verdict {
  const against = verdict.against + 1;
  return !verdict.isProven || against >= successThreshold
    ? { isUp: true, isProven: true, against: 0, reason: undefined, sinceMs: nowMs }
    : { ...verdict, against };
}

function fall(
  verdict: Verdict,
  reason: FailureReason,
  { failureThreshold }: VerdictPolicy,
  nowMs: number,
): Verdict {
  const against = verdict.against + 1;
  return against >= failureThreshold
    ? { isUp: false, isProven: true, against: 0, reason, sinceMs: nowMs }
    : { ...verdict, against, reason };
}
