import { ipFamily } from '../base/index.ts';
import type { RealServerResource } from '../api/index.ts';
import { computePacketRulesPart, smallestTunnelMtu } from './desired-rules.ts';
import type { PacketRulesPart } from './desired-rules.ts';
import { enterRealServers } from './enter-real-servers.ts';
import type { RealServerGroup } from './enter-real-servers.ts';
import { FillMemory } from './fill-memory.ts';
import { recallGround, rememberGround } from './ground.ts';
import { groupRealServers } from './group-real-servers.ts';
import type { Ground } from './ground.ts';
import { areWeightsShared, kernelWeights } from './kernel-weight.ts';
import { keepLastAccepted } from './last-accepted.ts';
import { warnOfOnePacketAnswers } from './one-packet-answers.ts';
import type { RealServerRules } from './real-server-join.ts';
import { RefusalList } from './refusals.ts';
import type { ServiceDraft, VirtualServiceDraft } from './service-draft.ts';
import { enterSorryServers } from './sorry-server.ts';
import { usesSourceNat } from './source-nat.ts';
import { computeForwardingNeeds, joinSysctlNeeds } from './sysctl-needs.ts';
import type { ForwardingNeeds } from './sysctl-needs.ts';
import { warnOfWeightsWithoutController } from './weights-need-controller.ts';
import type { DesiredState, DesiredStateInput, DesiredVirtualService, Refusal, Uplink } from './types.ts';

/**
 * What the kernel should hold, from what people wrote. Never throws for what they wrote: what cannot be served is in
 * `refusals`, and one bad object changes nothing for the others. The same input gives the same answer, in any order of
 * the resources. What did not change since the last answer is the same object in this one.
 */
export function computeDesiredState(input: DesiredStateInput): DesiredState {
  return keepLastAccepted(input, computeFrom);
}

/** The answer for exactly these resources. */
function computeFrom(input: DesiredStateInput): DesiredState {
  const ground = recallGround(input);
  const { facts } = input;
  const { groups, strays } = groupRealServers(input, ground.drafts);
  const filled = new Map<VirtualServiceDraft, Filled>();
  // In the order of the first real servers, then what has none: that is the order of `refusals` and `accepted`.
  for (const [draft, group] of groups) filled.set(draft, fillOrRecall(draft, group, ground, facts.uplinks));
  const list: Filled[] = [];
  for (const draft of ground.drafts.values()) {
    list.push(filled.get(draft) ?? fillOrRecall(draft, noRealServers, ground, facts.uplinks));
  }

  const services = new Map<string, DesiredVirtualService>();
  for (const { draft } of list) for (const { key, service } of draft.services) services.set(key, service);
  rememberGround(services, ground);
  const joined = [...filled.values()];
  return {
    services,
    vips: ground.bindings,
    packetRules: ground.packetRules(list.map(({ packetRules }) => packetRules)),
    sysctls: ground.sysctls(
      joinSysctlNeeds(
        list.map(({ needs }) => needs),
        ground.bindings,
        facts,
      ),
    ),
    refusals: [
      ...ground.refusals,
      ...strays,
      ...joined.flatMap(({ refusals }) => refusals),
      ...list.flatMap(({ warnings }) => warnings),
    ],
    allocations: ground.allocations,
    accepted: {
      virtualServices: ground.accepted,
      realServers: joined.flatMap(({ served }) => served),
      addressPools: input.addressPools,
      ...(input.realServerSlices && {
        realServerSlices: joined.flatMap(({ slices }) => slices ?? []),
      }),
      ...(input.namespaceLabels && { namespaceLabels: input.namespaceLabels }),
    },
  };
}

const noRealServers: RealServerGroup = { realServers: [], slices: undefined };

/** A VirtualService with its real servers, and all that follows from the two. */
interface Filled {
  readonly draft: VirtualServiceDraft;
  /** The RealServer objects that are served. */
  readonly served: readonly RealServerResource[];
  /** The slices that they were served from. */
  readonly slices: RealServerGroup['slices'];
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly Refusal[];
  readonly packetRules: PacketRulesPart;
  readonly needs: ForwardingNeeds;
}

const memory = new FillMemory<Filled>();

function fillOrRecall(
  template: VirtualServiceDraft,
  group: RealServerGroup,
  { rules }: Ground,
  uplinks: readonly Uplink[],
): Filled {
  return memory.recall(template, group, rules, () => fillDraft(template, group, rules, uplinks));
}

/** Real servers of one VirtualService meet only each other, so each VirtualService is filled by itself. */
function fillDraft(
  template: VirtualServiceDraft,
  group: RealServerGroup,
  rules: RealServerRules,
  uplinks: readonly Uplink[],
): Filled {
  const draft = {
    ...template,
    services: template.services.map((part) => ({
      ...part,
      service: { ...part.service, realServers: new Map(part.service.realServers) },
    })),
  };
  const refusals = new RefusalList();
  const served = enterRealServers(draft, group, rules, refusals);
  const hasSourceNat = usesSourceNat(draft.resource, served);
  for (const service of draft.services) applyKernelWeights(service);
  const warnings = new RefusalList();
  enterSorryServers(draft, warnings);
  warnOfTunnelMtu(draft, uplinks, warnings);
  warnOfOnePacketAnswers(draft, warnings);
  warnOfWeightsWithoutController(draft, group, warnings);
  return {
    draft,
    served,
    slices: group.slices,
    refusals: refusals.list,
    warnings: warnings.list,
    packetRules: computePacketRulesPart(draft, template, { uplinks, hasSourceNat }),
    needs: computeForwardingNeeds(draft, hasSourceNat),
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
