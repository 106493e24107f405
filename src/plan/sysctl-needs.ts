import { ipFamily } from '../base/index.ts';
import { routedVipDevice } from '../link/pure.ts';
import type { SysctlNeeds, VipBinding } from '../link/pure.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import type { DirectorFacts } from './types.ts';

/** What all services together ask of the host. */
export function computeSysctlNeeds(
  drafts: readonly VirtualServiceDraft[],
  bindings: readonly VipBinding[],
  facts: DirectorFacts,
): SysctlNeeds {
  const nat = { IPv4: false, IPv6: false };
  let hasTunnel = false;
  let hasDirectRouting = false;
  let hasServices = false;
  let hasSourceNat = false;
  for (const { resource, services } of drafts) {
    const { method, sourceNAT } = resource.spec.forwarding;
    hasSourceNat ||= method === 'NAT' && sourceNAT === true;
    for (const { service, family } of services) {
      hasServices = true;
      // Before its first real server a service counts by what its VirtualService says, so that the host is ready.
      const methods = new Set<string>([method]);
      for (const { config } of service.realServers.values()) methods.add(config.forwarding);
      nat[family] ||= methods.has('NAT');
      hasTunnel ||= methods.has('TUN');
      hasDirectRouting ||= methods.has('DR');
    }
  }
  return {
    hasServices,
    hasIpv4Nat: nat.IPv4,
    hasIpv6Nat: nat.IPv6,
    hasTunnel,
    hasDirectRouting,
    hasSourceNat,
    hasRoutedIpv4Vips: bindings.some(
      ({ vip, device }) => device === routedVipDevice && ipFamily(vip) === 'IPv4',
    ),
    uplinks: facts.uplinks.map(({ name }) => name),
  };
}
