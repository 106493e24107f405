import type { AddressPoolResource } from '../api/index.ts';
import { compareIpAddresses, ipFamily, ipToBigInt } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { ObjectKey } from '../kube/index.ts';
import type { ClusterView, Seen } from './cluster-view.ts';
import type { LiveDirector } from './live-directors.ts';
import { holdersOf } from './quarantine.ts';
import type { QuarantinedVip } from './quarantine.ts';
import type { TermMemory, VirtualServiceRecord } from './term-memory.ts';

/** All that the status of an AddressPool says. */
export interface AddressPoolDecision {
  readonly uid: string;
  readonly generation: number | undefined;
  /** As text: an IPv6 network has more of them than a number can count. */
  readonly addresses: string;
  readonly allocated: number;
  readonly quarantined: readonly (QuarantinedVip & { readonly waitingFor: readonly string[] })[];
  /** VIPs that were given from this pool and no longer lie in it, and who has them. */
  readonly outside: readonly { readonly ip: IpAddress; readonly owner: ObjectKey }[];
}

/** Of every pool. An answer is the last one, as the same object, while nothing that it rests on has changed. */
export function describePools(
  { addressPools, directors }: ClusterView,
  { records, quarantine }: TermMemory,
): ReadonlyMap<string, AddressPoolDecision> {
  const known = memory.get(addressPools);
  const basis: Basis = { grants: grantsOf(records), quarantine, directors };
  if (known !== undefined && isSameBasis(known.basis, basis)) return known.decisions;
  const decisions = new Map(
    addressPools.map((seen) => [seen.form.metadata.name, describePool(seen, basis)] as const),
  );
  memory.set(addressPools, { basis, decisions });
  return decisions;
}

interface Basis {
  readonly grants: readonly Granted[];
  readonly quarantine: ReadonlyMap<string, QuarantinedVip>;
  readonly directors: readonly LiveDirector[];
}

interface Granted {
  readonly owner: ObjectKey;
  readonly grant: NonNullable<VirtualServiceRecord['grant']>;
}

const memory = new WeakMap<
  ClusterView['addressPools'],
  { readonly basis: Basis; readonly decisions: ReadonlyMap<string, AddressPoolDecision> }
>();

function grantsOf(records: TermMemory['records']): readonly Granted[] {
  const grants: Granted[] = [];
  for (const [owner, { grant }] of records) if (grant !== undefined) grants.push({ owner, grant });
  return grants;
}

function isSameBasis(a: Basis, b: Basis): boolean {
  return (
    a.quarantine === b.quarantine &&
    (a.directors === b.directors || a.quarantine.size === 0) &&
    a.grants.length === b.grants.length &&
    a.grants.every(({ grant, owner }, i) => grant === b.grants[i]?.grant && owner === b.grants[i].owner)
  );
}

function describePool(
  { entry, form }: Seen<AddressPoolResource>,
  { grants, quarantine, directors }: Basis,
): AddressPoolDecision {
  const isInPool = rangeTest(form);
  const allocated = new Set<IpAddress>();
  const outside: { ip: IpAddress; owner: ObjectKey }[] = [];
  for (const { owner, grant } of grants) {
    for (const { ip, pool } of grant.addresses) {
      if (isInPool(ip)) allocated.add(ip);
      else if (pool === form.metadata.name) outside.push({ ip, owner });
    }
  }
  return {
    uid: entry.uid,
    generation: form.metadata.generation,
    addresses: countAddresses(form).toString(),
    allocated: allocated.size,
    quarantined: [...quarantine.values()]
      .filter(({ ip }) => isInPool(ip))
      .toSorted((a, b) => compareIpAddresses(a.ip, b.ip))
      .map((vip) => ({ ...vip, waitingFor: holdersOf(vip, directors) })),
    outside,
  };
}

/** Reads the ranges once, for many addresses. */
function rangeTest({ spec }: Pick<AddressPoolResource, 'spec'>): (ip: IpAddress) => boolean {
  const ranges = spec.addresses.map(({ first, last }) => ({
    family: ipFamily(first),
    first: ipToBigInt(first),
    last: ipToBigInt(last),
  }));
  return (ip) => {
    const value = ipToBigInt(ip);
    const family = ipFamily(ip);
    return ranges.some((range) => range.family === family && range.first <= value && value <= range.last);
  };
}

/** Ranges may overlap: an address counts once. */
function countAddresses({ spec }: Pick<AddressPoolResource, 'spec'>): bigint {
  const ranges = spec.addresses.toSorted((a, b) => compareIpAddresses(a.first, b.first));
  let total = 0n;
  let end: IpAddress | undefined;
  for (const { first, last } of ranges) {
    if (end !== undefined && compareIpAddresses(last, end) <= 0) continue;
    const isOverlapping = end !== undefined && compareIpAddresses(first, end) <= 0;
    const from = isOverlapping && end !== undefined ? ipToBigInt(end) + 1n : ipToBigInt(first);
    total += ipToBigInt(last) - from + 1n;
    end = last;
  }
  return total;
}
