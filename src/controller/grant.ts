import type {
  AddressPoolResource,
  VirtualServiceStatus,
  VirtualServiceStatusAddress,
  VirtualServiceStatusPort,
} from '../api/index.ts';
import { isInIpRange } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { VirtualServiceSummary } from '../plan/index.ts';

/** The addresses and ports that are accepted for a VirtualService, as its status says them. */
export interface Grant {
  readonly addresses: readonly VirtualServiceStatusAddress[];
  readonly ports: readonly VirtualServiceStatusPort[];
}

/** What a status grants; undefined: nothing. */
export function readGrant({ addresses, ports }: VirtualServiceStatus): Grant | undefined {
  return addresses.length === 0 || ports.length === 0 ? undefined : { addresses, ports };
}

/**
 * What an accepted VirtualService is granted. An address that lies in no pool any more keeps the name of the pool that
 * shrank under it. The very object of the last time where nothing changed.
 *
 * @param now RFC 3339
 */
export function computeGrant(
  { vips, ports }: Pick<VirtualServiceSummary, 'vips' | 'ports'>,
  last: Grant | undefined,
  now: string,
): Grant {
  const next: Grant = {
    addresses: vips.map(({ ip, pool: holding }) => {
      const before = last?.addresses.find((address) => address.ip === ip);
      const pool = holding ?? before?.pool;
      return { ip, ...(pool === undefined ? {} : { pool }), since: before?.since ?? now };
    }),
    ports: ports.map(({ name, protocol, port, endPort }) => ({
      ...(name === undefined ? {} : { name }),
      protocol,
      port,
      ...(endPort === undefined ? {} : { endPort }),
    })),
  };
  return last !== undefined && isSameGrant(last, next) ? last : next;
}

export function poolHolds({ spec }: Pick<AddressPoolResource, 'spec'>, ip: IpAddress): boolean {
  return spec.addresses.some((range) => isInIpRange(ip, range));
}

function isSameGrant(a: Grant, b: Grant): boolean {
  return (
    servesAlike(a, b) &&
    a.addresses.every(
      ({ pool, since }, i) => pool === b.addresses[i]?.pool && since === b.addresses[i]?.since,
    )
  );
}

/** Whether two grants serve alike: who has had an address since when is no concern of a director. */
export function servesAlike(a: Grant, b: Grant): boolean {
  return (
    a === b ||
    (a.addresses.length === b.addresses.length &&
      a.ports.length === b.ports.length &&
      a.addresses.every(({ ip }, i) => ip === b.addresses[i]?.ip) &&
      a.ports.every((port, i) => isSamePort(port, b.ports[i])))
  );
}

function isSamePort(a: VirtualServiceStatusPort, b: VirtualServiceStatusPort | undefined): boolean {
  return a.name === b?.name && a.protocol === b?.protocol && a.port === b.port && a.endPort === b.endPort;
}
