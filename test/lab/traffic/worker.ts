/**
 * A real server of the lab that has a capacity, as a program: `node worker.ts '{"name":"server1","port":80,"serviceMs":40}'`.
 * It works on one request at a time, each for an exponentially distributed time of that mean, and answers its name; so it
 * is a core with a queue before it. A line `service 80` on standard input makes it that slow from the next request on.
 * Once a second it prints how long it has been busy since the start. `reportPort` answers `GET /load` in the form of ORCA.
 */
import http from 'node:http';
import { createInterface } from 'node:readline';

interface Worker {
  readonly name: string;
  readonly port: number;
  readonly reportPort?: number;
  readonly serviceMs: number;
}

const worker = JSON.parse(process.argv[2] ?? '{}') as Worker;
let { serviceMs } = worker;
/** Time of the work that was accepted and is not done. */
let idleAtMs = performance.now();
let acceptedMs = 0;
let seed = Buffer.from(worker.name).reduce((sum, byte) => sum * 31 + byte, 7) >>> 0;

/** Park and Miller's generator: the same requests take the same times in every run. */
function random(): number {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed / 2_147_483_647;
}

/** What was worked off until now. */
function busyMs(): number {
  return acceptedMs - Math.max(0, idleAtMs - performance.now());
}

const server = http.createServer((_request, response) => {
  const tookMs = -Math.log(1 - random()) * serviceMs;
  const nowMs = performance.now();
  idleAtMs = Math.max(idleAtMs, nowMs) + tookMs;
  acceptedMs += tookMs;
  setTimeout(() => response.end(worker.name), idleAtMs - nowMs);
});
server.keepAliveTimeout = 0;

const history: { readonly atMs: number; readonly busyMs: number }[] = [];
const note = (): void => {
  history.push({ atMs: Date.now(), busyMs: busyMs() });
  if (history.length > 30) history.shift();
};
/** The busy part of the last seconds. */
function utilisation(seconds: number): number {
  const last = history.at(-1);
  const first = history.at(-1 - seconds) ?? history[0];
  if (last === undefined || first === undefined || last.atMs === first.atMs) return 0;
  return (last.busyMs - first.busyMs) / (last.atMs - first.atMs);
}
if (worker.reportPort !== undefined)
  http
    .createServer((_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ cpu_utilization: utilisation(10) })),
    )
    .listen(worker.reportPort, '::');

createInterface({ input: process.stdin }).on('line', (line) => {
  const [, number] = /^service (\d+(?:\.\d+)?)$/.exec(line) ?? [];
  if (number !== undefined) serviceMs = Number(number);
});
server.listen(worker.port, '::', () => {
  console.log('ready');
  const tick = (): void => {
    note();
    console.log(`busy ${JSON.stringify(history.at(-1))}`);
    setTimeout(tick, 1000 - (Date.now() % 1000));
  };
  setTimeout(tick, 1000 - (Date.now() % 1000));
});
