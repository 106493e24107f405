import type { MssClamp, PacketRules, SourceNatRule, VipClaim } from '../link/pure.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import { segmentSize, tunnelMtu } from './tunnel-mtu.ts';
import type { Uplink } from './types.ts';

/** What one VirtualService adds to the packet rules. */
export type PacketRulesPart = PacketRules;

/**
 * Depends on the real servers through their tunnels and on whether any can be a pod, so most edits of them leave the
 * very same part.
 */
export function computePacketRulesPart(
  filled: VirtualServiceDraft,
  template: VirtualServiceDraft,
  { uplinks, hasSourceNat }: { readonly uplinks: readonly Uplink[]; readonly hasSourceNat: boolean },
): PacketRulesPart {
  const mtus = filled.services.map((draft) => smallestTunnelMtu([draft], uplinks));
  const known = parts.get(template);
  if (known?.hasSourceNat === hasSourceNat && known.mtus.every((mtu, index) => mtu === mtus[index])) {
    return known.part;
  }
  const part = makePart(filled, mtus, hasSourceNat);
  parts.set(template, { mtus, hasSourceNat, part });
  return part;
}

const parts = new WeakMap<
  VirtualServiceDraft,
  {
    readonly mtus: readonly (number | undefined)[];
    readonly hasSourceNat: boolean;
    readonly part: PacketRulesPart;
  }
>();

function makePart(
  { vips, services }: VirtualServiceDraft,
  mtus: readonly (number | undefined)[],
  hasSourceNat: boolean,
): PacketRulesPart {
  const claims: VipClaim[] = [];
  const sourceNat: SourceNatRule[] = [];
  const mssClamps: MssClamp[] = [];
  for (const [index, draft] of services.entries()) {
    claims.push(...draft.claims);
    if (hasSourceNat) {
      sourceNat.push(
        ...draft.claims.map(({ vip, protocol, port, endPort }) => ({ vip, protocol, port, endPort })),
      );
    }
    const mtu = mtus[index];
    if (mtu === undefined) continue;
    const mss = segmentSize(mtu, draft.family);
    for (const { vip, protocol, port, endPort } of draft.claims) {
      if (protocol === 'TCP') mssClamps.push({ vip, port, endPort, mss });
    }
  }
  return { vips, claims, sourceNat, mssClamps };
}

/** The packet rules that the accepted services need. */
export function joinPacketRules(list: readonly PacketRulesPart[]): PacketRules {
  return {
    vips: [...new Set(list.flatMap(({ vips }) => vips))],
    claims: list.flatMap(({ claims }) => claims),
    sourceNat: list.flatMap(({ sourceNat }) => sourceNat),
    mssClamps: list.flatMap(({ mssClamps }) => mssClamps),
  };
}

/** The largest packet in bytes that fits every tunnel of some services; undefined: they have none. */
export function smallestTunnelMtu(
  services: VirtualServiceDraft['services'],
  uplinks: readonly Uplink[],
): number | undefined {
  let smallest: number | undefined;
  for (const { service } of services) {
    for (const { key, config } of service.realServers.values()) {
      if (config.tunnel === undefined) continue;
      const mtu = tunnelMtu(key.rip, config.tunnel, uplinks);
      if (smallest === undefined || mtu < smallest) smallest = mtu;
    }
  }
  return smallest;
}
