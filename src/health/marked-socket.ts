import { ipFamily, ipToBytes } from '../base/index.ts';
import type { IpAddress, IpFamily } from '../base/index.ts';
import { isLittleEndianHost } from '../netlink/index.ts';
import type { Libc } from '../netlink/index.ts';
import type { MarkedRoute } from './question.ts';

// include/linux/socket.h, asm-generic/socket.h, linux/in.h
export const socketConstants = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_MARK: 36,
} as const;

const { AF_INET, AF_INET6, SOCK_STREAM, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC, SOL_SOCKET, SO_MARK } =
  socketConstants;

/**
 * A socket whose packets carry a mark and come from a given address, for Node to adopt: Node itself sets no SO_MARK. The
 * mark leads them into the private service of one real server; the source must be the director's own address, since IPVS
 * would otherwise answer to the virtual one that the probe goes to.
 * @returns a descriptor that the caller owns, or the negated errno
 */
export function openMarkedSocket(
  libc: Libc,
  type: 'stream' | 'datagram',
  { mark, source }: MarkedRoute,
): number {
  const domain = ipFamily(source) === 'IPv4' ? AF_INET : AF_INET6;
  const kind = type === 'stream' ? SOCK_STREAM : SOCK_DGRAM;
  const fd = libc.socket(domain, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -libc.errno();
  const value = new Uint8Array(4);
  new DataView(value.buffer).setUint32(0, mark, isLittleEndianHost);
  const address = encodeSocketAddress(source, 0);
  const isReady =
    libc.setsockopt(fd, SOL_SOCKET, SO_MARK, value, value.length) === 0 &&
    libc.bind(fd, address, address.length) === 0;
  if (isReady) return fd;
  const errno = libc.errno();
  libc.close(fd);
  return -errno;
}

/** struct sockaddr_in or sockaddr_in6: the family in host order, the port in network order. */
export function encodeSocketAddress(ip: IpAddress, port: number): Uint8Array {
  const family: IpFamily = ipFamily(ip);
  const bytes = new Uint8Array(family === 'IPv4' ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family === 'IPv4' ? AF_INET : AF_INET6, isLittleEndianHost);
  view.setUint16(2, port, false);
  bytes.set(ipToBytes(ip), family === 'IPv4' ? 4 : 8);
  return bytes;
}
