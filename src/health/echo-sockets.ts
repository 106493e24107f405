import { ipFamily } from '../base/index.ts';
import type { IpAddress, IpFamily, Timers } from '../base/index.ts';
import { isLittleEndianHost } from '../netlink/index.ts';
import type { Libc } from '../netlink/index.ts';
import { decodeEchoReply, encodeEchoRequest } from './icmp-codec.ts';
import type { EchoId } from './icmp-codec.ts';
import { encodeSocketAddress, socketConstants } from './marked-socket.ts';

// linux/in.h, linux/icmp.h, linux/icmpv6.h
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const ICMPV6_FILTER = 1;
const ICMP_ECHOREPLY = 0;
const ICMPV6_ECHO_REPLY = 129;

/** Node cannot wait for a raw socket, so it is looked at this often while answers are due. */
const pollMs = 10;
/** Packets taken in one look, of those that are due: others on the host may ping too. */
const packetsPerPoll = 512;
const receiveBytes = 256;

/** One raw socket per family, opened at the first ping and shared by all. Needs CAP_NET_RAW. */
export class EchoSockets {
  readonly #libc: () => Libc;
  readonly #timers: Timers;
  readonly #fds = new Map<IpFamily, number>();
  /** Those who wait, by target, id and sequence. */
  readonly #waiting = new Map<string, () => void>();
  readonly #buffer = new Uint8Array(receiveBytes);
  #cancelPoll: (() => void) | undefined;

  constructor(libc: () => Libc, timers: Timers) {
    this.#libc = libc;
    this.#timers = timers;
  }

  /** @returns 0, or the errno of why it could not be sent */
  send(ip: IpAddress, echo: EchoId): number {
    const family = ipFamily(ip);
    const libc = this.#libc();
    const fd = this.#open(family, libc);
    if (fd < 0) return -fd;
    const packet = encodeEchoRequest(family, echo);
    const address = encodeSocketAddress(ip, 0);
    return libc.sendto(fd, packet, packet.length, 0, address, address.length) < 0 ? libc.errno() : 0;
  }

  /** Calls back once when the reply is there. @returns what ends the wait */
  wait(ip: IpAddress, echo: EchoId, onReply: () => void): () => void {
    const key = waitKey(ipFamily(ip), echo, ip);
    this.#waiting.set(key, onReply);
    this.#cancelPoll ??= this.#timers.after(pollMs, () => this.#poll());
    return () => this.#waiting.delete(key);
  }

  close(): void {
    this.#cancelPoll?.();
    this.#waiting.clear();
    for (const fd of this.#fds.values()) this.#libc().close(fd);
    this.#fds.clear();
  }

  #poll(): void {
    this.#cancelPoll = undefined;
    for (const [family, fd] of this.#fds) this.#drain(family, fd);
    if (this.#waiting.size > 0) this.#cancelPoll = this.#timers.after(pollMs, () => this.#poll());
  }

  #drain(family: IpFamily, fd: number): void {
    const libc = this.#libc();
    for (let i = 0; i < packetsPerPoll; i++) {
      const length = libc.recv(fd, this.#buffer, this.#buffer.length, 0);
      if (length < 0) return;
      const packet = this.#buffer.subarray(0, length);
      const echo = decodeEchoReply(family, packet);
      if (echo === undefined) continue;
      const key = waitKey(family, echo, family === 'IPv4' ? packet.subarray(12, 16).join('.') : undefined);
      const onReply = this.#waiting.get(key);
      this.#waiting.delete(key);
      onReply?.();
    }
  }

  #open(family: IpFamily, libc: Libc): number {
    const known = this.#fds.get(family);
    if (known !== undefined) return known;
    const { AF_INET, AF_INET6, SOCK_RAW, SOCK_NONBLOCK, SOCK_CLOEXEC } = socketConstants;
    const isIpv4 = family === 'IPv4';
    const type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const fd = libc.socket(isIpv4 ? AF_INET : AF_INET6, type, isIpv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    if (fd < 0) return -libc.errno();
    // In both filters a bit that is set keeps a type out. Without one, every ICMP packet of the host would queue here.
    const filter = isIpv4 ? filterAllBut(ICMP_ECHOREPLY, 1) : filterAllBut(ICMPV6_ECHO_REPLY, 8);
    const [level, option] = isIpv4 ? [SOL_RAW, ICMP_FILTER] : [IPPROTO_ICMPV6, ICMPV6_FILTER];
    libc.setsockopt(fd, level, option, filter, filter.length);
    this.#fds.set(family, fd);
    return fd;
  }
}

function filterAllBut(type: number, words: number): Uint8Array {
  const filter = new Uint8Array(words * 4).fill(0xff);
  const view = new DataView(filter.buffer);
  const at = (type >> 5) * 4;
  view.setUint32(at, ~(1 << (type & 31)) >>> 0, isLittleEndianHost);
  return filter;
}

/** A raw IPv6 socket does not say who sent; there, 32 bits of chance have to do. */
function waitKey(family: IpFamily, { id, sequence }: EchoId, ip: string | undefined): string {
  return family === 'IPv4' ? `${ip} ${id} ${sequence}` : `IPv6 ${id} ${sequence}`;
}
