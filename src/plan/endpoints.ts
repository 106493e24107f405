import type { IpAddress } from '../base/index.ts';
import type { FieldPath, RealServerResource, RealServerSliceResource, RealServerSpec } from '../api/index.ts';
import type { RealServerOrigin } from './address-policy.ts';

/** One address behind a RealServer, wherever it was found. */
export interface RealServerEndpoint {
  readonly address: IpAddress;
  readonly origin: RealServerOrigin;
  /** Where in the RealServer object it comes from. */
  readonly path: FieldPath;
  readonly isDraining: boolean;
  readonly drainDeadlineMs: number | undefined;
  /** Instead of the weight of the RealServer. */
  readonly weight: number | undefined;
}

/** Endpoints that share their ports: those of a RealServer from a file, or of one slice. */
export interface EndpointSource {
  /** Tells two sources of one RealServer apart; the lesser name wins where both have an endpoint. */
  readonly name: string;
  readonly ports: RealServerSpec['ports'];
  readonly endpoints: readonly RealServerEndpoint[];
}

/** The addresses that a RealServer lists itself; undefined: it has to be resolved in a cluster. */
export function ownSource({ spec }: RealServerResource): EndpointSource | undefined {
  return spec.addresses === undefined
    ? undefined
    : {
        name: '',
        ports: spec.ports,
        endpoints: spec.addresses.map((address, index) => ({
          address,
          origin: 'Static',
          path: ['spec', 'addresses', index],
          isDraining: false,
          drainDeadlineMs: undefined,
          weight: undefined,
        })),
      };
}

/** What the controller resolved into one slice. */
export function sliceSource(resource: RealServerResource, slice: RealServerSliceResource): EndpointSource {
  return {
    name: slice.metadata.name,
    ports: slice.spec.ports,
    endpoints: slice.spec.endpoints.map(({ address, phase, deadline, weight, podUID }) => ({
      address,
      origin: podUID === undefined ? 'Static' : 'Pod',
      path: pathOf(resource.spec, address),
      isDraining: phase === 'Draining',
      drainDeadlineMs: phase === 'Draining' && deadline !== undefined ? Date.parse(deadline) : undefined,
      weight,
    })),
  };
}

function pathOf({ addresses, podSelector }: RealServerSpec, address: IpAddress): FieldPath {
  if (addresses === undefined) return ['spec', podSelector === undefined ? 'serviceRef' : 'podSelector'];
  const index = addresses.indexOf(address);
  return index < 0 ? ['spec', 'addresses'] : ['spec', 'addresses', index];
}
