/**
 * Servers and clients on lab hosts, driven from within this process: a socket belongs to the network namespace in which
 * it was made, so traffic needs no process per host (which costs half a second each in the lab) and a client may have any
 * address and port. TCP, UDP and SCTP; SCTP in its one-to-one style behaves as a stream socket to Node.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import { ipToBytes, parseIpAddress } from '../../src/base/index.ts';
import { inNetns, loadLibc } from '../../src/netlink/index.ts';
import type { LabHost } from './host.ts';

export type TransportProtocol = 'TCP' | 'UDP' | 'SCTP';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPPROTO: Readonly<Record<TransportProtocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };
const ENOSYS = 38;

/** What one client got. */
export interface Answer {
  /** Name of the host that answered; undefined when none did. */
  readonly server: string | undefined;
  /** The client's address as the server saw it. */
  readonly seen: string | undefined;
  /** `answered`, an errno name such as `ECONNREFUSED`, or `timeout`. */
  readonly outcome: string;
}

export interface HeldConnection extends Answer {
  readonly socket: net.Socket;
}

export interface AskOptions {
  /** @default TCP */
  readonly protocol?: TransportProtocol;
  /** Address that the client has; it must be local to the host. @default the host's choice */
  readonly from?: string;
  /** @default the host's choice */
  readonly fromPort?: number;
  /** @default 5000 */
  readonly timeoutMs?: number;
}

/** Sockets of one test file; everything that is still open ends with `close`. */
export class LabSockets {
  readonly #libc = loadLibc();
  readonly #closers = new Set<() => void>();

