import { ipFamily } from '../base/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';
import { ipSet, rangeOfCidr } from './ip-set.ts';
import { embeddedIpv4, reservedReason } from './reserved-addresses.ts';
import type { DirectorFacts } from './types.ts';

/** Why an address is refused: a stable reason and the rest of a sentence about it (`is loopback`). */
export interface AddressVerdict {
  readonly reason: 'AddressReserved' | 'AddressOfDirector' | 'AddressOfSubnet' | 'ControlPort';
  readonly why: string;
}

/**
 * kubelet, API server, etcd (client and peer). Reaching them through a VIP on a node's own address was the way of
 * CVE-2020-8554 and CVE-2021-25740; measured on 6.1: an unroutable node IP:10250 answered through a VIP.
 */
export const controlPorts: readonly number[] = [10250, 6443, 2379, 2380];

/** The host's part of the policy. Pools are judged apart: they grant, this refuses, and refusing comes first. */
export interface AddressPolicy {
  judgeVip(ip: IpAddress): AddressVerdict | undefined;
  judgeRealServer(ip: IpAddress): AddressVerdict | undefined;
  /** Ports are inclusive; a real server that keeps the packet's port is judged by all of its virtual ports. */
  judgeRealServerPort(ip: IpAddress, port: number, endPort: number): AddressVerdict | undefined;
}

export function createAddressPolicy(facts: DirectorFacts): AddressPolicy {
  const own = new Set<string>(facts.ownAddresses);
  const reservedHere = ipSet(facts.reservedCidrs);
  const subnets = facts.uplinks.flatMap(({ subnets: cidrs }) => cidrs);
  const subnetEnds = new Map(subnets.flatMap(endsOfSubnet));

  const judge = (ip: IpAddress): AddressVerdict | undefined => {
    const why = reservedReason(ip);
    if (why !== undefined) return { reason: 'AddressReserved', why };
    const embedded = ip.includes(':') ? embeddedIpv4(ip) : undefined;
    if (reservedHere.has(ip) || (embedded !== undefined && reservedHere.has(embedded.ip))) {
      return { reason: 'AddressReserved', why: 'lies in the reservedCIDRs of this director' };
    }
    const end = subnetEnds.get(ip);
    return end === undefined ? undefined : { reason: 'AddressOfSubnet', why: end };
  };

  return {
    judgeVip: (ip) =>
      own.has(ip) ? { reason: 'AddressOfDirector', why: 'is an address of this director itself' } : judge(ip),
    judgeRealServer: judge,
    judgeRealServerPort: (ip, port, endPort) => {
      if (!own.has(ip)) return undefined;
      const control = controlPorts.find((candidate) => port <= candidate && candidate <= endPort);
      return control === undefined
        ? undefined
        : {
            reason: 'ControlPort',
            why: `is this director, and its port ${control} belongs to the control plane`,
          };
    },
  };
}

/** The addresses of an on-link subnet that are nobody's: network and broadcast, or the subnet-router anycast. */
function endsOfSubnet(cidr: Cidr): [string, string][] {
  const { first, last } = rangeOfCidr(cidr);
  const text = `${cidr.address}/${cidr.prefixLength}`;
  if (ipFamily(cidr.address) === 'IPv6') {
    return cidr.prefixLength >= 127 ? [] : [[first, `is the router anycast address of ${text} (RFC 4291)`]];
  }
  if (cidr.prefixLength >= 31) return [];
  return [
    [first, `is the network address of ${text}`],
    [last, `is the broadcast address of ${text}`],
  ];
}
