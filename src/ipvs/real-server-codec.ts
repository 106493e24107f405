import { ipFamily } from '../base/index.ts';
import type { IpFamily } from '../base/index.ts';
import type { AttributeReader, MessageWriter } from '../netlink/pure.ts';
import { decodeAddress, encodeAddress, familyFromNumber, familyNumber } from './address-codec.ts';
import { decodeStats } from './stats-codec.ts';
import type {
  KernelForwardingMethod,
  ObservedRealServer,
  RealServerConfig,
  RealServerKey,
  TrafficStats,
  Tunnel,
  TunnelChecksum,
  TunnelType,
} from './types.ts';
import {
  IPVS_CMD_ATTR_DEST,
  IPVS_DEST_ATTR_ACTIVE_CONNS,
  IPVS_DEST_ATTR_ADDR,
  IPVS_DEST_ATTR_ADDR_FAMILY,
  IPVS_DEST_ATTR_FWD_METHOD,
  IPVS_DEST_ATTR_INACT_CONNS,
  IPVS_DEST_ATTR_L_THRESH,
  IPVS_DEST_ATTR_PERSIST_CONNS,
  IPVS_DEST_ATTR_PORT,
  IPVS_DEST_ATTR_STATS,
  IPVS_DEST_ATTR_STATS64,
  IPVS_DEST_ATTR_TUN_FLAGS,
  IPVS_DEST_ATTR_TUN_PORT,
  IPVS_DEST_ATTR_TUN_TYPE,
  IPVS_DEST_ATTR_U_THRESH,
  IPVS_DEST_ATTR_WEIGHT,
  IP_VS_CONN_F_BYPASS,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_LOCALNODE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_CONN_F_TUNNEL_TYPE_GRE,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_CONN_F_TUNNEL_TYPE_IPIP,
  IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM,
  IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
} from './uapi.ts';

const methodNumbers: Readonly<Record<KernelForwardingMethod, number>> = {
  NAT: IP_VS_CONN_F_MASQ,
  LOCAL: IP_VS_CONN_F_LOCALNODE,
  TUN: IP_VS_CONN_F_TUNNEL,
  DR: IP_VS_CONN_F_DROUTE,
  BYPASS: IP_VS_CONN_F_BYPASS,
};

/** By number. 5 to 7 have no meaning, yet the kernel stores them; they read as BYPASS, which nobody desires. */
const methods: readonly KernelForwardingMethod[] = [
  'NAT',
  'LOCAL',
  'TUN',
  'DR',
  'BYPASS',
  'BYPASS',
  'BYPASS',
  'BYPASS',
];

const tunnelTypeNumbers: Readonly<Record<TunnelType, number>> = {
  IPIP: IP_VS_CONN_F_TUNNEL_TYPE_IPIP,
  GUE: IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  GRE: IP_VS_CONN_F_TUNNEL_TYPE_GRE,
};
const tunnelTypes: readonly TunnelType[] = ['IPIP', 'GUE', 'GRE'];

const checksumNumbers: Readonly<Record<TunnelChecksum, number>> = {
  None: IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM,
  Checksum: IP_VS_TUNNEL_ENCAP_FLAG_CSUM,
  RemoteChecksum: IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM,
};
const checksums: readonly TunnelChecksum[] = ['None', 'Checksum', 'RemoteChecksum'];

/** IPVS_CMD_ATTR_DEST with the key alone, for DEL. */
export function encodeRealServerKey(writer: MessageWriter, key: RealServerKey): void {
  const start = writer.beginNested(IPVS_CMD_ATTR_DEST);
  encodeKeyAttributes(writer, key);
  writer.endNested(start);
}

/**
 * IPVS_CMD_ATTR_DEST whole, for NEW and SET. SET replaces everything: a tunnel that is left out would silently turn
 * into IPIP, so its attributes go with every TUN.
 */
export function encodeRealServer(writer: MessageWriter, key: RealServerKey, config: RealServerConfig): void {
  const start = writer.beginNested(IPVS_CMD_ATTR_DEST);
  encodeKeyAttributes(writer, key);
  writer.attributeU32(IPVS_DEST_ATTR_FWD_METHOD, methodNumbers[config.forwarding]);
  writer.attributeI32(IPVS_DEST_ATTR_WEIGHT, config.weight);
  writer.attributeU32(IPVS_DEST_ATTR_U_THRESH, config.upperThreshold);
  writer.attributeU32(IPVS_DEST_ATTR_L_THRESH, config.lowerThreshold);
  if (config.tunnel !== undefined) {
    writer.attributeU8(IPVS_DEST_ATTR_TUN_TYPE, tunnelTypeNumbers[config.tunnel.type]);
    writer.attributeU16be(IPVS_DEST_ATTR_TUN_PORT, config.tunnel.port);
    writer.attributeU16(IPVS_DEST_ATTR_TUN_FLAGS, checksumNumbers[config.tunnel.checksum]);
  }
  writer.endNested(start);
}

/**
 * @param attributes the payload of IPVS_CMD_ATTR_DEST
 * @param serviceFamily the family of the real server where the kernel does not say it (before 3.18)
 * @throws LvsError LVS_NETLINK_MALFORMED when the key is incomplete or an attribute has the wrong length
 */