  close(): void {
    for (const close of this.#closers) close();
    this.#closers.clear();
  }

  /**
   * A server that says `NAME sees ADDRESS` to each connection or datagram. TCP connections stay open until the client ends them.
   *
   * @param options.address only this one. A UDP server behind DR or TUN needs it: from a socket on every address the
   *   answer would leave with the host's own one instead of the VIP.
   */
  async serve(
    host: LabHost,
    protocol: TransportProtocol,
    port: number,
    options: { readonly address?: string; readonly onConnection?: (socket: net.Socket) => void } = {},
  ): Promise<void> {
    const address = options.address ?? '::';
    const greeting = (from: string | undefined) =>
      `${host.name} sees ${(from ?? '').replace('::ffff:', '')}\n`;
    const fd = this.#open(host, protocol, address);
    this.#bind(host, fd, address, port);
    if (protocol === 'UDP') {
      const socket = await this.#datagramSocket(fd, address);
      socket.on('message', (_, from) => socket.send(greeting(from.address), from.port, from.address));
      return;
    }
    const sockets = new Set<net.Socket>();
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      if (options.onConnection !== undefined) return options.onConnection(socket);
      socket.write(greeting(socket.remoteAddress));
      socket.on('end', () => socket.end()).resume();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd }, () => resolve());
    });
    this.#closers.add(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  }

  /** One connection or datagram, and who answered. Never rejects. */
  async ask(host: LabHost, vip: string, port: number, options: AskOptions = {}): Promise<Answer> {
    if (options.protocol === 'UDP') return this.#askByDatagram(host, vip, port, options);
    const { socket, ...answer } = await this.hold(host, vip, port, options);
    this.#release(socket);
    return answer;
  }

  /** Several clients at a time. Answers come in the order of the questions. */
  async askMany(
    host: LabHost,
    questions: readonly (AskOptions & { readonly vip: string; readonly port: number })[],
    atOnce = 16,
  ): Promise<readonly Answer[]> {
    const answers: Answer[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      for (let index = next++; index < questions.length; index = next++) {
        const question = questions[index];
        if (question !== undefined)
          answers[index] = await this.ask(host, question.vip, question.port, question);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return answers;
  }

  /** A connection that stays open after the answer. */
  async hold(host: LabHost, vip: string, port: number, options: AskOptions = {}): Promise<HeldConnection> {
    const socket = this.connect(host, vip, port, options);
    const result = await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve('timeout'), options.timeoutMs ?? 5000);
      const settle = (text: string): void => {
        clearTimeout(timer);
        resolve(text);
      };
      socket.once('data', (chunk) => settle(chunk.toString().trim()));
      socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
      socket.once('close', () => settle('closed'));
    });
    return { socket, ...readAnswer(result) };
  }

  /** A connection as raw as it comes; errors are the caller's to listen for. */
  connect(host: LabHost, vip: string, port: number, options: AskOptions = {}): net.Socket {
    const fd = this.#open(host, options.protocol ?? 'TCP', vip);
    if (options.from !== undefined || options.fromPort !== undefined)
      this.#bind(host, fd, options.from ?? anyAddress(vip), options.fromPort ?? 0);
    const socket = new net.Socket({ fd, readable: true, writable: true, manualStart: true } as object);
    const close = (): void => void socket.destroy();
    this.#closers.add(close);
    socket.on('error', () => {}).once('close', () => this.#closers.delete(close));
    socket.connect(port, vip);
    return socket;
  }

  /** A UDP client that keeps its port: every datagram is of the same flow. */
  async openDatagramClient(
    host: LabHost,
    vip: string,
    options: AskOptions = {},
  ): Promise<{ ask(port: number): Promise<Answer>; close(): void }> {
    const fd = this.#open(host, 'UDP', vip);
    this.#bind(host, fd, options.from ?? anyAddress(vip), options.fromPort ?? 0);
    const socket = await this.#datagramSocket(fd, vip);
    const ask = async (port: number): Promise<Answer> => {
      const text = await new Promise<string>((resolve) => {
        const timer = setTimeout(() => resolve('timeout'), options.timeoutMs ?? 5000);
        const settle = (answer: string): void => {
          clearTimeout(timer);
          socket.removeAllListeners('message');
          resolve(answer);
        };
        socket.once('message', (message, from) =>
          // Only what comes from the VIP is an answer; a real server's own address would reach no connected socket.
          settle(from.address === vip ? message.toString().trim() : `from ${from.address}`),
        );
        socket.send('?', port, vip, (error) => {
          if (error !== null) settle((error as NodeJS.ErrnoException).code ?? error.message);
        });
      });
      return readAnswer(text);
    };
    return { ask, close: () => socket.close() };
  }

  async #askByDatagram(host: LabHost, vip: string, port: number, options: AskOptions): Promise<Answer> {
    const client = await this.openDatagramClient(host, vip, options);
    const answer = await client.ask(port);
    client.close();
    return answer;
  }

  /** A half-closed socket would hold its connection in the kernel's table; a reset ends both. */
  #release(socket: net.Socket): void {
    socket.destroy();
  }

  async #datagramSocket(fd: number, address: string): Promise<dgram.Socket> {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ fd }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    const close = (): void => void socket.close();
    this.#closers.add(close);
    socket.on('error', () => {}).once('close', () => this.#closers.delete(close));
    return socket;
  }

  #open(host: LabHost, protocol: TransportProtocol, address: string): number {
    const family = address.includes(':') ? AF_INET6 : AF_INET;
    const type = (protocol === 'UDP' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const fd = inNetns(this.#libc, host.netnsPath, () => this.#libc.socket(family, type, IPPROTO[protocol]));
    if (fd < 0) {
      const errno = this.#libc.errno();
      const hint = errno === ENOSYS ? ' (this kernel has no such protocol)' : '';
      throw new Error(`${protocol} socket on ${host.name}: errno ${errno}${hint}`);
    }
    return fd;
  }

  #bind(host: LabHost, fd: number, address: string, port: number): void {
    this.#set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address === '::') this.#set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    const bytes = encodeSocketAddress(address, port);
    if (this.#libc.bind(fd, bytes, bytes.length) < 0) {
      const errno = this.#libc.errno();
      this.#libc.close(fd);
      throw new Error(`bind to [${address}]:${port} on ${host.name}: errno ${errno}`);
    }
  }

  #set(fd: number, level: number, option: number, value: number): void {
    this.#libc.setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4);
  }
}

function readAnswer(text: string): Answer {
  const match = /^(\S+) sees (\S+)$/.exec(text);
  return match === null
    ? { server: undefined, seen: undefined, outcome: text }
    : { server: match[1], seen: match[2], outcome: 'answered' };
}

function anyAddress(like: string): string {
  return like.includes(':') ? '::' : '0.0.0.0';
}

/** struct sockaddr_in or sockaddr_in6; the lab runs on little-endian machines. */
function encodeSocketAddress(address: string, port: number): Uint8Array {
  const isIpv6 = address.includes(':');
  const ip = address === '0.0.0.0' || address === '::' ? undefined : ipToBytes(parseIpAddress(address));
  const bytes = Buffer.alloc(isIpv6 ? 28 : 16);
  bytes.writeUInt16LE(isIpv6 ? AF_INET6 : AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  if (ip !== undefined) bytes.set(ip, isIpv6 ? 8 : 4);
  return bytes;
}

/** How many answers came from each server; `(none)` for those that were not answered. */
export function countByServer(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { server = '(none)' } of answers) counts[server] = (counts[server] ?? 0) + 1;
  return counts;
}
