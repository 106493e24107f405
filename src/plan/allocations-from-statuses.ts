import type { IpAddress } from '../base/index.ts';
import { readVirtualServiceStatus, requestedAddresses } from '../api/index.ts';
import type { AddressRequest, VirtualServiceResource } from '../api/index.ts';
import { ipFamily } from '../base/index.ts';
import { compareByAge } from './age.ts';
import { ClaimTable, formatPortClaim } from './port-claims.ts';
import type { PortClaim } from './port-claims.ts';
import type { Allocations, DesiredState } from './types.ts';
import { ownerName, vipHolding } from './vip-allocation.ts';

/**
 * The choices that a controller made before, read back from the statuses that it wrote: so a controller that starts
 * anew, or leads after another, goes on where that one stopped. Marks are a director's own matter.
 *
 * A status may have been written by a tenant, so what is read here is a claim to be judged. Where two statuses record
 * the same, `before` decides, and without it age. Pools, namespaces and reserved addresses are judged by
 * `computeDesiredState`, and `knownHoldings` tells it which addresses outside every pool it may take for those of a
 * pool that shrank.
 * @param before what the last computation of this process answered; undefined after a start.
 */
export function allocationsFromStatuses(
  virtualServices: readonly VirtualServiceResource[],
  before?: Pick<Allocations, 'addresses' | 'portOwners'>,
): Allocations {
  const recorded = virtualServices.toSorted(compareByAge).map(readRecord);
  const addresses: Record<string, IpAddress> = {};
  const holders = new Set<string>();
  const portOwners: Record<string, string> = {};
  const claims = new ClaimTable();
  for (const isBelieved of [true, false]) {
    for (const record of recorded) {
      for (const [key, vip] of record.addresses) {
        if (isBelieved ? before?.addresses[key] !== vip : holders.has(vip)) continue;
        holders.add(vip);
        addresses[key] = vip;
      }
      for (const claim of record.claims) {
        const name = formatPortClaim(claim);
        if (isBelieved && before?.portOwners[name] !== record.owner) continue;
        if (claims.rivalOf(claim, record.owner) !== undefined) continue;
        claims.add(claim, record.owner);
        portOwners[name] = record.owner;
      }
    }
  }
  return { addresses, marks: {}, portOwners };
}

interface StatusRecord {
  /** `namespace/name` */
  readonly owner: string;
  /** By the keys of `Allocations.addresses`. */
  readonly addresses: ReadonlyMap<string, IpAddress>;
  readonly claims: readonly PortClaim[];
}

function readRecord(resource: VirtualServiceResource): StatusRecord {
  const { addresses, ports } = readVirtualServiceStatus(resource);
  const owner = ownerName(resource);
  const matches = matchAddresses(requestedAddresses(resource.spec), addresses);
  return {
    owner,
    addresses: new Map([...matches].map(([index, vip]) => [`${owner}#${index}`, vip])),
    claims: addresses.flatMap(({ ip: vip }) =>
      ports.map(({ protocol, port, endPort }, index) => ({
        protocol,
        vip,
        port,
        endPort: endPort ?? port,
        index,
      })),
    ),
  };
}

type Recorded = Pick<ReturnType<typeof readVirtualServiceStatus>['addresses'][number], 'ip' | 'pool'>;

/**
 * Which recorded address answers which request for one from a pool. The spec may have changed since: addresses that it
 * now names are theirs, those of a named pool go to requests for that pool, and what is left goes in order.
 */
function matchAddresses(
  requests: readonly AddressRequest[],
  recorded: readonly Recorded[],
): ReadonlyMap<number, IpAddress> {
  const named = new Set<string>(requests.flatMap((request) => (request.kind === 'fixed' ? request.ip : [])));
  const left = recorded.filter(({ ip }) => !named.has(ip));
  const matches = new Map<number, IpAddress>();
  const take = (isWanted: (request: AddressRequest, address: Recorded) => boolean) => {
    for (const [index, request] of requests.entries()) {
      if (request.kind === 'fixed' || matches.has(index)) continue;
      const found = left.findIndex(
        (address) => ipFamily(address.ip) === request.family && isWanted(request, address),
      );
      if (found < 0) continue;
      const [address] = left.splice(found, 1);
      if (address !== undefined) matches.set(index, address.ip);
    }
  };
  take((request, { pool }) => request.pool !== undefined && request.pool === pool);
  take((request, { pool }) => request.pool === undefined || pool === undefined);
  return matches;
}

/**
 * The VIPs that a goal grants, as `knownHoldings` of the next computation. A controller keeps them from goal to goal;
 * after a start it knows of none but those that it wrote down where no tenant writes.
 */
export function holdingsOf({ accepted, services, allocations }: DesiredState): ReadonlySet<string> {
  const vipOfMark = new Map(Object.values(allocations.marks).map(({ mark, vip }) => [mark, vip]));
  const holdings = new Set<string>();
  const byName = new Map(accepted.virtualServices.map((resource) => [ownerName(resource), resource]));
  for (const { key, owner } of services.values()) {
    const resource = byName.get(`${owner.namespace}/${owner.name}`);
    const vip = key.kind === 'address' ? key.vip : vipOfMark.get(key.mark);
    if (resource !== undefined && vip !== undefined) holdings.add(vipHolding(resource, vip));
  }
  return holdings;
}
