/**
 * A crowd of the lab, as a program: `node load-client.ts '{"host":"192.0.2.10","port":80,"perSecond":40}'`. Requests come
 * at random (Poisson, the same in every run), each on a connection of its own and whether others are answered or not. A
 * line on standard input prints what came of the requests that were answered since the last one, and `stop` ends it.
 */
import http from 'node:http';
import { createInterface } from 'node:readline';
import type { LoadCounts } from './load-counts.ts';

interface Load {
  readonly host: string;
  readonly port: number;
  readonly perSecond: number;
}

const load = JSON.parse(process.argv[2] ?? '{}') as Load;
let seed = 20_011_206;
let latencies: number[] = [];
let byServer: Record<string, number> = {};
let failed = 0;

function random(): number {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed / 2_147_483_647;
}

function send(): void {
  const sinceMs = performance.now();
  const { host, port } = load;
  const request = http.get({ host, port, path: '/', agent: false, timeout: 30_000 }, (response) => {
    let name = '';
    response.setEncoding('utf8').on('data', (text: string) => (name += text));
    response.on('end', () => {
      latencies.push(performance.now() - sinceMs);
      byServer[name] = (byServer[name] ?? 0) + 1;
    });
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => failed++);
}

function take(): LoadCounts {
  const sorted = latencies.toSorted((a, b) => a - b);
  const quantile = (part: number): number => Math.round(sorted[Math.floor(part * (sorted.length - 1))] ?? 0);
  const counts = { answered: sorted.length, failed, byServer, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
  latencies = [];
  byServer = {};
  failed = 0;
  return counts;
}

let dueMs = performance.now();
const next = (): void => {
  send();
  dueMs += (-Math.log(1 - random()) * 1000) / load.perSecond;
  setTimeout(next, Math.max(0, dueMs - performance.now()));
};
createInterface({ input: process.stdin }).on('line', (line) => {
  console.log(JSON.stringify(take()));
  if (line === 'stop') process.exit(0);
});
console.log('ready');
next();
// A forgotten crowd cannot load the machine for ever.
setTimeout(() => process.exit(1), 600_000);
