import type { HeldRemoval, MassRemovalPolicy } from './types.ts';

/** Design section 5: more than half and more than 10 entries; a second complete list at least 5 s later agrees. */
export const defaultMassRemoval: MassRemovalPolicy = { fraction: 0.5, entries: 10, confirmMs: 5000 };

/** A held removal without a newer list asks again this often. */
const confirmRecheckMs = 1000;

export interface AbsenceInput {
  /** Keys of our entries that the desired list no longer has, and whose removal has not begun. */
  readonly absent: readonly string[];
  /** All of our entries whose removal has not begun. */
  readonly ownedCount: number;
  readonly held: HeldRemoval | undefined;
  readonly listNumber: number;
  readonly nowMs: number;
  readonly policy: MassRemovalPolicy;
}

export interface AbsenceVerdict {
  /** Undefined: what is absent may go. */
  readonly held: HeldRemoval | undefined;
  readonly wakeAtMs: number | undefined;
}

/**
 * Whether absence is believed. A folder that was half copied or a list that was cut short looks like a wish to remove
 * nearly everything; a later complete list that asks for the same or less confirms that it is one.
 */
export function judgeAbsence(input: AbsenceInput): AbsenceVerdict {
  const { absent, ownedCount, held, listNumber, nowMs, policy } = input;
  const isMass = absent.length > policy.entries && absent.length > ownedCount * policy.fraction;
  if (!isMass) return { held: undefined, wakeAtMs: undefined };
  if (held === undefined || !isSubset(absent, held.keys)) {
    return {
      held: { keys: absent.toSorted(), sinceMs: nowMs, listNumber },
      wakeAtMs: nowMs + policy.confirmMs,
    };
  }
  const confirmableMs = held.sinceMs + policy.confirmMs;
  if (nowMs >= confirmableMs && listNumber > held.listNumber) return { held: undefined, wakeAtMs: undefined };
  return { held, wakeAtMs: nowMs < confirmableMs ? confirmableMs : nowMs + confirmRecheckMs };
}

function isSubset(keys: readonly string[], of: readonly string[]): boolean {
  const all = new Set(of);
  return keys.every((key) => all.has(key));
}
