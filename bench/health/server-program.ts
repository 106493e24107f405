/**
 * Real servers, one for each address, in one process that can be killed and frozen: `server-program.mjs PORT ADDRESS…`.
 * Each answers whatever it is asked with an HTTP status of 200. Says `ready` once all of them listen; a line on its input
 * asks how many connections it has taken so far.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n';
let taken = 0;

const [port, ...addresses] = process.argv.slice(2);
for (const host of addresses) {
  const server = createServer((socket) => {
    taken++;
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  server.listen({ port: Number(port), host });
  await once(server, 'listening');
}
process.stdout.write('ready\n');
createInterface({ input: process.stdin })
  .on('line', () => process.stdout.write(`${taken}\n`))
  .on('close', () => process.exit());
