import { objectRefOf } from '../api/index.ts';
import type {
  AddressPoolResource,
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { computeSysctlProfile } from '../link/pure.ts';
import type { PacketRules, SysctlNeeds, SysctlProfile, VipBinding } from '../link/pure.ts';
import { createAddressPolicy } from './address-policy.ts';
import type { AddressPolicy } from './address-policy.ts';
import { compareByAge } from './age.ts';
import { joinPacketRules } from './desired-rules.ts';
import type { PacketRulesPart } from './desired-rules.ts';
import { recallDraft, recallRules } from './fill-memory.ts';
import { MarkAllocator } from './mark-allocation.ts';
import { compilePools, selectorAdmissions } from './pools.ts';
import type { Pools } from './pools.ts';
import { settlePortClaims } from './port-claims.ts';
import type { PortClaimant } from './port-claims.ts';
import type { RealServerRules } from './real-server-join.ts';
import { RefusalList } from './refusals.ts';
import { isSameList, isSameOptionalList } from './same-list.ts';
import { draftServices } from './service-draft.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import type { Allocations, DesiredState, DesiredStateInput, DirectorFacts, Refusal } from './types.ts';
import { allocateVips, ownerName } from './vip-allocation.ts';
import { refuseSorryServer } from './sorry-server.ts';
import { computeVipBinding } from './vip-binding.ts';
import { refuseSourceRanges, refuseVirtualService } from './virtual-service-rules.ts';

/**
 * The part of a goal that real servers have no say in: which VirtualServices are served, on which addresses, ports and
 * marks. Weights and endpoints move all the time, this hardly ever; so it is remembered, and with it come objects that
 * stay the same objects from goal to goal, which spares `computeChanges` and the ledger their comparisons.
 */
export class Ground {
  readonly #input: Pick<
    DesiredStateInput,
    'facts' | 'allocations' | 'virtualServices' | 'addressPools' | 'quarantined'
  >;
  /** `selectorAdmissions`: labels of namespaces have no other say. */
  readonly #admissions: readonly string[];
  readonly #hasLabels: boolean;
  /** Set when the address of a real server had a say after all: a pool hands out none of those. */
  readonly #realServers: readonly RealServerResource[] | undefined;
  readonly #slices: readonly RealServerSliceResource[] | undefined;
  readonly refusals: readonly Refusal[];
  /** Without real servers; by `namespace/name`. */
  readonly drafts: ReadonlyMap<string, VirtualServiceDraft>;
  /** The resources of `drafts`. */
  readonly accepted: readonly VirtualServiceResource[];
  readonly bindings: readonly VipBinding[];
  readonly rules: RealServerRules;
  readonly pools: Pools;
  /** The very object of the input when nothing was chosen anew. */
  readonly allocations: Allocations;
  #serviceKeys: readonly string[] | undefined;
  #usesAllAllocations: boolean | undefined;
  #packetRules: { readonly parts: readonly PacketRulesPart[]; readonly rules: PacketRules } | undefined;
  #sysctls: { readonly needs: string; readonly profile: SysctlProfile } | undefined;

  constructor(input: DesiredStateInput) {
    const { facts, allocations, virtualServices, addressPools, quarantined } = input;
    this.#input = { facts, allocations, virtualServices, addressPools, quarantined };
    this.#admissions = selectorAdmissions(addressPools, input.namespaceLabels);
    this.#hasLabels = input.namespaceLabels !== undefined;
    const refusals = new RefusalList();
    const pools = compilePools(addressPools, input.namespaceLabels);
    if (!this.#hasLabels) warnOfNamespaceSelectors(addressPools, refusals);
    const policy = createAddressPolicy(facts);
    const candidates = virtualServices.toSorted(compareByAge).filter((resource) => {
      const refusal = refuseVirtualService(resource, facts);
      if (refusal !== undefined) refusals.refuse(refusal);
      return refusal === undefined;
    });
    let hasAskedForRealServers = false;
    const { vips, addresses } = allocateVips({
      virtualServices: candidates,
      pools,
      policy,
      allocations,
      realServerAddresses: () => {
        hasAskedForRealServers = true;
        return new Set(realServerAddresses(input));
      },
      quarantined,
      refusals,
    });
    const claimants = candidates.flatMap((resource) =>
      claimantOf(resource, vips.get(resource), { pools, policy, refusals }),
    );
    const settled = settlePortClaims(claimants, allocations.portOwners, refusals);
    const marks = new MarkAllocator(allocations.marks);
    const drafts = new Map<string, VirtualServiceDraft>();
    for (const { resource } of settled.accepted) {
      const draft = recallDraft(resource, draftServices(resource, vips.get(resource) ?? [], marks, refusals));
      if (draft !== undefined) drafts.set(ownerName(resource), draft);
    }
    const allVips = [...new Set([...drafts.values()].flatMap((draft) => draft.vips))];

    this.#realServers = hasAskedForRealServers ? input.realServers : undefined;
    this.#slices = hasAskedForRealServers ? input.realServerSlices : undefined;
    this.pools = pools;
    this.refusals = refusals.list;
    this.drafts = drafts;
    this.accepted = [...drafts.values()].map(({ resource }) => resource);
    this.bindings = allVips.map((vip) => computeVipBinding(vip, facts.uplinks));
    const basis = { addressPools, admissions: this.#admissions, vips: allVips };
    this.rules = recallRules(facts, basis, () => ({
      pools,
      policy,
      vips: new Set<string>(allVips),
    }));
    const chosen = { addresses, marks: marks.marks, portOwners: settled.portOwners };
    this.allocations = isSameAllocations(allocations, chosen) ? allocations : chosen;
  }

  carries(input: DesiredStateInput): boolean {
    const own = this.#input;
    return (
      own.facts === input.facts &&
      own.allocations === input.allocations &&
      isSameList(own.virtualServices, input.virtualServices) &&
      isSameList(own.addressPools, input.addressPools) &&
      this.#hasLabels === (input.namespaceLabels !== undefined) &&
      isSameList(this.#admissions, selectorAdmissions(input.addressPools, input.namespaceLabels)) &&
      isSameSet(own.quarantined, input.quarantined) &&
      (this.#realServers === undefined ||
        (isSameList(this.#realServers, input.realServers) &&
          isSameOptionalList(this.#slices, input.realServerSlices)))
    );
  }

  /** Every kernel service on it, sorted. */
  get serviceKeys(): readonly string[] {
    this.#serviceKeys ??= [...this.drafts.values()]
      .flatMap(({ services }) => services.map(({ key }) => key))
      .toSorted();
    return this.#serviceKeys;
  }

  /** Whether each choice on record is made use of, so that none can be forgotten. */
  get usesAllAllocations(): boolean {
    if (this.#usesAllAllocations !== undefined) return this.#usesAllAllocations;
    const { addresses, marks, portOwners } = this.allocations;
    const used = new Set<string>();
    for (const { vips, services, resource } of this.drafts.values()) {
      for (const { service } of services) if (service.key.kind === 'mark') used.add(`${service.key.mark}`);
      for (const vip of vips) used.add(`${ownerName(resource)} ${vip}`);
    }
    this.#usesAllAllocations =
      Object.keys(addresses).every((key) => this.drafts.has(key.slice(0, key.lastIndexOf('#')))) &&
      Object.values(portOwners).every((owner) => this.drafts.has(owner)) &&
      Object.entries(marks).every(([key, { mark }]) => used.has(key) && used.has(`${mark}`));
    return this.#usesAllAllocations;
  }

  packetRules(parts: readonly PacketRulesPart[]): PacketRules {
    const last = this.#packetRules;
    if (last !== undefined && isSameList(last.parts, parts)) return last.rules;
    const rules = joinPacketRules(parts);
    this.#packetRules = { parts, rules };
    return rules;
  }

  sysctls(needs: SysctlNeeds): SysctlProfile {
    const text = JSON.stringify(needs);
    if (this.#sysctls?.needs === text) return this.#sysctls.profile;
    const profile = computeSysctlProfile(needs);
    this.#sysctls = { needs: text, profile };
    return profile;
  }
}

/** An object that falls back to its last accepted version is judged twice a pass, so one ground is not enough. */
const groundsMax = 3;
const grounds = new WeakMap<DirectorFacts, readonly Ground[]>();

/** The ground of an earlier goal if nothing under it moved, else a new one. */
export function recallGround(input: DesiredStateInput): Ground {
  const known = grounds.get(input.facts) ?? [];
  const ground = known.find((candidate) => candidate.carries(input)) ?? new Ground(input);
  if (known[0] !== ground) {
    grounds.set(input.facts, [ground, ...known.filter((other) => other !== ground)].slice(0, groundsMax));
  }
  return ground;
}

const groundsOfGoals = new WeakMap<DesiredState['services'], Ground>();

export function rememberGround(services: DesiredState['services'], ground: Ground): void {
  groundsOfGoals.set(services, ground);
}

/** What a goal of `computeDesiredState` stands on; undefined for one that was put together otherwise. */
export function groundOf(desired: DesiredState): Ground | undefined {
  const ground = groundsOfGoals.get(desired.services);
  return ground?.allocations === desired.allocations && ground.bindings === desired.vips ? ground : undefined;
}

/** Files know no labels of namespaces: what the pool lists holds, and the selector admits nobody. */
function warnOfNamespaceSelectors(pools: readonly AddressPoolResource[], refusals: RefusalList): void {
  for (const pool of pools) {
    if (pool.spec.namespaceSelector === undefined) continue;
    refusals.warn({
      object: objectRefOf(pool),
      path: ['spec', 'namespaceSelector'],
      reason: 'NeedsCluster',
      message:
        'namespaceSelector needs a cluster, and this director runs from files; list the names under namespaces.',
    });
  }
}

function claimantOf(
  resource: VirtualServiceResource,
  vips: readonly IpAddress[] | undefined,
  rules: { readonly pools: Pools; readonly policy: AddressPolicy; readonly refusals: RefusalList },
): readonly PortClaimant[] {
  if (vips === undefined) return [];
  const refusal = refuseSourceRanges(resource, vips) ?? refuseSorryServer(resource, vips, rules);
  if (refusal !== undefined) {
    rules.refusals.refuse(refusal);
    return [];
  }
  const claims = vips.flatMap((vip) =>
    resource.spec.ports.map(({ protocol, port, endPort }, index) => ({
      protocol,
      vip,
      port,
      endPort: endPort ?? port,
      index,
    })),
  );
  return [{ resource, claims }];
}

/** Addresses that a VIP would shadow: those of files, or those that were resolved in a cluster. */
function realServerAddresses({ realServers, realServerSlices }: DesiredStateInput): readonly IpAddress[] {
  return [
    ...realServers.flatMap(({ spec }) => spec.addresses ?? []),
    ...(realServerSlices ?? []).flatMap(({ spec }) => spec.endpoints.map(({ address }) => address)),
  ];
}

function isSameSet(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && a.size === b.size && [...a].every((entry) => b.has(entry));
}

function isSameAllocations(a: Allocations, b: Allocations): boolean {
  return (
    isSameRecord(a.addresses, b.addresses) &&
    isSameRecord(a.portOwners, b.portOwners) &&
    JSON.stringify(a.marks) === JSON.stringify(b.marks)
  );
}

function isSameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
