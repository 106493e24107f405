import type { DirectorConfiguration } from '../api/index.ts';
import { LvsError, isInCidr, maskAddress } from '../base/index.ts';
import type { Cidr } from '../base/index.ts';
import { vipAddressProtocol } from '../link/pure.ts';
import type { ObservedAddress, ObservedLink, VipBinding } from '../link/pure.ts';
import type { ClusterFacts, DirectorFacts, Uplink } from '../plan/index.ts';

export interface FactsInput {
  readonly links: readonly ObservedLink[];
  readonly addresses: readonly ObservedAddress[];
  readonly ownedVips: readonly VipBinding[];
  readonly unavailableSchedulers: readonly string[];
  readonly configuration: DirectorConfiguration;
  /** Undefined where there is no cluster. */
  readonly cluster?: ClusterFacts | undefined;
}

/**
 * What the host tells a director: its own addresses, and the uplinks with the networks that are on-link there.
 * @throws LvsError LVS_LINK_MISSING when the configuration names an interface that does not exist.
 */
export function computeFacts(input: FactsInput): DirectorFacts {
  const { addresses, links, ownedVips, configuration } = input;
  const isOurs = (address: ObservedAddress): boolean =>
    address.protocol === vipAddressProtocol ||
    ownedVips.some((vip) => vip.vip === address.ip && vip.device === address.device);
  const hostAddresses = addresses.filter((address) => !isOurs(address));
  return {
    ownAddresses: [...new Set(hostAddresses.map((address) => address.ip))].toSorted(),
    uplinks: computeUplinks(links, hostAddresses, configuration),
    unavailableSchedulers: input.unavailableSchedulers,
    reservedCidrs: configuration.reservedCIDRs,
    hasPacketRules: configuration.netfilter !== 'Off',
    cluster: input.cluster,
  };
}

function computeUplinks(
  links: readonly ObservedLink[],
  hostAddresses: readonly ObservedAddress[],
  configuration: DirectorConfiguration,
): readonly Uplink[] {
  const configured = configuration.uplinks;
  if (configured === undefined) {
    return links
      .filter((link) => link.isUp && link.hasArp)
      .map((link) => ({ name: link.name, mtu: link.mtu, subnets: subnetsOf(link.name, hostAddresses) }))
      .filter((uplink) => uplink.subnets.length > 0)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
  return configured.map(({ interface: name, cidrs }) => {
    const link = links.find((candidate) => candidate.name === name);
    if (link === undefined) {
      throw new LvsError(
        'LVS_LINK_MISSING',
        `The uplink "${name}" of the configuration does not exist on this host.`,
        {
          subject: name,
          hint: `Interfaces here: ${links.map((candidate) => candidate.name).join(', ')}.`,
        },
      );
    }
    return { name, mtu: link.mtu, subnets: cidrs ?? subnetsOf(name, hostAddresses) };
  });
}

/** Host prefixes (/32, /128) make no network, and link-local ones hold no VIP. */
function subnetsOf(device: string, addresses: readonly ObservedAddress[]): readonly Cidr[] {
  const subnets = new Map<string, Cidr>();
  for (const { ip, prefixLength, family, device: of } of addresses) {
    if (of !== device || prefixLength === (family === 'IPv4' ? 32 : 128)) continue;
    const subnet = { address: maskAddress(ip, prefixLength), prefixLength };
    if (isInCidr(subnet.address, linkLocal4) || isInCidr(subnet.address, linkLocal6)) continue;
    subnets.set(`${subnet.address}/${prefixLength}`, subnet);
  }
  return [...subnets.values()];
}

const linkLocal4 = { address: '169.254.0.0', prefixLength: 16 } as Cidr;
const linkLocal6 = { address: 'fe80::', prefixLength: 10 } as Cidr;
