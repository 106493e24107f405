import { LvsError } from '../base/index.ts';
import { errno, formatErrno } from './errno.ts';
import type { Libc } from './libc.ts';
import { isLittleEndianHost } from './message-writer.ts';
import {
  AF_NETLINK,
  CLONE_NEWNET,
  MSG_DONTWAIT,
  MSG_TRUNC,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
} from './uapi.ts';

/**
 * Every receive uses a buffer of this size. The kernel sizes dump chunks (at most 32 KiB) by the largest buffer that
 * the socket ever received with and cuts them silently when a later one is smaller (af_netlink.c, netlink_recvmsg).
 */
export const receiveBufferBytes = 64 * 1024;

/** Queue sizes that we ask for: thousands of unread answers, and batches far beyond ours. */
const wantedReceiveQueueBytes = 4 * 1024 * 1024;
const wantedSendQueueBytes = 1024 * 1024;

export interface NetlinkSocketOptions {
  readonly libc: Libc;
  /** NETLINK_ROUTE or NETLINK_GENERIC. */
  readonly protocol: number;
  /** Path of a network namespace (`/run/netns/X`); the socket stays in it. @default the one of this process */
  readonly netns?: string;
  /** rtnetlink: let GET requests filter by their header and refuse what the kernel does not understand. */
  readonly isStrict?: boolean;
}

/** A bound netlink socket: errno made into errors, nothing else. Never blocks. */
export class NetlinkSocket {
  readonly #libc: Libc;
  #fd: number;

  private constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** @throws LvsError LVS_NETLINK_SOCKET */
  static open(options: NetlinkSocketOptions): NetlinkSocket {
    const { libc } = options;
    const fd = inNetns(libc, options.netns, () =>
      check(libc, 'socket', libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, options.protocol)),
    );
    const socket = new NetlinkSocket(libc, fd);
    try {
      // struct sockaddr_nl with port id 0: the kernel chooses one.
      const address = new Uint8Array(12);
      new DataView(address.buffer).setUint16(0, AF_NETLINK, isLittleEndianHost);
      check(libc, 'bind', libc.bind(fd, address, address.length));
      socket.#setQueue(SO_RCVBUFFORCE, SO_RCVBUF, wantedReceiveQueueBytes);
      socket.#setQueue(SO_SNDBUFFORCE, SO_SNDBUF, wantedSendQueueBytes);
      // Both only save bytes or add text; kernels that lack them still serve.
      socket.#setOption(SOL_NETLINK, NETLINK_CAP_ACK, 1);
      socket.#setOption(SOL_NETLINK, NETLINK_EXT_ACK, 1);
      if (options.isStrict === true) socket.#setOption(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** @throws LvsError LVS_NETLINK_SOCKET, for a batch larger than the send queue too (EMSGSIZE) */
  send(bytes: Uint8Array, length: number): void {
    check(this.#libc, 'send', this.#libc.send(this.#fd, bytes, length, 0));
  }

  /**
   * One datagram into `buffer`, or the reason why there is none.
   * @returns its length; 'empty' when the queue is; 'overrun' once after answers were lost (ENOBUFS)
   * @throws LvsError LVS_NETLINK_TRUNCATED when the datagram did not fit, LVS_NETLINK_SOCKET
   */
  receive(buffer: Uint8Array): number | 'empty' | 'overrun' {
    for (;;) {
      const length = this.#libc.recv(this.#fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC);
      if (length > buffer.length) {
        throw new LvsError(
          'LVS_NETLINK_TRUNCATED',
          `A netlink datagram of ${length} bytes did not fit a buffer of ${buffer.length}.`,
        );
      }
      if (length >= 0) return length;
      const value = this.#libc.errno();
      if (value === errno.EAGAIN) return 'empty';
      if (value === errno.ENOBUFS) return 'overrun';
      if (value !== errno.EINTR) throw socketError('recv', value);
    }
  }

  /** Joins a multicast group (its number, not a bit). @throws LvsError LVS_NETLINK_SOCKET */
  join(group: number): void {
    if (!this.#setOption(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) {
      throw socketError('setsockopt NETLINK_ADD_MEMBERSHIP', this.#libc.errno());
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#fd < 0) return;
    this.#libc.close(this.#fd);
    this.#fd = -1;
  }

  /** The forced form beats net.core.*mem_max but needs CAP_NET_ADMIN; without it the default queue must do. */
  #setQueue(forced: number, plain: number, bytes: number): void {
    if (!this.#setOption(SOL_SOCKET, forced, bytes)) this.#setOption(SOL_SOCKET, plain, bytes);
  }

  #setOption(level: number, option: number, value: number): boolean {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, isLittleEndianHost);
    return this.#libc.setsockopt(this.#fd, level, option, bytes, bytes.length) === 0;
  }
}

/**
 * Runs `body` with the calling thread inside the network namespace at `path`. `body` must not await: the thread would
 * serve other callers from within the wrong namespace.
 * @throws LvsError LVS_NETLINK_SOCKET
 */
export function inNetns<T>(libc: Libc, path: string | undefined, body: () => T): T {
  if (path === undefined) return body();
  const home = check(libc, 'open /proc/thread-self/ns/net', libc.openReadOnly('/proc/thread-self/ns/net'));
  try {
    const target = check(libc, `open ${path}`, libc.openReadOnly(path));
    try {
      check(libc, `setns ${path}`, libc.setns(target, CLONE_NEWNET));
    } finally {
      libc.close(target);
    }
    try {
      return body();
    } finally {
      check(libc, 'setns back home', libc.setns(home, CLONE_NEWNET));
    }
  } finally {
    libc.close(home);
  }
}

function check(libc: Libc, operation: string, result: number): number {
  if (result >= 0) return result;
  throw socketError(operation, libc.errno());
}

function socketError(operation: string, value: number): LvsError {
  return new LvsError('LVS_NETLINK_SOCKET', `A netlink socket failed: ${operation}: ${formatErrno(value)}.`, {
    operation,
    errno: value,
    ...(value === errno.EPERM || value === errno.EACCES
      ? { hint: 'Run as root or with CAP_NET_ADMIN in the initial user namespace.' }
      : {}),
  });
}
