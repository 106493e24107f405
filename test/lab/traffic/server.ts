/**
 * A real server of the lab, as a program: `node server.ts '{"name":"server1","http":[80],"echo":[7],"udp":[53]}'`.
 * Listens on every address of both families, prints `ready`, and answers until it is killed.
 *
 * - http: answers its name; `?delay=MS` waits before. Connections stay open as long as the client likes. A line on standard
 *   input such as `{"status":500}` (or `body`, or `delayMs`) makes it answer like that from the next request on, `{}` truly.
 * - echo: TCP. `ECHO` as the first line: every further line comes back with the name in front. `STREAM MS`: waits for
 *   the client to close its half, then goes on sending for MS milliseconds, so that the connection is half-closed.
 * - udp: answers each datagram with its name.
 */
import dgram from 'node:dgram';
import http from 'node:http';
import net from 'node:net';
import { createInterface } from 'node:readline';
import type { Manner } from './jobs.ts';

interface ServerRoles {
  readonly name: string;
  readonly http?: readonly number[];
  readonly echo?: readonly number[];
  readonly udp?: readonly number[];
}

const roles = JSON.parse(process.argv[2] ?? '{}') as ServerRoles;
let manner: Manner = {};
createInterface({ input: process.stdin }).on('line', (line) => (manner = JSON.parse(line) as Manner));
const lineOfStream = `${'stream '.repeat(16)}\n`;

const opened: Promise<unknown>[] = [];
for (const port of roles.http ?? []) {
  const server = http.createServer((request, response) => {
    const { status = 200, body = roles.name } = manner;
    const asked = Number(new URL(request.url ?? '/', 'http://lab').searchParams.get('delay') ?? 0);
    const delayMs = asked + (manner.delayMs ?? 0);
    response.statusCode = status;
    const answer = () => response.end(body);
    if (delayMs > 0) setTimeout(answer, delayMs);
    else answer();
  });
  server.keepAliveTimeout = 0;
  opened.push(new Promise((resolve) => server.listen(port, '::', () => resolve(undefined))));
}
for (const port of roles.echo ?? []) {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, serveEcho);
  opened.push(new Promise((resolve) => server.listen(port, '::', () => resolve(undefined))));
}
for (const port of roles.udp ?? []) {
  for (const type of ['udp4', 'udp6'] as const) {
    const socket = dgram.createSocket({ type, ipv6Only: type === 'udp6' });
    socket.on('message', (_message, from) => socket.send(roles.name, from.port, from.address));
    opened.push(new Promise((resolve) => socket.bind(port, () => resolve(undefined))));
  }
}
await Promise.all(opened);
console.log('ready');

function serveEcho(socket: net.Socket): void {
  let pending = '';
  let streamMs: number | undefined;
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  socket.on('data', (chunk: string) => {
    pending += chunk;
    for (let end = pending.indexOf('\n'); end >= 0; end = pending.indexOf('\n')) {
      const line = pending.slice(0, end);
      pending = pending.slice(end + 1);
      if (line.startsWith('STREAM ')) streamMs = Number(line.slice(7));
      else if (line !== 'ECHO') socket.write(`${roles.name} ${line}\n`);
    }
  });
  socket.on('end', () => {
    if (streamMs === undefined) socket.end();
    else streamOn(socket, Date.now() + streamMs);
  });
}

function streamOn(socket: net.Socket, untilMs: number): void {
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer);
    socket.write(lineOfStream);
    if (Date.now() >= untilMs) {
      clearInterval(timer);
      socket.end('the end\n');
    }
  }, 20);
}
