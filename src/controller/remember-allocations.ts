import type { ObjectKey } from '../kube/index.ts';
import { allocationsFromStatuses } from '../plan/index.ts';
import type { Allocations } from '../plan/index.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Settlement } from './settle.ts';

/**
 * The choices to go on with. A VirtualService whose newest spec is refused or waits is served in its granted form, which
 * names its addresses and asks no pool; so `plan` forgets that they came from one. Once the spec is mended, it must find
 * the address that it had. The very object of the last time where nothing changed: `plan` recognises it.
 */
export function rememberAllocations(
  view: ClusterView,
  before: Allocations,
  { addresses, marks, portOwners }: Allocations,
  settlements: ReadonlyMap<ObjectKey, Settlement>,
): Allocations {
  const kept = view.virtualServices.flatMap(({ entry, form }) => {
    const { acceptance, grant } = settlements.get(entry.key) ?? {};
    if (grant === undefined || acceptance?.kind === 'accepted') return [];
    return [{ ...form, status: { addresses: grant.addresses, ports: grant.ports } }];
  });
  const next: Allocations = {
    addresses: kept.length === 0 ? addresses : { ...addresses, ...allocationsFromStatuses(kept).addresses },
    marks,
    portOwners,
  };
  return isSameAllocations(before, next) ? before : next;
}

function isSameAllocations(a: Allocations, b: Allocations): boolean {
  return (
    isSameRecord(a.addresses, b.addresses) &&
    isSameRecord(a.portOwners, b.portOwners) &&
    (a.marks === b.marks || JSON.stringify(a.marks) === JSON.stringify(b.marks))
  );
}

function isSameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
