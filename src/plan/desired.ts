import { ipFamily } from '../base/index.ts';
import { objectRefOf } from '../api/index.ts';
import type { RealServerResource, VirtualServiceResource } from '../api/index.ts';
import { computeSysctlProfile } from '../link/pure.ts';
import { createAddressPolicy } from './address-policy.ts';
import { compareByAge } from './age.ts';
import { computePacketRules, smallestTunnelMtu } from './desired-rules.ts';
import { recallFilling, recallRules } from './fill-memory.ts';
import type { Filling } from './fill-memory.ts';
import { areWeightsShared, kernelWeights } from './kernel-weight.ts';
import { keepLastAccepted } from './last-accepted.ts';
import { MarkAllocator } from './mark-allocation.ts';
import { warnOfOnePacketAnswers } from './one-packet-answers.ts';
import { compilePools } from './pools.ts';
import { settlePortClaims } from './port-claims.ts';
import type { PortClaimant } from './port-claims.ts';
import { joinRealServer } from './real-server-join.ts';
import type { RealServerEntry, RealServerRules } from './real-server-join.ts';
import { RefusalList } from './refusals.ts';
import { draftServices } from './service-draft.ts';
import type { ServiceDraft, VirtualServiceDraft } from './service-draft.ts';
import { computeSysctlNeeds } from './sysctl-needs.ts';
import type { DesiredState, DesiredStateInput, DesiredVirtualService, Uplink } from './types.ts';
import { allocateVips } from './vip-allocation.ts';
import { computeVipBinding } from './vip-binding.ts';
import { refuseSourceRanges, refuseVirtualService } from './virtual-service-rules.ts';

/**
 * What the kernel should hold, from what people wrote. Never throws for what they wrote: what cannot be served is in
 * `refusals`, and one bad object changes nothing for the others. The same input gives the same answer, in any order of
 * the resources.
 */
export function computeDesiredState(input: DesiredStateInput): DesiredState {
  return keepLastAccepted(input, computeFrom);
}

/** The answer for exactly these resources. */
function computeFrom(input: DesiredStateInput): DesiredState {
  const refusals = new RefusalList();
  const { facts, allocations } = input;
  const pools = compilePools(input.addressPools);
  const policy = createAddressPolicy(facts);

  const candidates = input.virtualServices.toSorted(compareByAge).filter((resource) => {
    const refusal = refuseVirtualService(resource, facts);
    if (refusal !== undefined) refusals.refuse(refusal);
    return refusal === undefined;
  });
  const { vips, addresses } = allocateVips({
    virtualServices: candidates,
    pools,
    policy,
    allocations,
    realServerAddresses: () => new Set(input.realServers.flatMap(({ spec }) => spec.addresses)),
    refusals,
  });
  const claimants = candidates.flatMap((resource) => claimantOf(resource, vips.get(resource), refusals));
  const settled = settlePortClaims(claimants, allocations.portOwners, refusals);

  const marks = new MarkAllocator(allocations.marks);
  const drafts = new Map<string, VirtualServiceDraft>();
  for (const { resource } of settled.accepted) {
    const draft = draftServices(resource, vips.get(resource) ?? [], marks, refusals);
    if (draft !== undefined) drafts.set(draftKey(resource.metadata.namespace, resource.metadata.name), draft);
  }
  const list = [...drafts.values()];
  const allVips = [...new Set(list.flatMap((draft) => draft.vips))];

  const rules = recallRules(facts, input.addressPools, allVips, () => ({
    pools,
    policy,
    vips: new Set<string>(allVips),
  }));
  const realServers = joinRealServers(input, drafts, rules, refusals);
  for (const draft of list) {
    warnOfTunnelMtu(draft, facts.uplinks, refusals);
    warnOfOnePacketAnswers(draft, refusals);
  }

  const bindings = allVips.map((vip) => computeVipBinding(vip, facts.uplinks));
  return {
    services: new Map<string, DesiredVirtualService>(
      list.flatMap(({ services }) => services.map(({ key, service }) => [key, service] as const)),
    ),
    vips: bindings,
    packetRules: computePacketRules(list, facts.uplinks),
    sysctls: computeSysctlProfile(computeSysctlNeeds(list, bindings, facts)),
    refusals: refusals.list,
    allocations: { addresses, marks: marks.marks, portOwners: settled.portOwners },
    accepted: {
      virtualServices: list.map(({ resource }) => resource),
      realServers,
      addressPools: input.addressPools,
    },
  };
}

function draftKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function claimantOf(
  resource: VirtualServiceResource,
  vips: PortClaimVips,
  refusals: RefusalList,
): readonly PortClaimant[] {
  if (vips === undefined) return [];
  const refusal = refuseSourceRanges(resource, vips);
  if (refusal !== undefined) {
    refusals.refuse(refusal);
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

type PortClaimVips = VirtualServiceDraft['vips'] | undefined;

/** Fills the drafts with real servers. @returns the RealServer objects that are served. */
function joinRealServers(
  input: DesiredStateInput,
  drafts: ReadonlyMap<string, VirtualServiceDraft>,
  rules: RealServerRules,
  refusals: RefusalList,
): readonly RealServerResource[] {
  const known = new Set(
    input.virtualServices.map(({ metadata }) => draftKey(metadata.namespace, metadata.name)),
  );
  const groups = new Map<VirtualServiceDraft, RealServerResource[]>();
  for (const resource of input.realServers) {
    const key = draftKey(resource.metadata.namespace, resource.spec.virtualServiceRef.name);
    const draft = drafts.get(key);
    if (draft === undefined) {
      refusals.refuse(missingVirtualService(resource, known.has(key)));
      continue;
    }
    const group = groups.get(draft);
    if (group === undefined) groups.set(draft, [resource]);
    else group.push(resource);
  }
  const served: RealServerResource[] = [];
  for (const [draft, group] of groups) {
    const filling = recallFilling(draft, group, rules, () => fillDraft(draft, group, rules));
    for (const [index, { service }] of draft.services.entries()) {
      service.realServers = filling.realServers[index] ?? service.realServers;
    }
    for (const refusal of filling.refusals) refusals.refuse(refusal);
    for (const resource of filling.served) served.push(resource);
  }
  return served;
}

/** Real servers of one VirtualService meet only each other, so each VirtualService is filled by itself. */
function fillDraft(
  draft: VirtualServiceDraft,
  group: readonly RealServerResource[],
  rules: RealServerRules,
): Filling {
  const refusals = new RefusalList();
  const served = enterDraft(draft, group, rules, refusals);
  for (const service of draft.services) applyKernelWeights(service);
  return {
    realServers: draft.services.map(({ service }) => service.realServers),
    served,
    refusals: refusals.list,
  };
}

function enterDraft(
  draft: VirtualServiceDraft,
  group: readonly RealServerResource[],
  rules: RealServerRules,
  refusals: RefusalList,
): readonly RealServerResource[] {
  const joined: { readonly resource: RealServerResource; readonly entries: readonly RealServerEntry[] }[] =
    [];
  for (const resource of group) {
    const join = joinRealServer(resource, draft, rules);
    if (join.kind === 'refused') refusals.refuse(join.refusal);
    else joined.push({ resource, entries: join.entries });
  }
  if (joined.every(({ entries }) => addEntries(entries) === undefined)) {
    return joined.map(({ resource }) => resource);
  }

  // Two objects want the same real server. Age decides, so everybody enters again in that order.
  for (const { service } of draft.services) service.realServers.clear();
  const served: RealServerResource[] = [];
  for (const { resource, entries } of joined.toSorted((a, b) => compareByAge(a.resource, b.resource))) {
    const conflict = addEntries(entries);
    if (conflict === undefined) served.push(resource);
    else {
      refusals.refuse({
        object: objectRefOf(resource),
        path: ['spec', 'addresses', resource.spec.addresses.indexOf(conflict.realServer.key.rip)],
        reason: 'Conflicted',
        message:
          `${conflict.key} behind ${conflict.service.key} already belongs to RealServer ` +
          `${conflict.service.service.realServers.get(conflict.key)?.owner.name}; list it in one RealServer.`,
      });
    }
  }
  return served;
}

/** Adds all or none. @returns the first entry whose place is taken. */
function addEntries(entries: readonly RealServerEntry[]): RealServerEntry | undefined {
  const conflict = entries.find(({ service, key }) => service.service.realServers.has(key));
  if (conflict === undefined) {
    for (const { service, key, realServer } of entries) service.service.realServers.set(key, realServer);
  }
  return conflict;
}

function missingVirtualService(resource: RealServerResource, exists: boolean) {
  const { name } = resource.spec.virtualServiceRef;
  return {
    object: objectRefOf(resource),
    path: ['spec', 'virtualServiceRef', 'name'],
    reason: exists ? 'VirtualServiceNotAccepted' : 'VirtualServiceNotFound',
    message: exists
      ? `VirtualService ${name} is refused, so its real servers are not served; see its own message.`
      : `There is no VirtualService ${name} in namespace ${resource.metadata.namespace}; make it, or correct the name.`,
  };
}

/** Weights depend on each other only under some schedulers, so they are computed once all real servers are known. */
function applyKernelWeights({ service }: ServiceDraft): void {
  const { realServers } = service;
  if (!areWeightsShared(service.config.scheduler)) return;
  // By key, so that the remainder of a division goes to the same server whatever the order of the objects.
  const keys = [...realServers.keys()].toSorted();
  const configured = keys.map((key) => realServers.get(key)?.config.weight ?? 0);
  const weights = kernelWeights(service.config.scheduler, configured);
  for (const [index, key] of keys.entries()) {
    const server = realServers.get(key);
    const weight = weights[index];
    if (server === undefined || weight === undefined || weight === server.config.weight) continue;
    realServers.set(key, { ...server, config: { ...server.config, weight } });
  }
}

/** A full-sized packet of an ordinary Ethernet client. */
const ordinaryMtu = 1500;

function warnOfTunnelMtu(
  draft: VirtualServiceDraft,
  uplinks: readonly Uplink[],
  refusals: RefusalList,
): void {
  const mtu = smallestTunnelMtu(draft.services, uplinks);
  if (mtu === undefined || mtu >= ordinaryMtu) return;
  const hasUdp = draft.resource.spec.ports.some(({ protocol }) => protocol !== 'TCP');
  const family = draft.vips.some((vip) => ipFamily(vip) === 'IPv6') ? 'IPv6' : 'IPv4';
  refusals.warn({
    object: draft.owner,
    path: ['spec', 'forwarding', 'method'],
    reason: 'TunnelMtu',
    message:
      `Packets above ${mtu} bytes do not fit the tunnel to the real servers, and clients are asked to send smaller ones ` +
      `(ICMP). Give the network between director and real servers an MTU of ${ordinaryMtu + (ordinaryMtu - mtu)}, or ` +
      `let the real servers announce an MSS of ${mtu - (family === 'IPv6' ? 60 : 40)} at most` +
      `${hasUdp ? '; UDP has no such cure but smaller datagrams' : ''}.`,
  });
}
