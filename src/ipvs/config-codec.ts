import type { AttributeReader, MessageWriter } from '../netlink/pure.ts';
import type { IpvsInfo, IpvsTimeouts } from './types.ts';
import {
  IPVS_CMD_ATTR_TIMEOUT_TCP,
  IPVS_CMD_ATTR_TIMEOUT_TCP_FIN,
  IPVS_CMD_ATTR_TIMEOUT_UDP,
  IPVS_INFO_ATTR_CONN_TAB_SIZE,
  IPVS_INFO_ATTR_VERSION,
} from './uapi.ts';

/** The attributes of IPVS_CMD_SET_CONFIG. The kernel leaves a timeout of 0, or one that is missing, as it was. */
export function encodeTimeouts(writer: MessageWriter, timeouts: Partial<IpvsTimeouts>): void {
  if (timeouts.tcp !== undefined) writer.attributeU32(IPVS_CMD_ATTR_TIMEOUT_TCP, timeouts.tcp);
  if (timeouts.tcpFin !== undefined) writer.attributeU32(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, timeouts.tcpFin);
  if (timeouts.udp !== undefined) writer.attributeU32(IPVS_CMD_ATTR_TIMEOUT_UDP, timeouts.udp);
}

/** The answer to IPVS_CMD_GET_CONFIG. A kernel without TCP or UDP balancing leaves theirs out; they read 0. */
export function decodeTimeouts(attributes: AttributeReader): IpvsTimeouts {
  let tcp = 0;
  let tcpFin = 0;
  let udp = 0;
  while (attributes.next()) {
    if (attributes.type === IPVS_CMD_ATTR_TIMEOUT_TCP) tcp = attributes.u32('IPVS_CMD_ATTR_TIMEOUT_TCP');
    if (attributes.type === IPVS_CMD_ATTR_TIMEOUT_TCP_FIN)
      tcpFin = attributes.u32('IPVS_CMD_ATTR_TIMEOUT_TCP_FIN');
    if (attributes.type === IPVS_CMD_ATTR_TIMEOUT_UDP) udp = attributes.u32('IPVS_CMD_ATTR_TIMEOUT_UDP');
  }
  return { tcp, tcpFin, udp };
}

/** The answer to IPVS_CMD_GET_INFO. The version is packed as in NVERSION(): one byte each. */
export function decodeInfo(attributes: AttributeReader): IpvsInfo {
  let version = 0;
  let connectionTableSize = 0;
  while (attributes.next()) {
    if (attributes.type === IPVS_INFO_ATTR_VERSION) version = attributes.u32('IPVS_INFO_ATTR_VERSION');
    if (attributes.type === IPVS_INFO_ATTR_CONN_TAB_SIZE) {
      connectionTableSize = attributes.u32('IPVS_INFO_ATTR_CONN_TAB_SIZE');
    }
  }
  return {
    version: `${(version >>> 16) & 0xff}.${(version >>> 8) & 0xff}.${version & 0xff}`,
    connectionTableSize,
  };
}
