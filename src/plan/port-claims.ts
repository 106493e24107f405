import type { IpAddress } from '../base/index.ts';
import { objectRefOf } from '../api/index.ts';
import type { VirtualServiceResource } from '../api/index.ts';
import { formatAddressAndPort } from '../ipvs/pure.ts';
import type { Protocol } from '../ipvs/pure.ts';
import type { RefusalList } from './refusals.ts';
import { ownerName, vipOfPortClaim } from './vip-allocation.ts';

/** A port or port range of a VIP that a VirtualService wants for itself. */
export interface PortClaim {
  readonly protocol: Protocol;
  readonly vip: IpAddress;
  readonly port: number;
  readonly endPort: number;
  /** Index in `spec.ports`. */
  readonly index: number;
}

export interface PortClaimant {
  readonly resource: VirtualServiceResource;
  readonly claims: readonly PortClaim[];
}

/** `TCP 192.0.2.1:80`, `UDP 192.0.2.1:5000-5010`. Stable: a key of `Allocations.portOwners`. */
export function formatPortClaim({ protocol, vip, port, endPort }: PortClaim): string {
  const first = `${protocol} ${formatAddressAndPort(vip, port)}`;
  return endPort === port ? first : `${first}-${endPort}`;
}

/**
 * Settles who gets which port of which VIP. A claim that an object already holds (`portOwners`) beats everybody else's;
 * among the others the older object wins. Who loses one claim is refused as a whole: half a service would be served
 * under a name that promises more.
 * @param claimants oldest first.
 * @returns the owners of all claims that stand, and those of objects that are not here to speak for themselves.
 */
export function settlePortClaims(
  claimants: readonly PortClaimant[],
  portOwners: Readonly<Record<string, string>>,
  refusals: RefusalList,
): { readonly accepted: readonly PortClaimant[]; readonly portOwners: Record<string, string> } {
  const held = heldClaims(claimants, portOwners);
  const granted = new ClaimTable();
  const accepted: PortClaimant[] = [];
  for (const claimant of claimants) {
    const owner = ownerName(claimant.resource);
    const conflict = firstConflict(claimant, owner, held, granted);
    if (conflict === undefined) {
      for (const claim of claimant.claims) granted.add(claim, owner);
      accepted.push(claimant);
    } else {
      const { claim, rival } = conflict;
      refusals.refuse({
        object: objectRefOf(claimant.resource),
        path: ['spec', 'ports', claim.index, 'port'],
        reason: 'Conflicted',
        message: `${formatPortClaim(claim)} belongs to VirtualService ${rival}; choose another port or address.`,
      });
    }
  }
  return { accepted, portOwners: ownersAfter(accepted, portOwners) };
}

function firstConflict(
  claimant: PortClaimant,
  owner: string,
  held: ClaimTable,
  granted: ClaimTable,
): { claim: PortClaim; rival: string } | undefined {
  for (const claim of claimant.claims) {
    const rival = held.rivalOf(claim, owner) ?? granted.rivalOf(claim, owner);
    if (rival !== undefined) return { claim, rival };
  }
  return undefined;
}

/** Claims whose owner on record still makes them. */
function heldClaims(
  claimants: readonly PortClaimant[],
  portOwners: Readonly<Record<string, string>>,
): ClaimTable {
  const table = new ClaimTable();
  for (const { resource, claims } of claimants) {
    const owner = ownerName(resource);
    for (const claim of claims) {
      if (portOwners[formatPortClaim(claim)] === owner) table.add(claim, owner);
    }
  }
  return table;
}

function ownersAfter(
  accepted: readonly PortClaimant[],
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const owners: Record<string, string> = {};
  const speaking = new Set(accepted.map(({ resource }) => ownerName(resource)));
  for (const [claim, owner] of Object.entries(before)) if (!speaking.has(owner)) owners[claim] = owner;
  for (const { resource, claims } of accepted) {
    const owner = ownerName(resource);
    for (const claim of claims) owners[formatPortClaim(claim)] = owner;
  }
  return owners;
}

/** Claims by `PROTOCOL vip`; lists stay short, as a VIP has few ports. */
export class ClaimTable {
  readonly #byAddress = new Map<string, { readonly claim: PortClaim; readonly owner: string }[]>();

  add(claim: PortClaim, owner: string): void {
    const key = `${claim.protocol} ${claim.vip}`;
    const list = this.#byAddress.get(key);
    if (list === undefined) this.#byAddress.set(key, [{ claim, owner }]);
    else list.push({ claim, owner });
  }

  /** Another owner of an overlapping claim. */
  rivalOf(claim: PortClaim, owner: string): string | undefined {
    const list = this.#byAddress.get(`${claim.protocol} ${claim.vip}`) ?? [];
    return list.find(
      (other) =>
        other.owner !== owner && other.claim.port <= claim.endPort && claim.port <= other.claim.endPort,
    )?.owner;
  }
}

/** Owners whose VIP is still in use by the kernel, or who are served. The rest is forgotten. */
export function forgetPortOwners(
  portOwners: Readonly<Record<string, string>>,
  isKept: (owner: string, vip: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(portOwners).filter(([claim, owner]) => isKept(owner, vipOfPortClaim(claim))),
  );
}
