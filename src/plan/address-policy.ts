import { ipFamily } from '../base/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';
import { ipSet, rangeOfCidr } from './ip-set.ts';
import { embeddedIpv4, reservedReason } from './reserved-addresses.ts';
import type { ClusterFacts, DirectorFacts } from './types.ts';

/** Why an address is refused: a stable reason and the rest of a sentence about it (`is loopback`). */
export interface AddressVerdict {
  readonly reason:
    | 'AddressReserved'
    | 'AddressOfDirector'
    | 'AddressOfSubnet'
    | 'AddressOfNode'
    | 'AddressOfPodNetwork'
    | 'AddressOfServiceNetwork'
    | 'AddressOfApiServer'
    | 'ControlPort';
  readonly why: string;
}

/**
 * How an address came to be a real server. `Static`: a person wrote it. `Pod`: the controller has found it to be the
 * address of a pod of that very namespace, so it may lie in the pod network, and on a node if the pod shares its network.
 */
export type RealServerOrigin = 'Static' | 'Pod';

/**
 * kubelet, API server, etcd (client and peer). Reaching them through a VIP on a node's own address was the way of
 * CVE-2020-8554 and CVE-2021-25740; measured on 6.1: an unroutable node IP:10250 answered through a VIP.
 */
export const controlPorts: readonly number[] = [10250, 6443, 2379, 2380];

/** The host's and the cluster's part of the policy. Pools are judged apart: they grant, this refuses, and refusing comes first. */
export interface AddressPolicy {
  judgeVip(ip: IpAddress): AddressVerdict | undefined;
  judgeRealServer(ip: IpAddress, origin: RealServerOrigin): AddressVerdict | undefined;
  /** Ports are inclusive; a real server that keeps the packet's port is judged by all of its virtual ports. */
  judgeRealServerPort(ip: IpAddress, port: number, endPort: number): AddressVerdict | undefined;
}

type Judge = (ip: IpAddress) => AddressVerdict | undefined;

export function createAddressPolicy(facts: DirectorFacts): AddressPolicy {
  const { nodeAddresses, podCidrs, serviceCidrs, apiServerAddresses } = facts.cluster ?? noCluster;
  const own = new Set<string>(facts.ownAddresses);
  const nodes = new Set<string>(nodeAddresses);
  const apiServers = new Set<string>(apiServerAddresses);
  const reservedHere = ipSet(facts.reservedCidrs);
  const podNetwork = ipSet(podCidrs);
  const serviceNetwork = ipSet(serviceCidrs);
  const subnetEnds = new Map(
    facts.uplinks.flatMap(({ subnets }) => subnets).flatMap((cidr) => endsOfSubnet(cidr)),
  );

  const judgeAll: Judge = (ip) => {
    if (reservedHere.has(ip)) {
      return { reason: 'AddressReserved', why: 'lies in the reservedCIDRs of this director' };
    }
    if (!serviceNetwork.has(ip)) return undefined;
    return { reason: 'AddressOfServiceNetwork', why: 'lies in the service network of the cluster' };
  };
  const judgeStatic: Judge = (ip) => {
    if (apiServers.has(ip)) return { reason: 'AddressOfApiServer', why: 'is an address of the API server' };
    return podNetwork.has(ip)
      ? { reason: 'AddressOfPodNetwork', why: 'lies in the pod network of the cluster' }
      : judgeAll(ip);
  };
  const judgeVirtual: Judge = (ip) => {
    if (own.has(ip)) return { reason: 'AddressOfDirector', why: 'is an address of this director itself' };
    if (nodes.has(ip)) return { reason: 'AddressOfNode', why: 'is an address of a node' };
    return judgeStatic(ip);
  };
  const judge = (ip: IpAddress, judgeHere: Judge): AddressVerdict | undefined => {
    const why = reservedReason(ip);
    if (why !== undefined) return { reason: 'AddressReserved', why };
    const verdict = judgeWithEmbedded(ip, judgeHere);
    if (verdict !== undefined) return verdict;
    const end = subnetEnds.get(ip);
    return end === undefined ? undefined : { reason: 'AddressOfSubnet', why: end };
  };

  return {
    judgeVip: (ip) => judge(ip, judgeVirtual),
    judgeRealServer: (ip, origin) => judge(ip, origin === 'Pod' ? judgeAll : judgeStatic),
    judgeRealServerPort: (ip, port, endPort) => {
      const control = controlPorts.find((candidate) => port <= candidate && candidate <= endPort);
      if (control === undefined) return undefined;
      return judgeWithEmbedded(ip, (host) => {
        const who = own.has(host)
          ? 'this director'
          : nodes.has(host)
            ? 'a node'
            : apiServers.has(host)
              ? 'the API server'
              : undefined;
        return who === undefined
          ? undefined
          : { reason: 'ControlPort', why: `is ${who}, and its port ${control} belongs to the control plane` };
      });
    },
  };
}

const noCluster: ClusterFacts = {
  nodeAddresses: [],
  podCidrs: [],
  serviceCidrs: [],
  apiServerAddresses: [],
};

/** Judges an address, and the IPv4 address that a translator or tunnel on the way would make of it. */
function judgeWithEmbedded(ip: IpAddress, judge: Judge): AddressVerdict | undefined {
  const verdict = judge(ip);
  if (verdict !== undefined || !ip.includes(':')) return verdict;
  const embedded = embeddedIpv4(ip);
  const inner = embedded === undefined ? undefined : judge(embedded.ip);
  return embedded === undefined || inner === undefined
    ? undefined
    : { ...inner, why: `carries ${embedded.ip} (${embedded.how}), which ${inner.why}` };
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
