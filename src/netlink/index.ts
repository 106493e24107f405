/**
 * netlink: the way to the kernel.
 *
 * Owns the libc calls (koffi enters here alone, in libc.ts, at the first use), sockets, the one-at-a-time transaction
 * (`request`, `dump`, `batch`), multicast monitors and generic netlink family lookup, and re-exports the pure codec.
 * Promises that nothing blocks, that a dump is whole or an error, that every errno becomes an LvsError with the
 * kernel's name of the operation, and that a failed transaction leaves nothing behind. Refuses to know any family.
 */
export { NetlinkConnection, defaultBatchSize } from './connection.ts';
export type {
  BatchOutcome,
  NetlinkConnectionOptions,
  NetlinkCounters,
  NetlinkRequest,
} from './connection.ts';
export { resolveGenericFamily } from './family.ts';
export { loadLibc } from './libc.ts';
export type { Libc } from './libc.ts';
export { NetlinkMonitor } from './monitor.ts';
export type { NetlinkMonitorOptions } from './monitor.ts';
export { inNetns } from './socket.ts';
export type { NetlinkSocketOptions } from './socket.ts';
export {
  AttributeReader,
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  CTRL_CMD_GETFAMILY,
  CTRL_CMD_NEWFAMILY,
  GENL_HDRLEN,
  GENL_ID_CTRL,
  MessageReader,
  MessageWriter,
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
  encodeGenericHeader,
  errno,
  formatErrno,
  formatMessage,
  genericCommand,
  isLittleEndianHost,
  kernelRefusal,
  netlinkAlign,
} from './pure.ts';
export type { AttributeNames, KernelRefusal, NetlinkDebug, NetlinkNames } from './pure.ts';
