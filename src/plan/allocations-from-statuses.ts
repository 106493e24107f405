import type { IpAddress } from '../base/index.ts';
import { readAddressPoolStatus, readVirtualServiceStatus, requestedAddresses } from '../api/index.ts';
import type { AddressPoolResource, AddressRequest, VirtualServiceResource } from '../api/index.ts';
import { ipFamily } from '../base/index.ts';
import { compareByAge } from './age.ts';
import { ipSet } from './ip-set.ts';
import { ClaimTable, formatPortClaim } from './port-claims.ts';
import type { PortClaim } from './port-claims.ts';
import type { Allocations } from './types.ts';
import { ownerName } from './vip-allocation.ts';

/**
 * The choices that a controller made before, read back from the statuses that it wrote: so a controller that starts
 * anew, or leads after another, goes on where that one stopped. Marks are a director's own matter.
 *
 * A status may have been written by a tenant, so what is read here is a claim. Where two record the same, the older
 * object has it. Namespaces, conflicts and reserved addresses are judged by `computeDesiredState` as ever. What it
 * cannot judge is an address that lies in no pool: a pool that shrank leaves such behind, and a lie looks the same. The
 * pools' own statuses, which no tenant writes, tell them apart; see `isLeftByPool`.
 * @param addressPools undefined: these statuses are the caller's own record, and are believed.
 */
export function allocationsFromStatuses(
  virtualServices: readonly VirtualServiceResource[],
  addressPools?: readonly AddressPoolResource[],
): Allocations {
  const isBelieved = addressPools === undefined ? () => true : believer(addressPools);
  const addresses: Record<string, IpAddress> = {};
  const holders = new Set<string>();
  const portOwners: Record<string, string> = {};
  const claims = new ClaimTable();
  for (const resource of virtualServices.toSorted(compareByAge)) {
    const record = readRecord(resource, isBelieved);
    for (const [key, vip] of record.addresses) {
      if (holders.has(vip)) continue;
      holders.add(vip);
      addresses[key] = vip;
    }
    for (const claim of record.claims) {
      if (claims.rivalOf(claim, record.owner) !== undefined) continue;
      claims.add(claim, record.owner);
      portOwners[formatPortClaim(claim)] = record.owner;
    }
  }
  return { addresses, marks: {}, portOwners };
}

function believer(addressPools: readonly AddressPoolResource[]): (recorded: Recorded) => boolean {
  const inPools = ipSet(
    [],
    addressPools.flatMap(({ spec }) => spec.addresses),
  );
  const leaving = new Set(addressPools.filter(isLeftByPool).map(({ metadata }) => metadata.name));
  return ({ ip, pool }) => inPools.has(ip) || (pool !== undefined && leaving.has(pool));
}

/**
 * Whether VIPs may lie outside a pool that was theirs: the controller has said so of it, or somebody has edited it since
 * the controller last looked.
 */
function isLeftByPool(pool: AddressPoolResource): boolean {
  const { observedGeneration, conditions } = readAddressPoolStatus(pool);
  return (
    observedGeneration !== pool.metadata.generation ||
    conditions.some(({ type, status }) => type === 'OutsidePool' && status === 'True')
  );
}

interface StatusRecord {
  /** `namespace/name` */
  readonly owner: string;
  /** By the keys of `Allocations.addresses`. */
  readonly addresses: ReadonlyMap<string, IpAddress>;
  readonly claims: readonly PortClaim[];
}

function readRecord(
  resource: VirtualServiceResource,
  isBelieved: (recorded: Recorded) => boolean,
): StatusRecord {
  const status = readVirtualServiceStatus(resource);
  const addresses = status.addresses.filter(isBelieved);
  const { ports } = status;
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
