import { ipFamily } from '../base/index.ts';
import { routedVipDevice } from '../link/pure.ts';
import type { SysctlNeeds, VipBinding } from '../link/pure.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import type { DirectorFacts } from './types.ts';

/** What one VirtualService asks of the host. */
export type ForwardingNeeds = Omit<SysctlNeeds, 'hasRoutedIpv4Vips' | 'uplinks'>;

export function computeForwardingNeeds(
  { resource, services }: VirtualServiceDraft,
  hasSourceNat: boolean,
): ForwardingNeeds {
  const { method } = resource.spec.forwarding;
  const nat = { IPv4: false, IPv6: false };
  let hasTunnel = false;
  let hasDirectRouting = false;
  for (const { service, family } of services) {
    // Before its first real server a service counts by what its VirtualService says, so that the host is ready.
    const methods = new Set<string>([method]);
    for (const { config } of service.realServers.values()) methods.add(config.forwarding);
    nat[family] ||= methods.has('NAT');
    hasTunnel ||= methods.has('TUN');
    hasDirectRouting ||= methods.has('DR');
  }
  return {
    hasServices: services.length > 0,
    hasIpv4Nat: nat.IPv4,
    hasIpv6Nat: nat.IPv6,
    hasTunnel,
    hasDirectRouting,
    hasSourceNat,
  };
}

/** What all services together ask of the host. */
export function joinSysctlNeeds(
  needs: readonly ForwardingNeeds[],
  bindings: readonly VipBinding[],
  facts: DirectorFacts,
): SysctlNeeds {
  const some = (name: keyof ForwardingNeeds): boolean => needs.some((of) => of[name]);
  return {
    hasServices: some('hasServices'),
    hasIpv4Nat: some('hasIpv4Nat'),
    hasIpv6Nat: some('hasIpv6Nat'),
    hasTunnel: some('hasTunnel'),
    hasDirectRouting: some('hasDirectRouting'),
    hasSourceNat: some('hasSourceNat'),
    hasRoutedIpv4Vips: bindings.some(
      ({ vip, device }) => device === routedVipDevice && ipFamily(vip) === 'IPv4',
    ),
    uplinks: facts.uplinks.map(({ name }) => name),
  };
}
