/**
 * netlink, the pure half: the bytes of the protocol, without a socket.
 *
 * Owns numbers of the netlink headers, the writer that builds messages in one reused buffer, the readers that walk
 * messages and attributes with bounds checked, and errno names. Promises that encoding allocates nothing, that
 * malformed bytes become an LvsError and nothing else, and that unknown attributes are skipped. Refuses to know any
 * family: what a link, an address or an IPVS service looks like belongs to the rooms above.
 */
export { AttributeReader } from './attribute-reader.ts';
export { formatMessage } from './debug.ts';
export type { AttributeNames, NetlinkDebug, NetlinkNames } from './debug.ts';
export { errno, formatErrno, kernelRefusal } from './errno.ts';
export type { KernelRefusal } from './errno.ts';
export { encodeGenericHeader, genericCommand } from './generic.ts';
export { MessageReader } from './message-reader.ts';
export { MessageWriter, isLittleEndianHost } from './message-writer.ts';
export {
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  CTRL_CMD_GETFAMILY,
  CTRL_CMD_NEWFAMILY,
  GENL_HDRLEN,
  GENL_ID_CTRL,
  NETLINK_GENERIC,
  NETLINK_ROUTE,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
  NLMSG_MIN_TYPE,
  NLMSG_NOOP,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_APPEND,
  NLM_F_CAPPED,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_DUMP_FILTERED,
  NLM_F_DUMP_INTR,
  NLM_F_EXCL,
  NLM_F_MULTI,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  netlinkAlign,
} from './uapi.ts';
