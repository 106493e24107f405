import { ipFamily } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import { objectRefOf, requestedAddresses } from '../api/index.ts';
import type { AddressRequest, FieldPath, VirtualServiceResource } from '../api/index.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { Pool, Pools } from './pools.ts';
import type { RefusalList } from './refusals.ts';
import type { Allocations, DesiredStateInput } from './types.ts';

/**
 * Which VIPs each VirtualService has. An explicit address must lie in a pool that admits the namespace; an address from
 * a pool stays what it was (the incumbent in `allocations`), else it is the lowest free one.
 *
 * A pool that shrinks under VIPs in use releases nothing: the holder keeps its address and gets a warning. A pool that
 * stops admitting the namespace is a withdrawn right, and the VirtualService is refused. An address that a director may
 * still answer for goes to nobody but who has it.
 */
export interface VipAllocation {
  /** VIPs in the order of the requests, by resource; refused resources are missing. */
  readonly vips: ReadonlyMap<VirtualServiceResource, readonly IpAddress[]>;
  readonly addresses: Allocations['addresses'];
}

export interface VipAllocationInput {
  /** Oldest first. */
  readonly virtualServices: readonly VirtualServiceResource[];
  readonly pools: Pools;
  readonly policy: AddressPolicy;
  readonly allocations: Allocations;
  /** Addresses that a pool must not hand out: those of real servers. Asked for only when something is allocated. */
  readonly realServerAddresses: () => ReadonlySet<string>;
  readonly quarantined: DesiredStateInput['quarantined'];
  readonly refusals: RefusalList;
}

export function allocateVips(input: VipAllocationInput): VipAllocation {
  const allocator = new VipAllocator(input);
  const vips = new Map<VirtualServiceResource, readonly IpAddress[]>();
  for (const resource of input.virtualServices) {
    const granted = allocator.grant(resource);
    if (granted !== undefined) vips.set(resource, granted);
  }
  return { vips, addresses: allocator.addresses };
}

/** `namespace/name`, as in the keys of `Allocations`. */
export function ownerName({ metadata }: VirtualServiceResource): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Where a request was written; the field itself may be omitted, then its parent is named. */
function requestPath(resource: VirtualServiceResource, index: number): FieldPath {
  return resource.spec.addresses === undefined ? ['spec', 'addresses'] : ['spec', 'addresses', index];
}

/**
 * A pool may lie in a network of which no address can be a VIP (the pods', say), and hold more of them than can be
 * looked at: after this many that are refused the search is over.
 */
const refusedAddressesMax = 65_536;

class VipAllocator {
  readonly #input: VipAllocationInput;
  /** Everything that is spoken for: explicit addresses and what objects, here or gone, hold from pools. */
  readonly #taken: Set<string>;
  /** VIPs of which an owner (`namespace/name`) has ports on record. */
  readonly #heldBy = new Map<string, Set<string>>();
  /** Indexes of requests that an owner has an address on record for. */
  readonly #indexesOf = new Map<string, number[]>();
  readonly addresses: Record<string, IpAddress>;

  constructor(input: VipAllocationInput) {
    this.#input = input;
    const { virtualServices, allocations } = input;
    const fixed = virtualServices.flatMap(({ spec }) => (spec.addresses ?? []).flatMap(({ ip }) => ip ?? []));
    this.#taken = new Set<string>([...fixed, ...Object.values(allocations.addresses)]);
    // Kept for objects that are gone too: their VIP may still be bound and draining.
    this.addresses = { ...allocations.addresses };
    for (const key of Object.keys(allocations.addresses)) {
      const hash = key.lastIndexOf('#');
      const owner = key.slice(0, hash);
      const indexes = this.#indexesOf.get(owner) ?? [];
      this.#indexesOf.set(owner, [...indexes, Number(key.slice(hash + 1))]);
    }
    for (const [claim, owner] of Object.entries(allocations.portOwners)) {
      const vip = vipOfPortClaim(claim);
      const holders = this.#heldBy.get(owner) ?? new Set();
      this.#heldBy.set(owner, holders.add(vip));
    }
  }

