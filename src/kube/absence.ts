import type { ObjectKey } from './kube-object.ts';

/** More than half and more than 10 entries; a second complete list at least 5 s later agrees. */
const absencePolicy = { fraction: 0.5, entries: 10, confirmMs: 5000 } as const;

/** What a complete list does not have. */
export interface ListedAbsence {
  /** Keys of the store that the list lacks. */
  readonly absent: ReadonlySet<ObjectKey>;
  /** Entries in the store before the list was taken in. */
  readonly knownCount: number;
  readonly listedCount: number;
  /** Nothing is known yet, and the caller has evidence that there should be something. */
  readonly isExpected: boolean;
  /** When the list was asked for: what it says may be as old as that. */
  readonly askedMs: number;
  readonly nowMs: number;
}

/** Absences that await a second list. Empty: the first list of all had nothing. */
export interface HeldAbsence {
  readonly keys: ReadonlySet<ObjectKey>;
  readonly sinceMs: number;
}

/**
 * Whether absence is believed. A list that an API server with an empty cache, a proxy or a restored backup cut short
 * looks just like the deletion of nearly everything; one that asks for the same or less at least 5 s later is one. A
 * list that lacks something else restarts the wait: two lists that contradict each other prove nothing.
 *
 * @returns what is held from now on; undefined: what is absent is gone.
 */
export function judgeAbsence(list: ListedAbsence, held: HeldAbsence | undefined): HeldAbsence | undefined {
  if (!isSuspicious(list)) return undefined;
  if (held === undefined || !isSubset(list.absent, held.keys))
    return { keys: list.absent, sinceMs: list.nowMs };
  return list.askedMs >= confirmableMs(held) ? undefined : held;
}

/** When a list may first be asked for that confirms. */
export function confirmableMs(held: HeldAbsence): number {
  return held.sinceMs + absencePolicy.confirmMs;
}

function isSuspicious({ absent, knownCount, listedCount, isExpected }: ListedAbsence): boolean {
  if (listedCount === 0) return knownCount > 0 || isExpected;
  return absent.size > absencePolicy.entries && absent.size > knownCount * absencePolicy.fraction;
}

function isSubset(keys: ReadonlySet<ObjectKey>, of: ReadonlySet<ObjectKey>): boolean {
  for (const key of keys) if (!of.has(key)) return false;
  return true;
}
