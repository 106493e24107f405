import type { MssClamp, PacketRules, SourceNatRule, VipClaim } from '../link/pure.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import { segmentSize, tunnelMtu } from './tunnel-mtu.ts';
import type { Uplink } from './types.ts';

/** The packet rules that the accepted services need. */
export function computePacketRules(
  drafts: readonly VirtualServiceDraft[],
  uplinks: readonly Uplink[],
): PacketRules {
  const vips = new Set<VipClaim['vip']>();
  const claims: VipClaim[] = [];
  const sourceNat: SourceNatRule[] = [];
  const mssClamps: MssClamp[] = [];
  for (const { resource, vips: ownVips, services } of drafts) {
    const { forwarding } = resource.spec;
    for (const vip of ownVips) vips.add(vip);
    for (const draft of services) {
      claims.push(...draft.claims);
      // A static real server answers through the director or it would not be NAT, so the default is false.
      if (forwarding.method === 'NAT' && forwarding.sourceNAT === true) {
        sourceNat.push(
          ...draft.claims.map(({ vip, protocol, port, endPort }) => ({ vip, protocol, port, endPort })),
        );
      }
      const mtu = smallestTunnelMtu([draft], uplinks);
      if (mtu === undefined) continue;
      const mss = segmentSize(mtu, draft.family);
      for (const { vip, protocol, port, endPort } of draft.claims) {
        if (protocol === 'TCP') mssClamps.push({ vip, port, endPort, mss });
      }
    }
  }
  return { vips: [...vips], claims, sourceNat, mssClamps };
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
