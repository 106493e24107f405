import type { ObservedVirtualService } from '../ipvs/pure.ts';
import { isOwnedService } from './ownership.ts';
import { isSettled } from './service-diff.ts';
import type { ChangesInput, DrainRecord } from './types.ts';

/** Drain records by `formatEntry`. */
export type DrainIndex = ReadonlyMap<string, DrainRecord>;

/** Names a real server within the whole table: the keys of its service and of itself. */
export function formatEntry(service: string, realServer: string): string {
  return `${service} ${realServer}`;
}

export interface Absence {
  /** Services (by key) and real servers (by `formatEntry`) that are ours, undesired, and not leaving yet. */
  readonly absent: readonly string[];
  /** All of ours that are not leaving yet. */
  readonly ownedCount: number;
}

/**
 * Counts what the desired list no longer has. What already drains was decided by an earlier pass and counts neither
 * way; a service whose every server drains with it has been decided, too.
 */
export function findAbsence(input: ChangesInput, drains: DrainIndex): Absence {
  const absent: string[] = [];
  let ownedCount = 0;
  for (const [key, observed] of input.observed.table) {
    const desired = input.desired.services.get(key);
    if (desired === undefined && !isOwnedService(key, observed, input.ownedServices)) continue;
    if (desired === undefined && isServiceLeaving(key, observed, drains)) continue;
    ownedCount++;
    if (desired !== undefined && isSettled(desired, observed)) {
      ownedCount += observed.realServers.size;
      continue;
    }
    if (desired === undefined) absent.push(key);
    for (const realServer of observed.realServers.keys()) {
      if (desired?.realServers.has(realServer)) {
        ownedCount++;
        continue;
      }
      const entry = formatEntry(key, realServer);
      if (drains.has(entry)) continue;
      ownedCount++;
      absent.push(entry);
    }
  }
  return { absent, ownedCount };
}

function isServiceLeaving(key: string, observed: ObservedVirtualService, drains: DrainIndex): boolean {
  if (observed.realServers.size === 0) return false;
  for (const realServer of observed.realServers.keys()) {
    if (drains.get(formatEntry(key, realServer))?.reason !== 'ServiceRemoved') return false;
  }
  return true;
}