  grant(resource: VirtualServiceResource): readonly IpAddress[] | undefined {
    const requests = requestedAddresses(resource.spec);
    const granted: IpAddress[] = [];
    for (const [index, request] of requests.entries()) {
      const vip =
        request.kind === 'fixed'
          ? this.#grantFixed(resource, index, request)
          : this.#grantFromPool(resource, index, request);
      if (vip === undefined) return undefined;
      if (granted.includes(vip)) {
        this.#refuse(
          resource,
          index,
          'AddressDuplicate',
          `${vip} is already an address of this VirtualService.`,
        );
        return undefined;
      }
      granted.push(vip);
    }
    this.#forgetBeyond(resource, requests);
    return granted;
  }

  #grantFixed(
    resource: VirtualServiceResource,
    index: number,
    { ip, pool: poolName }: AddressRequest & { kind: 'fixed' },
  ): IpAddress | undefined {
    const verdict = this.#input.policy.judgeVip(ip);
    if (verdict !== undefined) {
      this.#refuse(resource, index, verdict.reason, `${ip} ${verdict.why}; it cannot be a virtual address.`);
      return undefined;
    }
    const { pools } = this.#input;
    if (poolName !== undefined && !this.#poolFor(resource, index, poolName)) return undefined;
    const candidates = pools.list.filter(({ name }) => poolName === undefined || name === poolName);
    const holding = candidates.filter(({ addresses }) => addresses.has(ip));
    if (holding.some((pool) => pool.admits(resource.metadata.namespace))) {
      return this.#isQuarantined(resource, index, ip) ? undefined : ip;
    }
    if (holding.length > 0) {
      this.#refuse(
        resource,
        index,
        'NamespaceNotAdmitted',
        `${ip} belongs to AddressPool ${holding.map(({ name }) => name).join(', ')}, which does not admit namespace ` +
          `${resource.metadata.namespace}; let the pool's namespaces or namespaceSelector admit it, or choose another address.`,
      );
      return undefined;
    }
    if (this.#isHeld(resource, ip)) {
      this.#warnShrunk(resource, index, ip);
      return ip;
    }
    this.#refuse(
      resource,
      index,
      'AddressNotInPool',
      poolName === undefined
        ? `${ip} lies in no AddressPool; add it to a pool that admits namespace ${resource.metadata.namespace}.`
        : `${ip} does not lie in AddressPool ${poolName}; add it there or choose another address.`,
    );
    return undefined;
  }

  #grantFromPool(
    resource: VirtualServiceResource,
    index: number,
    { family, pool: poolName }: AddressRequest & { kind: 'pool' },
  ): IpAddress | undefined {
    const { pools, policy } = this.#input;
    const { namespace } = resource.metadata;
    if (poolName !== undefined && !this.#poolFor(resource, index, poolName)) return undefined;
    const candidates =
      poolName === undefined
        ? pools.list.filter((pool) => pool.isDefault && pool.admits(namespace))
        : pools.list.filter(({ name }) => name === poolName);
    if (candidates.length === 0) {
      this.#refuse(
        resource,
        index,
        'NoDefaultPool',
        `No AddressPool with default: true admits namespace ${namespace}; make one, or name an address or a pool.`,
      );
      return undefined;
    }
    const incumbent = this.#incumbent(resource, index, family, candidates);
    const vip = incumbent ?? this.#lowestFree(candidates, family, policy);
    if (vip === undefined) {
      const names = candidates.map(({ name }) => name).join(', ');
      const waiting = this.#countQuarantined(candidates, family);
      this.#refuse(
        resource,
        index,
        'PoolExhausted',
        `AddressPool ${names} has no free ${family} address` +
          (waiting === 0 ? '' : ` (${waiting} become free once every director has let go of them)`) +
          '; add addresses to it.',
      );
      return undefined;
    }
    this.#taken.add(vip);
    this.addresses[`${ownerName(resource)}#${index}`] = vip;
    return vip;
  }

  /** The address held so far, while the request still fits it and today's policy allows it. */
  #incumbent(
    resource: VirtualServiceResource,
    index: number,
    family: string,
    candidates: readonly Pool[],
  ): IpAddress | undefined {
    const held = this.addresses[`${ownerName(resource)}#${index}`];
    if (held === undefined || ipFamily(held) !== family || this.#input.policy.judgeVip(held) !== undefined) {
      return undefined;
    }
    if (candidates.some(({ addresses }) => addresses.has(held))) return held;
    // In another pool: the request moved there from here, or the other way round. In none: its pool shrank.
    if (this.#input.pools.list.some(({ addresses }) => addresses.has(held))) return undefined;
    this.#warnShrunk(resource, index, held);
    return held;
  }

  #lowestFree(
    candidates: readonly Pool[],
    family: 'IPv4' | 'IPv6',
    policy: AddressPolicy,
  ): IpAddress | undefined {
    const realServers = this.#input.realServerAddresses();
    const { quarantined } = this.#input;
    let refused = 0;
    for (const pool of candidates) {
      for (const ip of pool.ascending(family)) {
        if (this.#taken.has(ip) || realServers.has(ip) || quarantined?.has(ip)) continue;
        if (policy.judgeVip(ip) === undefined) return ip;
        refused++;
        if (refused === refusedAddressesMax) return undefined;
      }
    }
    return undefined;
  }

  /** The named pool, after refusing for a pool that does not exist or does not admit the namespace. */
  #poolFor(resource: VirtualServiceResource, index: number, name: string): boolean {
    const pool = this.#input.pools.get(name);
    const { namespace } = resource.metadata;
    if (pool === undefined) {
      this.#refuse(resource, index, 'PoolNotFound', `There is no AddressPool ${name}.`, 'pool');
      return false;
    }
    if (!pool.admits(namespace)) {
      const message = `AddressPool ${name} does not admit namespace ${namespace}; let its namespaces or namespaceSelector admit it.`;
      this.#refuse(resource, index, 'NamespaceNotAdmitted', message, 'pool');
      return false;
    }
    return true;
  }

  #isHeld(resource: VirtualServiceResource, ip: IpAddress): boolean {
    return this.#heldBy.get(ownerName(resource))?.has(ip) ?? false;
  }

  /** Refuses an address that was somebody else's until a moment ago; the controller tries again. */
  #isQuarantined(resource: VirtualServiceResource, index: number, ip: IpAddress): boolean {
    if (!this.#input.quarantined?.has(ip) || this.#isHeld(resource, ip)) return false;
    this.#refuse(
      resource,
      index,
      'AddressQuarantined',
      `${ip} belonged to another VirtualService, and a director may still answer for it; it is granted once every ` +
        'director has let go of it.',
    );
    return true;
  }

  #countQuarantined(candidates: readonly Pool[], family: string): number {
    const quarantined = [...(this.#input.quarantined ?? [])] as IpAddress[];
    return quarantined.filter(
      (ip) => ipFamily(ip) === family && candidates.some(({ addresses }) => addresses.has(ip)),
    ).length;
  }

  /** Addresses on record that the object no longer asks for. */
  #forgetBeyond(resource: VirtualServiceResource, requests: readonly AddressRequest[]): void {
    const owner = ownerName(resource);
    for (const index of this.#indexesOf.get(owner) ?? []) {
      if (requests[index]?.kind !== 'pool') delete this.addresses[`${owner}#${index}`];
    }
  }

  #refuse(
    resource: VirtualServiceResource,
    index: number,
    reason: string,
    message: string,
    field?: string,
  ): void {
    const path = requestPath(resource, index);
    this.#input.refusals.refuse({
      object: objectRefOf(resource),
      path: field === undefined ? path : [...path, field],
      reason,
      message,
    });
  }

  #warnShrunk(resource: VirtualServiceResource, index: number, ip: IpAddress): void {
    this.#input.refusals.warn({
      object: objectRefOf(resource),
      path: requestPath(resource, index),
      reason: 'PoolShrunk',
      message: `${ip} is in use but no longer lies in an AddressPool; it stays until the VirtualService gives it up.`,
    });
  }
}

/** The VIP inside `TCP 192.0.2.1:80` or `UDP [2001:db8::1]:5000-5010`. */
export function vipOfPortClaim(claim: string): string {
  const address = claim.slice(claim.indexOf(' ') + 1, claim.lastIndexOf(':'));
  return address.startsWith('[') ? address.slice(1, -1) : address;
}
