/**
 * The first computation after a start is the only one that no earlier state speaks against: the stores hold one list of
 * each kind and nothing else. When it would remove much of what an earlier controller wrote, the list may be to blame
 * (an API server with an empty cache, a backup that was restored by half), so it is asked for again.
 */

/** Names an endpoint of a RealServer within the cluster. */
export type EndpointName = string;

export function endpointName(realServerKey: string, address: string): EndpointName {
  return `${realServerKey} ${address}`;
}

export interface RemovalCount {
  /** Endpoints in all slices. */
  readonly existing: number;
  /** Those of them that would go. */
  readonly removed: ReadonlySet<EndpointName>;
}

/** Removals that wait for a second list. */
export interface StartupHold {
  readonly endpoints: ReadonlySet<EndpointName>;
  /** Monotonic. */
  readonly sinceMs: number;
}

/** As for lists that lack much, and for a cluster without a single endpoint left. */
const policy = { fraction: 0.5, endpoints: 10, confirmMs: 5000 } as const;

/** @returns what stays for now; undefined: nothing stands out. */
export function judgeFirstComputation(count: RemovalCount, nowMs: number): StartupHold | undefined {
  return isSuspicious(count) ? { endpoints: count.removed, sinceMs: nowMs } : undefined;
}

/** When lists that confirm may first be asked for. */
export function confirmableMs(hold: StartupHold): number {
  return hold.sinceMs + policy.confirmMs;
}

/**
 * What another complete list of pods and EndpointSlices says about the hold. It confirms if it was asked for late enough
 * and asks for the same or less; one that asks for something else contradicts the first, and the wait begins anew.
 *
 * @param askedMs when the list was asked for: what it says may be as old as that.
 * @returns what is held from now on; undefined: every computation is believed.
 */
export function judgeNextComputation(
  hold: StartupHold,
  count: RemovalCount,
  { askedMs, nowMs }: { readonly askedMs: number; readonly nowMs: number },
): StartupHold | undefined {
  if (!isSuspicious(count)) return undefined;
  if ([...count.removed].some((name) => !hold.endpoints.has(name)))
    return { endpoints: count.removed, sinceMs: nowMs };
  return askedMs >= confirmableMs(hold) ? undefined : hold;
}

function isSuspicious({ existing, removed }: RemovalCount): boolean {
  if (removed.size === 0) return false;
  if (removed.size === existing) return true;
  return removed.size > policy.endpoints && removed.size > existing * policy.fraction;
}
