import {
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  CTRL_CMD_GETFAMILY,
  CTRL_CMD_NEWFAMILY,
  GENL_HDRLEN,
  GENL_ID_CTRL,
  genericCommand,
} from '../netlink/pure.ts';
import type { AttributeNames, MessageReader, NetlinkNames } from '../netlink/pure.ts';
import { IPVS_CMD_SET_INFO } from './uapi.ts';

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
  1: { name: 'AF', as: 'u16' },
  2: { name: 'PROTOCOL', as: 'u16' },
  3: { name: 'ADDR', as: 'ip' },
  4: { name: 'PORT', as: 'u16be' },
  5: { name: 'FWMARK', as: 'u32' },
  6: { name: 'SCHED_NAME', as: 'text' },
  7: { name: 'FLAGS' },
  8: { name: 'TIMEOUT', as: 'u32' },
  9: { name: 'NETMASK' },
  10: { name: 'STATS' },
  11: { name: 'PE_NAME', as: 'text' },
  12: { name: 'STATS64' },
};

const dest: AttributeNames = {
  1: { name: 'ADDR', as: 'ip' },
  2: { name: 'PORT', as: 'u16be' },
  3: { name: 'FWD_METHOD', as: 'u32' },
  4: { name: 'WEIGHT', as: 'u32' },
  5: { name: 'U_THRESH', as: 'u32' },
  6: { name: 'L_THRESH', as: 'u32' },
  7: { name: 'ACTIVE_CONNS', as: 'u32' },
  8: { name: 'INACT_CONNS', as: 'u32' },
  9: { name: 'PERSIST_CONNS', as: 'u32' },
  10: { name: 'STATS' },
  11: { name: 'ADDR_FAMILY', as: 'u16' },
  12: { name: 'STATS64' },
  13: { name: 'TUN_TYPE', as: 'u8' },
  14: { name: 'TUN_PORT', as: 'u16be' },
  15: { name: 'TUN_FLAGS', as: 'u16' },
};

const daemon: AttributeNames = {
  1: { name: 'STATE', as: 'u32' },
  2: { name: 'MCAST_IFN', as: 'text' },
  3: { name: 'SYNC_ID', as: 'u32' },
  4: { name: 'SYNC_MAXLEN', as: 'u16' },
  5: { name: 'MCAST_GROUP', as: 'ip' },
  6: { name: 'MCAST_GROUP6', as: 'ip' },
  7: { name: 'MCAST_PORT', as: 'u16' },
  8: { name: 'MCAST_TTL', as: 'u8' },
};

const command: AttributeNames = {
  1: { name: 'SERVICE', nested: service },
  2: { name: 'DEST', nested: dest },
  3: { name: 'DAEMON', nested: daemon },
  4: { name: 'TIMEOUT_TCP', as: 'u32' },
  5: { name: 'TIMEOUT_TCP_FIN', as: 'u32' },
  6: { name: 'TIMEOUT_UDP', as: 'u32' },
};

/** The answer to GET_INFO counts its attributes anew. */
const info: AttributeNames = { 1: { name: 'VERSION' }, 2: { name: 'CONN_TAB_SIZE', as: 'u32' } };

const controller: AttributeNames = {
  [CTRL_ATTR_FAMILY_ID]: { name: 'FAMILY_ID', as: 'u16' },
  [CTRL_ATTR_FAMILY_NAME]: { name: 'FAMILY_NAME', as: 'text' },
};

/** Names for NETLINK_DEBUG, as in include/uapi/linux/ip_vs.h without their common prefixes. */
export const ipvsNames: NetlinkNames = {
  messageName(message: MessageReader): string | undefined {
    if (message.type === GENL_ID_CTRL) return controllerCommands[genericCommand(message)];
    return commands[genericCommand(message)];
  },
  headerLength: () => GENL_HDRLEN,
  attributes(message: MessageReader): AttributeNames {
    if (message.type === GENL_ID_CTRL) return controller;
    return genericCommand(message) === IPVS_CMD_SET_INFO ? info : command;
  },
};

const controllerCommands: Readonly<Record<number, string>> = {
  [CTRL_CMD_NEWFAMILY]: 'CTRL_CMD_NEWFAMILY',
  [CTRL_CMD_GETFAMILY]: 'CTRL_CMD_GETFAMILY',
};
