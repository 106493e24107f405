import type { AddressPoolResource, VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { compilePools, createAddressPolicy } from '../plan/index.ts';
import type { DirectorFacts, NamespaceLabels } from '../plan/index.ts';
import type { SlicePort } from './join-slice-ports.ts';
import { effectivePorts } from './virtual-service-needs.ts';

/** What is known of an address that somebody wants as a real server. */
export interface JudgedEndpoint {
  readonly address: IpAddress;
  readonly namespace: string;
  /** Verified to be a pod of the namespace; else it is a static address and needs a pool's leave. */
  readonly isPod: boolean;
  /** Empty: the virtual ports. */
  readonly ports: readonly SlicePort[];
  readonly virtualService: VirtualServiceResource | undefined;
}

/** Who may receive traffic. */
export interface EndpointPolicy {
  /** Undefined: nothing against it. `why` is the rest of a sentence about the address. */
  judge(endpoint: JudgedEndpoint): { readonly reason: string; readonly why: string } | undefined;
}

export interface EndpointPolicyInput {
  readonly facts: DirectorFacts;
  readonly addressPools: readonly AddressPoolResource[];
  readonly namespaceLabels: NamespaceLabels | undefined;
}

/**
 * The rules of `plan`, by which every director judges the same addresses again: here they keep what is refused out of
 * the slices and tell people why, there they hold against a slice that lies.
 */
export function createEndpointPolicy(input: EndpointPolicyInput): EndpointPolicy {
  const policy = createAddressPolicy(input.facts);
  const pools = compilePools(input.addressPools, input.namespaceLabels);
  return {
    judge: ({ address, namespace, isPod, ports, virtualService }) => {
      const verdict = policy.judgeRealServer(address, isPod ? 'Pod' : 'Static');
      if (verdict !== undefined) return verdict;
      if (!isPod && !pools.realServerSet(namespace).has(address)) {
        const why = `lies in no realServerCIDRs of an AddressPool that admits namespace ${namespace}`;
        return { reason: 'RealServerNotAllowed', why };
      }
      for (const { port, endPort } of portRanges(ports, virtualService)) {
        const control = policy.judgeRealServerPort(address, port, endPort);
        if (control !== undefined) return control;
      }
      return undefined;
    },
  };
}

/** The ports that packets arrive on. A port that begins a virtual range goes on as long as that. */
function portRanges(
  ports: readonly SlicePort[],
  virtualService: VirtualServiceResource | undefined,
): readonly { readonly port: number; readonly endPort: number }[] {
  const virtualPorts = effectivePorts(virtualService) ?? [];
  if (ports.length === 0) {
    return virtualPorts.map(({ port, endPort }) => ({ port, endPort: endPort ?? port }));
  }
  return ports.map(({ name, port }) => {
    const virtual = virtualPorts.find((one) => one.name === name) ?? virtualPorts[0];
    return { port, endPort: port + ((virtual?.endPort ?? virtual?.port ?? 0) - (virtual?.port ?? 0)) };
  });
}
