import type { AttributeReader } from '../netlink/pure.ts';
import type { TrafficStats } from './types.ts';
import {
  IPVS_STATS_ATTR_CONNS,
  IPVS_STATS_ATTR_CPS,
  IPVS_STATS_ATTR_INBPS,
  IPVS_STATS_ATTR_INBYTES,
  IPVS_STATS_ATTR_INPKTS,
  IPVS_STATS_ATTR_INPPS,
  IPVS_STATS_ATTR_OUTBPS,
  IPVS_STATS_ATTR_OUTBYTES,
  IPVS_STATS_ATTR_OUTPKTS,
  IPVS_STATS_ATTR_OUTPPS,
} from './uapi.ts';

type Counter = keyof TrafficStats;

/** Attribute number to field and the kernel's name, for both the 32-bit and the 64-bit form. */
const counters: Readonly<Record<number, readonly [Counter, string]>> = {
  [IPVS_STATS_ATTR_CONNS]: ['connections', 'IPVS_STATS_ATTR_CONNS'],
  [IPVS_STATS_ATTR_INPKTS]: ['packetsIn', 'IPVS_STATS_ATTR_INPKTS'],
  [IPVS_STATS_ATTR_OUTPKTS]: ['packetsOut', 'IPVS_STATS_ATTR_OUTPKTS'],
  [IPVS_STATS_ATTR_INBYTES]: ['bytesIn', 'IPVS_STATS_ATTR_INBYTES'],
  [IPVS_STATS_ATTR_OUTBYTES]: ['bytesOut', 'IPVS_STATS_ATTR_OUTBYTES'],
  [IPVS_STATS_ATTR_CPS]: ['connectionsPerSecond', 'IPVS_STATS_ATTR_CPS'],
  [IPVS_STATS_ATTR_INPPS]: ['packetsInPerSecond', 'IPVS_STATS_ATTR_INPPS'],
  [IPVS_STATS_ATTR_OUTPPS]: ['packetsOutPerSecond', 'IPVS_STATS_ATTR_OUTPPS'],
  [IPVS_STATS_ATTR_INBPS]: ['bytesInPerSecond', 'IPVS_STATS_ATTR_INBPS'],
  [IPVS_STATS_ATTR_OUTBPS]: ['bytesOutPerSecond', 'IPVS_STATS_ATTR_OUTBPS'],
};

/**
 * The payload of IPVS_*_ATTR_STATS64 (every counter 64 bits) or, on kernels before 4.1, IPVS_*_ATTR_STATS (32 bits
 * that wrap, except the byte counters). Counters that are missing read 0.
 * @throws LvsError LVS_NETLINK_MALFORMED
 */
export function decodeStats(attributes: AttributeReader): TrafficStats {
  const stats: Record<Counter, bigint> = {
    connections: 0n,
    packetsIn: 0n,
    packetsOut: 0n,
    bytesIn: 0n,
    bytesOut: 0n,
    connectionsPerSecond: 0n,
    packetsInPerSecond: 0n,
    packetsOutPerSecond: 0n,
    bytesInPerSecond: 0n,
    bytesOutPerSecond: 0n,
  };
  while (attributes.next()) {
    const counter = counters[attributes.type];
    if (counter === undefined) continue;
    const [field, name] = counter;
    stats[field] = attributes.length === 4 ? BigInt(attributes.u32(name)) : attributes.u64(name);
  }
  return stats;
}
