import { formatCidr } from '../base/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';
import type { ApiServerSliceRecord } from './api-server-slice.ts';
import type { NodeRecord } from './node.ts';
import type { ServiceCidrRecord } from './service-cidr.ts';

/** Addresses of the cluster itself that tenants may not claim; `plan` asks for exactly this. */
export interface ClusterFacts {
  readonly nodeAddresses: readonly IpAddress[];
  readonly podCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  readonly apiServerAddresses: readonly IpAddress[];
}

export interface ClusterFactsInput {
  readonly nodes: Iterable<NodeRecord>;
  readonly serviceCidrs: Iterable<ServiceCidrRecord>;
  readonly apiServerSlices: Iterable<ApiServerSliceRecord>;
  /** Addresses under which we speak to the API server ourselves: a load balancer before it is in no EndpointSlice. */
  readonly apiServerAddresses?: readonly IpAddress[];
}

/** Sorted and without repetitions, so that equal clusters give equal facts. */
export function computeClusterFacts(input: ClusterFactsInput): ClusterFacts {
  const nodes = [...input.nodes];
  return {
    nodeAddresses: sortedAddresses(nodes.flatMap(({ addresses }) => addresses)),
    podCidrs: sortedNetworks(nodes.flatMap(({ podCidrs }) => podCidrs)),
    serviceCidrs: sortedNetworks([...input.serviceCidrs].flatMap(({ cidrs }) => cidrs)),
    apiServerAddresses: sortedAddresses([
      ...(input.apiServerAddresses ?? []),
      ...[...input.apiServerSlices].flatMap(({ addresses }) => addresses),
    ]),
  };
}

function sortedAddresses(addresses: readonly IpAddress[]): readonly IpAddress[] {
  return [...new Set(addresses)].toSorted();
}

function sortedNetworks(networks: readonly Cidr[]): readonly Cidr[] {
  const byText = new Map(networks.map((cidr) => [formatCidr(cidr), cidr]));
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, cidr]) => cidr);
}
