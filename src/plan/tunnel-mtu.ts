import type { IpAddress, IpFamily } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import type { Tunnel } from '../ipvs/pure.ts';
import { findUplink } from '../link/pure.ts';
import type { Uplink } from './types.ts';

/** Ethernet, for real servers behind a router when no uplink is known at all. */
const defaultMtu = 1500;

/** Bytes that a tunnel adds to every packet: outer IP header and the wrapping (ip_vs_xmit.c, ip_vs_tunnel_xmit). */
export function tunnelOverhead(outer: IpFamily, { type, checksum }: Tunnel): number {
  const ipHeader = outer === 'IPv4' ? 20 : 40;
  switch (type) {
    case 'IPIP':
      return ipHeader;
    case 'GUE':
      // UDP 8, GUE 4; a remote checksum is a private field of 4 + 4 (GUE_LEN_PRIV, GUE_PLEN_REMCSUM).
      return ipHeader + 12 + (checksum === 'RemoteChecksum' ? 8 : 0);
    case 'GRE':
      return ipHeader + 4 + (checksum === 'Checksum' ? 4 : 0);
  }
}

/** MTU of the way to a real server: of the uplink that is on its wire, else of the narrowest one. */
export function mtuTowards(rip: IpAddress, uplinks: readonly Uplink[]): number {
  const direct = findUplink(rip, uplinks);
  if (direct !== undefined) return direct.mtu;
  return uplinks.length === 0 ? defaultMtu : Math.min(...uplinks.map(({ mtu }) => mtu));
}

/** The largest inner packet in bytes that fits the tunnel to a real server without being refused or cut up. */
export function tunnelMtu(rip: IpAddress, tunnel: Tunnel, uplinks: readonly Uplink[]): number {
  return mtuTowards(rip, uplinks) - tunnelOverhead(ipFamily(rip), tunnel);
}

/** TCP payload of an inner packet of that size: headers without options. */
export function segmentSize(innerMtu: number, inner: IpFamily): number {
  return innerMtu - (inner === 'IPv4' ? 40 : 60);
}
