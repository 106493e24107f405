import type { RealServerResource, VirtualServiceResource } from '../api/index.ts';

/**
 * Whether packets to the real servers leave with an address of the director. Where nobody says, that goes by where the
 * servers come from: a static one answers through the director, or it would not be NAT; the answer of a pod would go
 * its own way and reach the client from an address that it never asked. By the source and not by the endpoints of the
 * moment, so that packet rules do not change with every pod.
 * @param served the RealServers behind it.
 */
export function usesSourceNat(
  { spec: { forwarding } }: VirtualServiceResource,
  served: readonly RealServerResource[],
): boolean {
  if (forwarding.method !== 'NAT') return false;
  return forwarding.sourceNAT ?? served.some(({ spec }) => spec.addresses === undefined);
}
