import { ipFamily, ipFromBytes, ipToBytes } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { AttributeReader, MessageWriter } from '../netlink/pure.ts';
import type { SyncDaemon, SyncDaemonState } from './types.ts';
import {
  IPVS_CMD_ATTR_DAEMON,
  IPVS_DAEMON_ATTR_MCAST_GROUP,
  IPVS_DAEMON_ATTR_MCAST_GROUP6,
  IPVS_DAEMON_ATTR_MCAST_IFN,
  IPVS_DAEMON_ATTR_MCAST_PORT,
  IPVS_DAEMON_ATTR_MCAST_TTL,
  IPVS_DAEMON_ATTR_STATE,
  IPVS_DAEMON_ATTR_SYNC_ID,
  IPVS_DAEMON_ATTR_SYNC_MAXLEN,
  IP_VS_STATE_BACKUP,
  IP_VS_STATE_MASTER,
} from './uapi.ts';

const stateNumbers: Readonly<Record<SyncDaemonState, number>> = {
  master: IP_VS_STATE_MASTER,
  backup: IP_VS_STATE_BACKUP,
};

/** IPVS_CMD_ATTR_DAEMON for DEL: the role is the whole key. */
export function encodeSyncDaemonKey(writer: MessageWriter, state: SyncDaemonState): void {
  const start = writer.beginNested(IPVS_CMD_ATTR_DAEMON);
  writer.attributeU32(IPVS_DAEMON_ATTR_STATE, stateNumbers[state]);
  writer.endNested(start);
}

/** IPVS_CMD_ATTR_DAEMON for NEW. What is left out takes the kernel's default (224.0.0.81, 8848, 1, the MTU). */
export function encodeSyncDaemon(writer: MessageWriter, daemon: SyncDaemon): void {
  const start = writer.beginNested(IPVS_CMD_ATTR_DAEMON);
  writer.attributeU32(IPVS_DAEMON_ATTR_STATE, stateNumbers[daemon.state]);
  writer.attributeString(IPVS_DAEMON_ATTR_MCAST_IFN, daemon.interface);
  writer.attributeU32(IPVS_DAEMON_ATTR_SYNC_ID, daemon.syncId);
  if (daemon.maxLength !== undefined) writer.attributeU16(IPVS_DAEMON_ATTR_SYNC_MAXLEN, daemon.maxLength);
  if (daemon.group !== undefined) {
    const type =
      ipFamily(daemon.group) === 'IPv4' ? IPVS_DAEMON_ATTR_MCAST_GROUP : IPVS_DAEMON_ATTR_MCAST_GROUP6;
    writer.attributeBytes(type, ipToBytes(daemon.group));
  }
  // Host order, unlike every other port of this interface (ip_vs_ctl.c, ip_vs_genl_new_daemon).
  if (daemon.port !== undefined) writer.attributeU16(IPVS_DAEMON_ATTR_MCAST_PORT, daemon.port);
  if (daemon.ttl !== undefined) writer.attributeU8(IPVS_DAEMON_ATTR_MCAST_TTL, daemon.ttl);
  writer.endNested(start);
}

/**
 * @param attributes the payload of IPVS_CMD_ATTR_DAEMON
 * @throws LvsError LVS_NETLINK_MALFORMED
 */
export function decodeSyncDaemon(attributes: AttributeReader): SyncDaemon {
  let state: SyncDaemonState | undefined;
  let interfaceName: string | undefined;
  let syncId = 0;
  const optional: { maxLength?: number; group?: IpAddress; port?: number; ttl?: number } = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case IPVS_DAEMON_ATTR_STATE:
        state = stateFromNumber(attributes.u32('IPVS_DAEMON_ATTR_STATE'));
        break;
      case IPVS_DAEMON_ATTR_MCAST_IFN:
        interfaceName = attributes.string('IPVS_DAEMON_ATTR_MCAST_IFN');
        break;
      case IPVS_DAEMON_ATTR_SYNC_ID:
        syncId = attributes.u32('IPVS_DAEMON_ATTR_SYNC_ID');
        break;
      case IPVS_DAEMON_ATTR_SYNC_MAXLEN:
        optional.maxLength = attributes.u16('IPVS_DAEMON_ATTR_SYNC_MAXLEN');
        break;
      case IPVS_DAEMON_ATTR_MCAST_GROUP:
        optional.group = ipFromBytes(attributes.bytes('IPVS_DAEMON_ATTR_MCAST_GROUP', 4));
        break;
      case IPVS_DAEMON_ATTR_MCAST_GROUP6:
        optional.group = ipFromBytes(attributes.bytes('IPVS_DAEMON_ATTR_MCAST_GROUP6', 16));
        break;
      case IPVS_DAEMON_ATTR_MCAST_PORT:
        optional.port = attributes.u16('IPVS_DAEMON_ATTR_MCAST_PORT');
        break;
      case IPVS_DAEMON_ATTR_MCAST_TTL:
        optional.ttl = attributes.u8('IPVS_DAEMON_ATTR_MCAST_TTL');
        break;
      default:
        break;
    }
  }
  if (state === undefined || interfaceName === undefined) {
    throw attributes.malformed('a sync daemon', 'has no known role or no interface');
  }
  return { state, interface: interfaceName, syncId, ...optional };
}

function stateFromNumber(value: number): SyncDaemonState | undefined {
  if (value === IP_VS_STATE_MASTER) return 'master';
  return value === IP_VS_STATE_BACKUP ? 'backup' : undefined;
}
