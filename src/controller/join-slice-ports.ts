import type { RealServerResource, RealServerSliceSpec } from '../api/index.ts';
import type { EndpointPort, EndpointSliceRecord } from '../cluster/index.ts';

export type SlicePort = RealServerSliceSpec['ports'][number];

/** A virtual port as far as ports are joined to it. */
export interface JoinablePort {
  readonly name?: string | undefined;
  readonly protocol: string;
  readonly port: number;
  /** Last of a range. */
  readonly endPort?: number | undefined;
}

/**
 * The ports of the endpoints of an EndpointSlice, named as the virtual ports that they serve. Ports that the RealServer
 * gives win: a person has said them. Else they are joined by name, and the only port to the only virtual port.
 *
 * @param virtualPorts undefined: not known yet, so everything with a name is kept for later.
 * @returns undefined: no port of the slice is one of the VirtualService.
 */
export function joinSlicePorts(
  { spec }: RealServerResource,
  slice: Pick<EndpointSliceRecord, 'ports'>,
  virtualPorts: readonly JoinablePort[] | undefined,
): readonly SlicePort[] | undefined {
  if (spec.ports.length > 0) return spec.ports;
  if (virtualPorts === undefined) {
    return slice.ports.flatMap(({ name, port }) =>
      port === undefined ? [] : [{ ...(name === '' ? {} : { name }), port }],
    );
  }
  const joined = virtualPorts.flatMap((virtual): SlicePort[] => {
    const found = findPort(slice.ports, virtual, virtualPorts.length === 1);
    if (found === undefined) return [];
    const name = virtual.name === undefined ? {} : { name: virtual.name };
    return [{ ...name, port: found.port ?? virtual.port }];
  });
  return joined.length === 0 ? undefined : joined;
}

function findPort(
  ports: readonly EndpointPort[],
  virtual: JoinablePort,
  isOnlyVirtualPort: boolean,
): EndpointPort | undefined {
  const sameProtocol = ports.filter(({ protocol }) => protocol === virtual.protocol);
  const named = sameProtocol.find(({ name }) => name === (virtual.name ?? ''));
  if (named !== undefined) return named;
  return isOnlyVirtualPort && sameProtocol.length === 1 ? sameProtocol[0] : undefined;
}
