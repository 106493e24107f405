import type { IpAddress } from '../base/index.ts';
import { isInCidr } from '../base/index.ts';
import { routedVipDevice } from '../link/pure.ts';
import type { VipBinding } from '../link/pure.ts';
import type { Uplink } from './types.ts';

/**
 * Where a VIP lives. Inside the subnet of an uplink it is bound there and announced: neighbours ask for it by ARP or
 * NDP, and a dummy device would not answer an IPv6 solicitation, nor an IPv4 one where arp_ignore=1. Anywhere else it
 * is routed to us and sits on `lvs0`. The longest prefix decides, then the order of the uplinks.
 */
export function computeVipBinding(vip: IpAddress, uplinks: readonly Uplink[]): VipBinding {
  const uplink = uplinkOf(vip, uplinks);
  return uplink === undefined
    ? { vip, device: routedVipDevice, announce: false }
    : { vip, device: uplink.name, announce: true };
}

/** The uplink on whose wire an address is. */
export function uplinkOf(ip: IpAddress, uplinks: readonly Uplink[]): Uplink | undefined {
  let best: Uplink | undefined;
  let bestLength = -1;
  for (const uplink of uplinks) {
    for (const subnet of uplink.subnets) {
      if (subnet.prefixLength > bestLength && isInCidr(ip, subnet)) {
        best = uplink;
        bestLength = subnet.prefixLength;
      }
    }
  }
  return best;
}
