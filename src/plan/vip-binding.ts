import type { IpAddress } from '../base/index.ts';
import { findUplink, routedVipDevice } from '../link/pure.ts';
import type { VipBinding } from '../link/pure.ts';
import type { Uplink } from './types.ts';

/**
 * Where a VIP lives. Inside the subnet of an uplink it is bound there and announced: neighbours ask for it by ARP or
 * NDP, and a dummy device would not answer an IPv6 solicitation, nor an IPv4 one where arp_ignore=1. Anywhere else it
 * is routed to us and sits on `lvs0`. The longest prefix decides, then the order of the uplinks.
 */
export function computeVipBinding(vip: IpAddress, uplinks: readonly Uplink[]): VipBinding {
  const uplink = findUplink(vip, uplinks);
  return uplink === undefined
    ? { vip, device: routedVipDevice, announce: false }
    : { vip, device: uplink.name, announce: true };
}