export function decodeRealServer(
  attributes: AttributeReader,
  serviceFamily: IpFamily,
  wantStats: boolean,
): ObservedRealServer {
  let family = serviceFamily;
  let addressBytes: Uint8Array | undefined;
  let port: number | undefined;
  let method = 0;
  let weight = 0;
  let upperThreshold = 0;
  let lowerThreshold = 0;
  let active = 0;
  let inactive = 0;
  let persistent = 0;
  let tunnelType = 0;
  let tunnelPort = 0;
  let tunnelFlags = 0;
  let stats: TrafficStats | undefined;
  let isStats64 = false;
  while (attributes.next()) {
    switch (attributes.type) {
      case IPVS_DEST_ATTR_ADDR:
        // The family comes later in the message (ip_vs_genl_fill_dest), so the bytes wait for it.
        addressBytes = attributes.bytes('IPVS_DEST_ATTR_ADDR', 16);
        break;
      case IPVS_DEST_ATTR_PORT:
        port = attributes.u16be('IPVS_DEST_ATTR_PORT');
        break;
      case IPVS_DEST_ATTR_FWD_METHOD:
        method = attributes.u32('IPVS_DEST_ATTR_FWD_METHOD') & IP_VS_CONN_F_FWD_MASK;
        break;
      case IPVS_DEST_ATTR_WEIGHT:
        weight = attributes.i32('IPVS_DEST_ATTR_WEIGHT');
        break;
      case IPVS_DEST_ATTR_U_THRESH:
        upperThreshold = attributes.u32('IPVS_DEST_ATTR_U_THRESH');
        break;
      case IPVS_DEST_ATTR_L_THRESH:
        lowerThreshold = attributes.u32('IPVS_DEST_ATTR_L_THRESH');
        break;
      case IPVS_DEST_ATTR_ACTIVE_CONNS:
        active = attributes.u32('IPVS_DEST_ATTR_ACTIVE_CONNS');
        break;
      case IPVS_DEST_ATTR_INACT_CONNS:
        inactive = attributes.u32('IPVS_DEST_ATTR_INACT_CONNS');
        break;
      case IPVS_DEST_ATTR_PERSIST_CONNS:
        persistent = attributes.u32('IPVS_DEST_ATTR_PERSIST_CONNS');
        break;
      case IPVS_DEST_ATTR_ADDR_FAMILY: {
        const value = attributes.u16('IPVS_DEST_ATTR_ADDR_FAMILY');
        if (value !== 0) {
          const known = familyFromNumber(value);
          if (known === undefined) throw attributes.malformed('IPVS_DEST_ATTR_ADDR_FAMILY', `is ${value}`);
          family = known;
        }
        break;
      }
      case IPVS_DEST_ATTR_STATS:
        if (wantStats && !isStats64) stats = decodeStats(attributes.nested('IPVS_DEST_ATTR_STATS'));
        break;
      case IPVS_DEST_ATTR_STATS64:
        isStats64 = true;
        if (wantStats) stats = decodeStats(attributes.nested('IPVS_DEST_ATTR_STATS64'));
        break;
      case IPVS_DEST_ATTR_TUN_TYPE:
        tunnelType = attributes.u8('IPVS_DEST_ATTR_TUN_TYPE');
        break;
      case IPVS_DEST_ATTR_TUN_PORT:
        tunnelPort = attributes.u16be('IPVS_DEST_ATTR_TUN_PORT');
        break;
      case IPVS_DEST_ATTR_TUN_FLAGS:
        tunnelFlags = attributes.u16('IPVS_DEST_ATTR_TUN_FLAGS');
        break;
      default:
        break;
    }
  }
  if (addressBytes === undefined || port === undefined)
    throw attributes.malformed('a real server', 'has no address or port');
  const forwarding = methods[method] ?? 'BYPASS';
  return {
    key: { rip: decodeAddress(addressBytes, family), port },
    config: {
      forwarding,
      tunnel: forwarding === 'TUN' ? decodeTunnel(tunnelType, tunnelPort, tunnelFlags) : undefined,
      weight,
      upperThreshold,
      lowerThreshold,
    },
    connections: { active, inactive, persistent },
    stats,
  };
}

function encodeKeyAttributes(writer: MessageWriter, key: RealServerKey): void {
  encodeAddress(writer, IPVS_DEST_ATTR_ADDR, key.rip);
  writer.attributeU16be(IPVS_DEST_ATTR_PORT, key.port);
  writer.attributeU16(IPVS_DEST_ATTR_ADDR_FAMILY, familyNumber(ipFamily(key.rip)));
}

/**
 * Undefined for a type or a pair of flags that we do not know (the kernel stores any): such a server differs from
 * every desired one and is set right. The port means something to GUE alone.
 */
function decodeTunnel(typeNumber: number, port: number, flags: number): Tunnel | undefined {
  const type = tunnelTypes[typeNumber];
  const checksum = checksums[flags];
  if (type === undefined || checksum === undefined) return undefined;
  return { type, port: type === 'GUE' ? port : 0, checksum };
}
