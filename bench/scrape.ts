/**
 * What a reading of /metrics costs a director at size: how long it takes, how long it is, and for how long nothing else of the
 * process gets its turn. Natively and with a kernel that costs nothing: the product's own way from the numbers to the socket.
 * The reader is a thread of its own.
 */
import { get } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseIpAddress } from '../src/base/index.ts';
import type { HealthNumbers } from '../src/director/director-health.ts';
import { ownMetrics, provideDirectorMetrics } from '../src/director/director-metrics.ts';
import type { DirectorMetrics } from '../src/director/director-metrics.ts';
import type { Serving } from '../src/director/serving.ts';
import type { ServiceTraffic } from '../src/director/traffic-reader.ts';
import { TransitionCounter } from '../src/director/transition-counter.ts';
import { openProcessEndpoint } from '../src/endpoint/index.ts';
import { systemTimers } from '../src/kube/index.ts';
import { Metrics } from '../src/metrics/index.ts';
import { HealthWorld } from '../test/plan/health-world.ts';
import { realServer, virtualService } from '../test/plan/world.ts';
import { RecordingLogger } from '../test/kube/objects.ts';

export interface ScrapeOptions {
  readonly services: number;
  readonly realServers: number;
  readonly rounds: number;
}

interface Scrape {
  readonly isZipped: boolean;
  readonly ms: number;
  readonly bytes: number;
}

const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** @returns a table for people */
export async function benchmarkScrape({ services, realServers, rounds }: ScrapeOptions): Promise<string> {
  const metrics: DirectorMetrics = new Metrics(ownMetrics);
  const serving = servingAt(services, realServers);
  provideDirectorMetrics(metrics, { clock, serving: () => serving, isReady: () => true });
  const endpoint = await openProcessEndpoint({
    listen: { host: parseIpAddress('127.0.0.1'), port: 0 },
    guard: undefined,
    clock,
    timers: systemTimers,
    logger: new RecordingLogger(),
    version: 'bench',
    metrics,
    liveness: () => [],
    readiness: () => [],
  });
  const reader = new Worker(new URL(import.meta.url), { workerData: { port: endpoint.port } });
  await once(reader, 'online');
  const block = monitorEventLoopDelay({ resolution: 1 });
  block.enable();
  const lines: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const isZipped of [false, true]) {
      // Readings that follow each other closely would share one look at the kernel.
      await sleep(700);
      block.reset();
      reader.postMessage(isZipped);
      const [scrape] = (await once(reader, 'message')) as [Scrape];
      lines.push(formatScrape(scrape, block.max / 1e6));
    }
  }
  await reader.terminate();
  await endpoint.close();
  return [
    `/metrics of ${services} services with ${realServers} checked real servers each, the first reading first:`,
    ...lines,
  ].join('\n');
}

function formatScrape({ isZipped, ms, bytes }: Scrape, blockMs: number): string {
  const kilobytes = Math.round(bytes / 1000).toLocaleString('en');
  const took = `${kilobytes.padStart(7)} kB  in ${ms.toFixed(0).padStart(4)} ms`;
  const held = `event loop held for at most ${blockMs.toFixed(1).padStart(5)} ms`;
  return `  ${isZipped ? 'gzip ' : 'plain'}  ${took}  ${held}`;
}

/** As much of a director as its metrics ask for. */
function servingAt(services: number, realServers: number): Serving {
  const world = new HealthWorld({
    virtualServices: Array.from({ length: services }, (_, at) =>
      virtualService(`service-${at}`, {
        addresses: [{ ip: `192.0.2.${10 + (at % 200)}` }],
        ports: [{ port: 1000 + Math.floor(at / 200) }],
        healthCheck: { tcp: {} },
      }),
    ),
    realServers: Array.from({ length: services }, (_, at) =>
      realServer(
        `service-${at}`,
        `service-${at}`,
        Array.from({ length: realServers }, (__, server) => `10.${1 + (at >> 8)}.${at & 255}.${server + 1}`),
      ),
    ),
  });
  world.up();
  const stats = {
    connections: 123_456n,
    packetsIn: 123_456_789n,
    packetsOut: 123_456_789n,
    bytesIn: 123_456_789_012n,
    bytesOut: 123_456_789_012n,
    connectionsPerSecond: 12n,
    packetsInPerSecond: 1234n,
    packetsOutPerSecond: 1234n,
    bytesInPerSecond: 123_456n,
    bytesOutPerSecond: 123_456n,
  };
  const traffic = [...world.desired.services].map(
    ([name, { key, owner, realServers: members }]): ServiceTraffic => ({
      owner,
      key,
      name,
      stats,
      realServers: new Map(
        [...members].map(([member, one]) => [
          member,
          {
            key: one.key,
            config: one.config,
            connections: { active: 12, inactive: 345, persistent: 0 },
            stats,
          },
        ]),
      ),
    }),
  );
  const health: HealthNumbers = {
    memory: world.memory,
    transitions: new TransitionCounter().counts,
    totals: [],
    prober: {
      probes: services * realServers,
      overdue: 0,
      oldestAgeMs: 1234,
      restarts: 0,
      punctuality: { delayMs: 0, missed: 0, heldUpMs: 0 },
    },
    recordOf: () => ({ ageMs: 1234.5, outcome: 'passed', certificateEndsMs: undefined }),
  };
  const times = { wallMs: 0, monotonicMs: 0, bootId: 'bench' };
  return {
    lastPassMs: 0,
    kernel: {},
    snapshot: () => ({
      round: undefined,
      conditions: [],
      host: { netlink: { requests: 0, errors: new Map() }, tableReads: 0 },
      ledgerWrites: 0,
    }),
    readTraffic: () => Promise.resolve({ ...times, services: traffic }),
    readHealth: () => health,
  } as unknown as Serving;
}

function scrape(port: number, isZipped: boolean): Promise<Scrape> {
  const beganMs = performance.now();
  const headers = isZipped ? { 'accept-encoding': 'gzip' } : {};
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/metrics', headers }, (response) => {
      let bytes = 0;
      response
        .on('data', (chunk: Buffer) => (bytes += chunk.length))
        .on('end', () => resolve({ isZipped, ms: performance.now() - beganMs, bytes }))
        .on('error', reject);
    }).on('error', reject);
  });
}

if (!isMainThread) {
  const { port } = workerData as { readonly port: number };
  parentPort?.on('message', (isZipped: boolean) => {
    void scrape(port, isZipped).then((result) => parentPort?.postMessage(result));
  });
}
