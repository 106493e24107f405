import { LvsError } from '../base/index.ts';
import type { IpvsCommand, IpvsFamily } from './family.ts';
import { decodeRealServer } from './real-server-codec.ts';
import { formatRealServerKey, formatVirtualServiceKey } from './types.ts';
import type { IpvsTable, ObservedRealServer, ObservedVirtualService, VirtualServiceKey } from './types.ts';
import {
  IPVS_CMD_ATTR_DEST,
  IPVS_CMD_ATTR_SERVICE,
  IPVS_CMD_GET_DEST,
  IPVS_CMD_GET_SERVICE,
} from './uapi.ts';
import {
  decodeVirtualService,
  encodeVirtualServiceKey,
  virtualServiceFamily,
} from './virtual-service-codec.ts';
import type { DecodedVirtualService } from './virtual-service-codec.ts';

/**
 * A dump that fits one datagram (some 80 records of 400 bytes) was made under one lock. A longer one is resumed by
 * ordinal number with the lock released in between, and the kernel never says that it was disturbed: an entry added
 * meanwhile doubles another, one deleted hides another, and a service deleted meanwhile ends its dump early and without
 * an error (ip_vs_ctl.c, ip_vs_genl_dump_dests). A count of records would not tell the two apart: short of memory, the
 * kernel falls back to datagrams of one page (af_netlink.c, netlink_dump).
 */
const attemptsMax = 6;

type RealServers = ReadonlyMap<string, ObservedRealServer>;

/**
 * One complete look at the whole table. The list of services is read before and after their real servers until both
 * agree, so that nothing that came or went meanwhile is half told.
 * @throws LvsError LVS_NETLINK_INTERRUPTED when other programs change the table faster than it can be read
 */
export function observeTable(family: IpvsFamily, wantStats: boolean): IpvsTable {
  let services = dumpVirtualServices(family, wantStats);
  const realServers = new Map<string, RealServers>();
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    for (const [key, service] of services) {
      if (!realServers.has(key)) realServers.set(key, observeRealServers(family, service.key, wantStats));
    }
    const again = dumpVirtualServices(family, wantStats);
    if (hasSameKeys(services, again)) return join(again, realServers);
    // What vanished may come back as another service of the same name: forget it.
    for (const key of services.keys()) if (!again.has(key)) realServers.delete(key);
    services = again;
  }
  throw interrupted('the list of virtual services');
}

/**
 * The real servers of one service, by `formatRealServerKey`. A service that does not exist has none: the kernel
 * answers both alike.
 * @throws LvsError LVS_NETLINK_INTERRUPTED when other programs change the service faster than it can be read
 */
export function observeRealServers(
  family: IpvsFamily,
  service: VirtualServiceKey,
  wantStats: boolean,
): RealServers {
  let dump = dumpRealServers(family, service, wantStats);
  if (dump.isAtomic) return dump.realServers;
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const again = dumpRealServers(family, service, wantStats);
    if (again.isAtomic || hasSameKeys(dump.realServers, again.realServers)) return again.realServers;
    dump = again;
  }
  throw interrupted(`the real servers of ${formatVirtualServiceKey(service)}`);
}

export function dumpVirtualServices(
  family: IpvsFamily,
  wantStats: boolean,
): Map<string, DecodedVirtualService> {
  const services = family.dump(
    { command: IPVS_CMD_GET_SERVICE, operation: 'IPVS_CMD_GET_SERVICE' },
    (attributes) => {
      while (attributes.next()) {
        if (attributes.type === IPVS_CMD_ATTR_SERVICE)
          return decodeVirtualService(attributes.nested('IPVS_CMD_ATTR_SERVICE'), wantStats);
      }
      return undefined;
    },
  );
  return new Map(services.map((service) => [formatVirtualServiceKey(service.key), service]));
}

interface RealServerDump {
  readonly realServers: Map<string, ObservedRealServer>;
  /** All of one moment. */
  readonly isAtomic: boolean;
}

function dumpRealServers(family: IpvsFamily, service: VirtualServiceKey, wantStats: boolean): RealServerDump {
  const serviceFamily = virtualServiceFamily(service);
  const command: IpvsCommand = {
    command: IPVS_CMD_GET_DEST,
    operation: 'IPVS_CMD_GET_DEST',
    encode: (writer) => encodeVirtualServiceKey(writer, service),
  };
  const datagrams = new Set<number>();
  const found = family.dump(command, (attributes, datagram) => {
    while (attributes.next()) {
      if (attributes.type !== IPVS_CMD_ATTR_DEST) continue;
      datagrams.add(datagram);
      return decodeRealServer(attributes.nested('IPVS_CMD_ATTR_DEST'), serviceFamily, wantStats);
    }
    return undefined;
  });
  return {
    realServers: new Map(found.map((realServer) => [formatRealServerKey(realServer.key), realServer])),
    isAtomic: datagrams.size <= 1,
  };
}

function join(
  services: ReadonlyMap<string, DecodedVirtualService>,
  realServers: ReadonlyMap<string, RealServers>,
): IpvsTable {
  const table = new Map<string, ObservedVirtualService>();
  for (const [key, service] of services) {
    table.set(key, {
      ...service,
      realServers: realServers.get(key) ?? new Map<string, ObservedRealServer>(),
    });
  }
  return table;
}

function hasSameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

function interrupted(what: string): LvsError {
  return new LvsError('LVS_NETLINK_INTERRUPTED', `Another program keeps changing ${what} while it is read.`, {
    operation: 'IPVS_CMD_GET_DEST',
    hint: 'Find the other program that programs IPVS on this host (kube-proxy, keepalived, ipvsadm in a loop).',
  });
}
