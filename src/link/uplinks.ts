import { LvsError, ipBits, isInCidr, maskAddress } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import { routedVipDevice, vipAddressProtocol } from './types.ts';
import type { ObservedAddress, ObservedLink, ObservedUplink, VipBinding } from './types.ts';

/**
 * The links that are up, speak ARP and carry a subnet. Link-local subnets do not count: every link has fe80::/64, and
 * a VIP is never in it.
 */
export function computeUplinks(
  links: readonly ObservedLink[],
  addresses: readonly ObservedAddress[],
): ObservedUplink[] {
  return links
    .filter((link) => link.isUp && link.hasArp && link.name !== routedVipDevice)
    .flatMap((link) => {
      const subnets = addresses
        .filter((address) => address.device === link.name && isSubnetMember(address))
        .map(({ ip, prefixLength }) => ({ address: maskAddress(ip, prefixLength), prefixLength }));
      const unique = [
        ...new Map(subnets.map((subnet) => [`${subnet.address}/${subnet.prefixLength}`, subnet])).values(),
      ];
      return unique.length === 0 ? [] : [{ name: link.name, subnets: unique, mtu: link.mtu }];
    });
}

/** The uplink whose most specific subnet holds the VIP. */
export function findUplink(vip: IpAddress, uplinks: readonly ObservedUplink[]): ObservedUplink | undefined {
  let best: ObservedUplink | undefined;
  let bestLength = -1;
  for (const uplink of uplinks) {
    for (const subnet of uplink.subnets) {
      if (subnet.prefixLength > bestLength && isInCidr(vip, subnet)) {
        best = uplink;
        bestLength = subnet.prefixLength;
      }
    }
  }
  return best;
}

export function missingLinkError(binding: VipBinding): LvsError {
  return new LvsError(
    'LVS_LINK_MISSING',
    `VIP ${binding.vip} cannot be bound: there is no network interface "${binding.device}".`,
    {
      subject: binding.device,
      hint: 'Create the interface, or correct its name in the director configuration.',
    },
  );
}

function isSubnetMember(address: ObservedAddress): boolean {
  return (
    address.protocol !== vipAddressProtocol &&
    address.prefixLength < ipBits(address.family) &&
    !address.ip.startsWith('fe80:')
  );
}
