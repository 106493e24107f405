import { ipFamily } from '../base/index.ts';
import { formatVirtualServiceKey } from '../ipvs/pure.ts';
import type { VipBinding } from '../link/pure.ts';
import { groundOf } from './ground.ts';
import { forgetPortOwners } from './port-claims.ts';
import type { Allocations, ChangesInput, DesiredState } from './types.ts';
import { ownerName } from './vip-allocation.ts';

/**
 * What the ledger keeps of the choices made. An object that is there keeps all of its own, refused or not. An object
 * that is gone keeps its addresses and ports while a VIP of it is bound or a service uses it, and its mark while the
 * mark service is in the kernel: until then it may come back and find everything as it was.
 */
export function pruneAllocations(
  input: Pick<ChangesInput, 'desired' | 'observed' | 'isComplete'>,
  bound: readonly VipBinding[],
): Allocations {
  const { desired, observed, isComplete } = input;
  const { addresses, marks, portOwners } = desired.allocations;
  // Most passes: everything on record belongs to an object that is served.
  if (!isComplete || groundOf(desired)?.usesAllAllocations === true) return desired.allocations;
  const owners = presentOwners(desired);
  const vips = new Set<string>(bound.map(({ vip }) => vip));
  for (const { key } of observed.table.values()) if (key.kind === 'address') vips.add(key.vip);
  return {
    addresses: filterRecord(
      addresses,
      (key, vip) => owners.has(key.slice(0, key.lastIndexOf('#'))) || vips.has(vip),
    ),
    marks: filterRecord(marks, (_key, { mark, vip }) => {
      const service = formatVirtualServiceKey({ kind: 'mark', family: ipFamily(vip), mark });
      return desired.services.has(service) || observed.table.has(service);
    }),
    portOwners: hasOnlyPresent(portOwners, owners)
      ? portOwners
      : forgetPortOwners(portOwners, (owner, vip) => owners.has(owner) || vips.has(vip)),
  };
}

/** `namespace/name` of every VirtualService that exists; a quiet pass asks about the same state again and again. */
const ownersOf = new WeakMap<DesiredState, ReadonlySet<string>>();

function presentOwners(desired: DesiredState): ReadonlySet<string> {
  const known = ownersOf.get(desired);
  if (known !== undefined) return known;
  const owners = new Set(desired.accepted.virtualServices.map(ownerName));
  for (const { object } of desired.refusals) {
    if (object.kind === 'VirtualService') owners.add(`${object.namespace}/${object.name}`);
  }
  ownersOf.set(desired, owners);
  return owners;
}

function hasOnlyPresent(portOwners: Readonly<Record<string, string>>, owners: ReadonlySet<string>): boolean {
  for (const claim in portOwners) if (!owners.has(portOwners[claim] ?? '')) return false;
  return true;
}

/** The same object when nothing goes, so that an unchanged ledger is recognised cheaply. */
function filterRecord<Value>(
  record: Readonly<Record<string, Value>>,
  isKept: (key: string, value: Value) => boolean,
): Readonly<Record<string, Value>> {
  const entries = Object.entries(record);
  const kept = entries.filter(([key, value]) => isKept(key, value));
  return kept.length === entries.length ? record : Object.fromEntries(kept);
}
