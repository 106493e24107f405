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
 * Up to this many records fit the kernel's dump chunk of 32 KiB (400 bytes each at most), and a chunk is built under
 * one lock. Longer dumps are resumed by ordinal number with the lock released in between, and the kernel never says
 * that they were disturbed: an entry added meanwhile doubles another, one deleted hides another, and a service deleted
 * meanwhile ends its dump early and without an error (ip_vs_ctl.c, ip_vs_genl_dump_dests).
 */
const atomicRecordsMax = 72;
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
  let realServers = dumpRealServers(family, service, wantStats);
  if (realServers.size <= atomicRecordsMax) return realServers;
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const again = dumpRealServers(family, service, wantStats);
    if (hasSameKeys(realServers, again)) return again;
    realServers = again;
  }
  throw interrupted(`the real servers of ${formatVirtualServiceKey(service)}`);
}

function dumpVirtualServices(family: IpvsFamily, wantStats: boolean): Map<string, DecodedVirtualService> {
  const services = new Map<string, DecodedVirtualService>();
  family.dump({ command: IPVS_CMD_GET_SERVICE, operation: 'IPVS_CMD_GET_SERVICE' }, (attributes) => {
    while (attributes.next()) {
      if (attributes.type !== IPVS_CMD_ATTR_SERVICE) continue;
      const service = decodeVirtualService(attributes.nested('IPVS_CMD_ATTR_SERVICE'), wantStats);
      if (service !== undefined) services.set(formatVirtualServiceKey(service.key), service);
    }
    return undefined;
  });
  return services;
}

function dumpRealServers(
  family: IpvsFamily,
  service: VirtualServiceKey,
  wantStats: boolean,
): Map<string, ObservedRealServer> {
  const realServers = new Map<string, ObservedRealServer>();
  const serviceFamily = virtualServiceFamily(service);
  const command: IpvsCommand = {
    command: IPVS_CMD_GET_DEST,
    operation: 'IPVS_CMD_GET_DEST',
    encode: (writer) => encodeVirtualServiceKey(writer, service),
  };
  family.dump(command, (attributes) => {
    while (attributes.next()) {
      if (attributes.type !== IPVS_CMD_ATTR_DEST) continue;
      const realServer = decodeRealServer(attributes.nested('IPVS_CMD_ATTR_DEST'), serviceFamily, wantStats);
      realServers.set(formatRealServerKey(realServer.key), realServer);
    }
    return undefined;
  });
  return realServers;
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
