/**
 * base: words that every room shares and that know nothing of LVS, Kubernetes or the kernel.
 *
 * Owns IP addresses, the error registry, assertions, and the interfaces for time and logging. Promises purity: no
 * timers, no sockets, no process. Refuses to grow a drawer for odds and ends: what belongs to a domain goes there.
 */
export { assert, unreachable } from './assert.ts';
export type { Clock, Timers } from './clock.ts';
export { LvsError, errorCodes, formatErrorForPeople, isLvsError } from './errors.ts';
export type { ErrorCode, LvsErrorOptions } from './errors.ts';
export {
  compareIpAddresses,
  formatCidr,
  ipBits,
  ipFamily,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  isInCidr,
  isInIpRange,
  maskAddress,
  parseCidr,
  parseIpAddress,
  parseIpRange,
  tryParseIpAddress,
} from './ip-address.ts';
export type { Cidr, IpAddress, IpFamily, IpRange } from './ip-address.ts';
export type { LogKeys, Logger } from './logger.ts';
