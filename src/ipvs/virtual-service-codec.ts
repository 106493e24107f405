import type { IpAddress, IpFamily } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import { isLittleEndianHost } from '../netlink/pure.ts';
import type { AttributeReader, MessageWriter } from '../netlink/pure.ts';
import { decodeAddress, encodeAddress, familyFromNumber, familyNumber } from './address-codec.ts';
import { serviceFlags } from './service-flags.ts';
import { decodeStats } from './stats-codec.ts';
import type { Protocol, TrafficStats, VirtualServiceConfig, VirtualServiceKey } from './types.ts';
import {
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPVS_CMD_ATTR_SERVICE,
  IPVS_SVC_ATTR_ADDR,
  IPVS_SVC_ATTR_AF,
  IPVS_SVC_ATTR_FLAGS,
  IPVS_SVC_ATTR_FWMARK,
  IPVS_SVC_ATTR_NETMASK,
  IPVS_SVC_ATTR_PE_NAME,
  IPVS_SVC_ATTR_PORT,
  IPVS_SVC_ATTR_PROTOCOL,
  IPVS_SVC_ATTR_SCHED_NAME,
  IPVS_SVC_ATTR_STATS,
  IPVS_SVC_ATTR_STATS64,
  IPVS_SVC_ATTR_TIMEOUT,
} from './uapi.ts';

const protocolNumbers: Readonly<Record<Protocol, number>> = {
  TCP: IPPROTO_TCP,
  UDP: IPPROTO_UDP,
  SCTP: IPPROTO_SCTP,
};

/** A service as dumped. Undefined `stats` when they were not asked for. */
export interface DecodedVirtualService {
  readonly key: VirtualServiceKey;
  readonly config: VirtualServiceConfig;
  readonly stats: TrafficStats | undefined;
}

export function virtualServiceFamily(key: VirtualServiceKey): IpFamily {
  return key.kind === 'mark' ? key.family : ipFamily(key.vip);
}

/** IPVS_CMD_ATTR_SERVICE with the key alone, as DEL, GET and the commands on real servers want it. */
export function encodeVirtualServiceKey(writer: MessageWriter, key: VirtualServiceKey): void {
  const start = writer.beginNested(IPVS_CMD_ATTR_SERVICE);
  encodeKeyAttributes(writer, key);
  writer.endNested(start);
}

/** IPVS_CMD_ATTR_SERVICE whole, for NEW and SET: everything that is left out would be EINVAL or reset. */
export function encodeVirtualService(
  writer: MessageWriter,
  key: VirtualServiceKey,
  config: VirtualServiceConfig,
): void {
  const start = writer.beginNested(IPVS_CMD_ATTR_SERVICE);
  encodeKeyAttributes(writer, key);
  writer.attributeString(IPVS_SVC_ATTR_SCHED_NAME, config.scheduler);
  // struct ip_vs_flags {flags, mask}: a full mask makes the value declarative. HASHED is the kernel's own.
  const flags = writer.beginAttribute(IPVS_SVC_ATTR_FLAGS);
  writer.u32(config.flags);
  writer.u32(~serviceFlags.HASHED >>> 0);
  writer.endAttribute(flags);
  writer.attributeU32(IPVS_SVC_ATTR_TIMEOUT, config.persistenceTimeoutSeconds);
  if (virtualServiceFamily(key) === 'IPv4') {
    writer.attributeU32be(IPVS_SVC_ATTR_NETMASK, ipv4Mask(config.persistencePrefixLength));
  } else {
    // For IPv6 the "netmask" is the prefix length itself, in host order (ip_vs_ctl.c, ip_vs_add_service).
    writer.attributeU32(IPVS_SVC_ATTR_NETMASK, config.persistencePrefixLength);
  }
  if (config.persistenceEngine !== undefined) {
    writer.attributeString(IPVS_SVC_ATTR_PE_NAME, config.persistenceEngine);
  }
  writer.endNested(start);
}

/**
 * @param attributes the payload of IPVS_CMD_ATTR_SERVICE
 * @returns undefined for a protocol that IPVS stores but cannot balance (its tools never make one, others can)
 * @throws LvsError LVS_NETLINK_MALFORMED when the key is incomplete or an attribute has the wrong length
 */
