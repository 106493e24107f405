import { GENL_HDRLEN, GENL_ID_CTRL, genericCommand } from '../netlink/pure.ts';
import type { AttributeNames, MessageReader, NetlinkNames } from '../netlink/pure.ts';

const commands: Readonly<Record<number, string>> = {
  1: 'IPVS_CMD_NEW_SERVICE',
  2: 'IPVS_CMD_SET_SERVICE',
  3: 'IPVS_CMD_DEL_SERVICE',
  4: 'IPVS_CMD_GET_SERVICE',
  5: 'IPVS_CMD_NEW_DEST',
  6: 'IPVS_CMD_SET_DEST',
  7: 'IPVS_CMD_DEL_DEST',
  8: 'IPVS_CMD_GET_DEST',
  9: 'IPVS_CMD_NEW_DAEMON',
  10: 'IPVS_CMD_DEL_DAEMON',
  11: 'IPVS_CMD_GET_DAEMON',
  12: 'IPVS_CMD_SET_CONFIG',
  13: 'IPVS_CMD_GET_CONFIG',
  14: 'IPVS_CMD_SET_INFO',
  15: 'IPVS_CMD_GET_INFO',
  16: 'IPVS_CMD_ZERO',
};

const service: AttributeNames = {
  1: { name: 'AF' },
  2: { name: 'PROTOCOL' },
  3: { name: 'ADDR' },
  4: { name: 'PORT' },
  5: { name: 'FWMARK' },
  6: { name: 'SCHED_NAME' },
  7: { name: 'FLAGS' },
  8: { name: 'TIMEOUT' },
  9: { name: 'NETMASK' },
  10: { name: 'STATS' },
  11: { name: 'PE_NAME' },
  12: { name: 'STATS64' },
};

const dest: AttributeNames = {
  1: { name: 'ADDR' },
  2: { name: 'PORT' },
  3: { name: 'FWD_METHOD' },
  4: { name: 'WEIGHT' },
  5: { name: 'U_THRESH' },
  6: { name: 'L_THRESH' },
  7: { name: 'ACTIVE_CONNS' },
  8: { name: 'INACT_CONNS' },
  9: { name: 'PERSIST_CONNS' },
  10: { name: 'STATS' },
  11: { name: 'ADDR_FAMILY' },
  12: { name: 'STATS64' },
  13: { name: 'TUN_TYPE' },
  14: { name: 'TUN_PORT' },
  15: { name: 'TUN_FLAGS' },
};

const daemon: AttributeNames = {
  1: { name: 'STATE' },
  2: { name: 'MCAST_IFN' },
  3: { name: 'SYNC_ID' },
  4: { name: 'SYNC_MAXLEN' },
  5: { name: 'MCAST_GROUP' },
  6: { name: 'MCAST_GROUP6' },
  7: { name: 'MCAST_PORT' },
  8: { name: 'MCAST_TTL' },
};

/** Names for NETLINK_DEBUG, as in include/uapi/linux/ip_vs.h without their common prefixes. */
export const ipvsNames: NetlinkNames = {
  messageName(message: MessageReader): string | undefined {
    if (message.type === GENL_ID_CTRL) return 'nlctrl';
    return commands[genericCommand(message)];
  },
  headerLength: () => GENL_HDRLEN,
  attributes: {
    1: { name: 'SERVICE', nested: service },
    2: { name: 'DEST', nested: dest },
    3: { name: 'DAEMON', nested: daemon },
    4: { name: 'TIMEOUT_TCP' },
    5: { name: 'TIMEOUT_TCP_FIN' },
    6: { name: 'TIMEOUT_UDP' },
  },
};
