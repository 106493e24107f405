import net from 'node:net';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { openLink } from '../../src/link/index.ts';
import type { Link } from '../../src/link/index.ts';
import { inNetns, loadLibc } from '../../src/netlink/index.ts';
import type { LabHost } from '../lab/host.ts';

/**
 * Hosts of a lab network driven from within this process: a socket belongs to the namespace in which it was made, so
 * a client on one host and servers on others need no process of their own (which costs a second each in the lab).
 */

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

const libc = loadLibc();

/** Our link room on a host: every call runs in the host's namespace, commands included. Close it. */
export function openLinkOn(host: LabHost): Link {
  const link = inNetns(libc, host.netnsPath, () => openLink());
  return new Proxy(link, {
    get:
      (target, name: keyof Link) =>
      (...args: unknown[]) =>
        inNetns(libc, host.netnsPath, () => (target[name] as (...all: unknown[]) => unknown)(...args)),
  });
}

function openStreamSocket(host: LabHost, family: number): number {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = inNetns(libc, host.netnsPath, () => libc.socket(family, type, 0));
  if (fd < 0) throw new Error(`socket on ${host.name}: errno ${libc.errno()}`);
  return fd;
}

/** Listens on every address of the host, both families. Ends with the test. */
export async function serveOn(
  context: TestContext,
  host: LabHost,
  port: number,
  onConnection: (socket: Socket) => void = (socket) => greet(host, socket),
): Promise<void> {
  const fd = openStreamSocket(host, AF_INET6);
  libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, new Uint8Array(Int32Array.of(1).buffer), 4);
  const address = Buffer.alloc(28);
  address.writeUInt16LE(AF_INET6, 0);
  address.writeUInt16BE(port, 2);
  if (libc.bind(fd, address, address.length) < 0)
    throw new Error(`bind ${port} on ${host.name}: ${libc.errno()}`);
  const sockets = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on('error', () => {}));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

/** Says who answers and whom it sees, then keeps listening until the client is done. */
function greet(host: LabHost, socket: Socket): void {
  socket.write(`${host.name} sees ${(socket.remoteAddress ?? '').replace('::ffff:', '')}\n`);
  socket.on('end', () => socket.end()).resume();
}

/** A connection from a host, not yet connected to anything. */
export function openClient(host: LabHost, destination: string): Socket {
  const fd = openStreamSocket(host, destination.includes(':') ? AF_INET6 : AF_INET);
  return new net.Socket({
    fd,
    readable: true,
    writable: true,
    manualStart: true,
    allowHalfOpen: true,
  } as object);
}

export interface Attempt {
  /** First line of the answer, or the error: `ECONNREFUSED`, `timeout`. */
  readonly answer: string;
  readonly socket: Socket;
}

/** Connects and waits for the first line. The connection stays open; end it, or leave it to the end of the test. */
export async function connectFrom(
  context: TestContext,
  host: LabHost,
  destination: string,
  port: number,
  timeoutMs = 1500,
): Promise<Attempt> {
  const socket = openClient(host, destination);
  context.after(() => socket.destroy());
  const answer = await new Promise<string>((resolve) => {
    const timer = setTimeout(() => resolve('timeout'), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('data', (chunk) => resolve(chunk.toString().trim()));
    socket.once('close', () => {
      clearTimeout(timer);
      resolve('closed');
    });
    socket.connect(port, destination);
  });
  return { answer, socket };
}

/** The first line of the answer of one short connection, or why there was none. */
export async function ask(
  context: TestContext,
  host: LabHost,
  destination: string,
  port: number,
  timeoutMs?: number,
): Promise<string> {
  const { answer, socket } = await connectFrom(context, host, destination, port, timeoutMs);
  socket.destroy();
  return answer;
}