export function decodeVirtualService(
  attributes: AttributeReader,
  wantStats: boolean,
): DecodedVirtualService | undefined {
  let family: IpFamily | undefined;
  let protocolNumber: number | undefined;
  let vip: IpAddress | undefined;
  let port: number | undefined;
  let mark: number | undefined;
  let scheduler = '';
  let flags = 0;
  let timeout = 0;
  let prefixLength = 0;
  let engine: string | undefined;
  let stats: TrafficStats | undefined;
  let isStats64 = false;
  while (attributes.next()) {
    switch (attributes.type) {
      case IPVS_SVC_ATTR_AF:
        family = familyFromNumber(attributes.u16('IPVS_SVC_ATTR_AF'));
        break;
      case IPVS_SVC_ATTR_PROTOCOL:
        protocolNumber = attributes.u16('IPVS_SVC_ATTR_PROTOCOL');
        break;
      // The kernel sends AF first (ip_vs_genl_fill_service), and nothing behind it makes sense without it.
      case IPVS_SVC_ATTR_ADDR:
        vip = decodeAddress(attributes.bytes('IPVS_SVC_ATTR_ADDR', 16), requireFamily(attributes, family));
        break;
      case IPVS_SVC_ATTR_PORT:
        port = attributes.u16be('IPVS_SVC_ATTR_PORT');
        break;
      case IPVS_SVC_ATTR_FWMARK:
        mark = attributes.u32('IPVS_SVC_ATTR_FWMARK');
        break;
      case IPVS_SVC_ATTR_SCHED_NAME:
        scheduler = attributes.string('IPVS_SVC_ATTR_SCHED_NAME');
        break;
      case IPVS_SVC_ATTR_FLAGS:
        flags = decodeFlags(attributes);
        break;
      case IPVS_SVC_ATTR_TIMEOUT:
        timeout = attributes.u32('IPVS_SVC_ATTR_TIMEOUT');
        break;
      case IPVS_SVC_ATTR_NETMASK:
        prefixLength =
          requireFamily(attributes, family) === 'IPv4'
            ? Math.clz32(~attributes.u32be('IPVS_SVC_ATTR_NETMASK'))
            : attributes.u32('IPVS_SVC_ATTR_NETMASK');
        break;
      case IPVS_SVC_ATTR_PE_NAME:
        engine = attributes.string('IPVS_SVC_ATTR_PE_NAME');
        break;
      case IPVS_SVC_ATTR_STATS:
        if (wantStats && !isStats64) stats = decodeStats(attributes.nested('IPVS_SVC_ATTR_STATS'));
        break;
      case IPVS_SVC_ATTR_STATS64:
        isStats64 = true;
        if (wantStats) stats = decodeStats(attributes.nested('IPVS_SVC_ATTR_STATS64'));
        break;
      default:
        break;
    }
  }
  const knownFamily = requireFamily(attributes, family);
  const config: VirtualServiceConfig = {
    scheduler,
    flags,
    // The kernel keeps whatever timeout it was given even without PERSISTENT, where it means nothing.
    persistenceTimeoutSeconds: (flags & serviceFlags.PERSISTENT) === 0 ? 0 : timeout,
    persistencePrefixLength: prefixLength,
    persistenceEngine: engine,
  };
  if (mark !== undefined) return { key: { kind: 'mark', family: knownFamily, mark }, config, stats };
  if (vip === undefined || port === undefined || protocolNumber === undefined) {
    throw attributes.malformed('a service', 'has neither a mark nor a whole address');
  }
  const protocol = protocolFromNumber(protocolNumber);
  return protocol === undefined
    ? undefined
    : { key: { kind: 'address', protocol, vip, port }, config, stats };
}

function encodeKeyAttributes(writer: MessageWriter, key: VirtualServiceKey): void {
  writer.attributeU16(IPVS_SVC_ATTR_AF, familyNumber(virtualServiceFamily(key)));
  // Either the mark or the address: with a mark present, even 0, the kernel ignores the address silently.
  if (key.kind === 'mark') {
    writer.attributeU32(IPVS_SVC_ATTR_FWMARK, key.mark);
    return;
  }
  writer.attributeU16(IPVS_SVC_ATTR_PROTOCOL, protocolNumbers[key.protocol]);
  encodeAddress(writer, IPVS_SVC_ATTR_ADDR, key.vip);
  writer.attributeU16be(IPVS_SVC_ATTR_PORT, key.port);
}

function decodeFlags(attributes: AttributeReader): number {
  const bytes = attributes.bytes('IPVS_SVC_ATTR_FLAGS', 8);
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return (value.getUint32(0, isLittleEndianHost) & ~serviceFlags.HASHED) >>> 0;
}

function ipv4Mask(prefixLength: number): number {
  // A shift by 32 is a shift by 0 in JavaScript, so prefix length 0 needs its own answer.
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

function protocolFromNumber(value: number): Protocol | undefined {
  if (value === IPPROTO_TCP) return 'TCP';
  if (value === IPPROTO_UDP) return 'UDP';
  return value === IPPROTO_SCTP ? 'SCTP' : undefined;
}

function requireFamily(attributes: AttributeReader, family: IpFamily | undefined): IpFamily {
  if (family === undefined) throw attributes.malformed('IPVS_SVC_ATTR_AF', 'is missing or unknown');
  return family;
}
