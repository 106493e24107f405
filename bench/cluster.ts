/** Controller and director at size, with an API server in this process: from an event to the kernel, and what it costs. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseIpAddress } from '../src/base/index.ts';
import { podType, realServerSliceType, realServerType, virtualServiceType } from '../src/cluster/index.ts';
import { formatRealServerKey, IpvsClient } from '../src/ipvs/index.ts';
import { loadLibc } from '../src/netlink/index.ts';
import { makeCertificate } from '../test/kube/certificates.ts';
import { LabCluster, labApiServerPort } from '../test/lab/cluster.ts';
import type { LabHost } from '../test/lab/host.ts';
import { createContent, serviceKey } from './content.ts';
import type { ContentService } from './content.ts';
import { countTableEntries, onFreshHost } from './fresh-host.ts';
import type { BenchmarkOptions } from './options.ts';
import { ProductProcess } from './product-process.ts';
import type { Measurement, PartResult } from './report.ts';

const nodeName = 'bench';
const port = 80;
const patience = 300_000;
/** Services whose pods are all replaced, one pod after another in each. */
const rolledServices = 100;

interface Bench {
  readonly options: BenchmarkOptions;
  readonly content: readonly ContentService[];
  readonly entries: number;
  readonly folder: string;
  readonly host: LabHost;
  readonly cluster: LabCluster;
  readonly progress: (line: string) => void;
}

export function benchmarkCluster(
  options: BenchmarkOptions,
  folder: string,
  progress: (line: string) => void,
): Promise<PartResult> {
  return onFreshHost(async (host) => {
    const certificate = makeCertificate('bench');
    makeServiceAccount(certificate.cert);
    const cluster = await LabCluster.start(host, { tls: certificate });
    const content = createContent(options);
    const entries = content.length * (options.realServers + 1);
    const bench = { options, content, entries, folder, host, cluster, progress };
    try {
      return { measurements: await measureAll(bench), comparisons: [] };
    } finally {
      await cluster.close();
    }
  });
}

async function measureAll(bench: Bench): Promise<Measurement[]> {
  const { options, content, progress } = bench;
  await fill(bench);
  progress(`${options.services} VirtualServices and their pods are on the API server`);
  const first = startController(bench);
  const began = performance.now();
  const firstMs = await waitForSlices(bench);
  await waitFor('all addresses', () =>
    everyVirtualService(bench, ({ addresses }) => (addresses?.length ?? 0) > 0),
  );
  const statusMs = performance.now() - began;
  await untilQuiet(bench);
  progress(
    `the first controller has written all slices after ${firstMs.toFixed(0)} ms, all addresses after ${statusMs.toFixed(0)} ms`,
  );
  const firstMemory = first.memory();
  await first.stop();

  const director = startDirector(bench);
  const directorMs = await waitForTable(bench, director);
  progress(`the director has the whole table after ${directorMs.toFixed(0)} ms`);
  // Cold, onto what the one before had written; and what it has to say is that the director serves now.
  const controller = startController(bench);
  const secondBegan = performance.now();
  await waitFor('every VirtualService is ready', () =>
    everyVirtualService(bench, ({ conditions = [] }) =>
      conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
    ),
  );
  const secondMs = performance.now() - secondBegan;
  await untilQuiet(bench);
  progress(`the second controller has them all ready after ${secondMs.toFixed(0)} ms`);
  try {
    const events = await measureEvents(bench);
    await untilQuiet(bench);
    const rest = await measureRest(bench);
    const roll = await measureRoll(bench);
    const size = `${options.services} × ${options.realServers}`;
    const one = (id: string, title: string, unit: Measurement['unit'], value: number): Measurement => ({
      id,
      title,
      unit,
      samples: [value],
    });
    return [
      one('cluster-first', `controller: slices for ${size} from nothing`, 'ms', firstMs),
      one(
        'cluster-statuses',
        `controller: addresses of ${content.length} services from nothing`,
        'ms',
        statusMs,
      ),
      one('cluster-second', `controller: start onto all that to ${content.length} × Ready`, 'ms', secondMs),
      one('cluster-director', `director: start to ${size} programmed`, 'ms', directorMs),
      {
        id: 'cluster-event',
        title: 'a pod becomes ready or not: API server to kernel',
        unit: 'ms',
        samples: events.map(({ totalMs }) => totalMs),
        aim: { statistic: 'p99', atMost: 100 },
      },
      {
        id: 'cluster-event-controller',
        title: 'of it: until the API server has the slice',
        unit: 'ms',
        samples: events.map(({ controllerMs }) => controllerMs),
      },
      {
        id: 'cluster-event-director',
        title: 'of it: from there to the kernel',
        unit: 'ms',
        samples: events.map(({ totalMs, controllerMs }) => totalMs - controllerMs),
      },
      {
        ...one(
          'cluster-controller-mb',
          'controller: most memory it ever had',
          'MB',
          Math.max(firstMemory.peakMb, controller.memory().peakMb),
        ),
        aim: { statistic: 'max', atMost: 200 },
      },
      one('cluster-director-peak', 'director: most memory it ever had', 'MB', director.memory().peakMb),
      {
        ...one('cluster-director-mb', 'director: resident memory', 'MB', director.memory().residentMb),
        aim: { statistic: 'max', atMost: 130 },
      },
      {
        ...one('cluster-rest', 'at rest: writes beyond leases', 'writes/min', rest.writes),
        aim: { statistic: 'max', atMost: 0 },
      },
      one(
        'cluster-rest-bytes',
        'at rest: bytes written to the API server, leases included',
        'kB/min',
        rest.kilobytes,
      ),
      one(
        'cluster-roll-writes',
        `all pods of ${roll.services} services replaced: writes for each pod`,
        'writes',
        roll.writesPerPod,
      ),
      one(
        'cluster-roll-bytes',
        `all pods of ${roll.services} services replaced: bytes for each pod`,
        'kB',
        roll.kilobytesPerPod,
      ),
      one('cluster-roll-rate', 'the same, at that pace', 'writes/min', roll.writesPerMinute),
      one('cluster-roll-rate-bytes', 'the same, at that pace', 'kB/min', roll.kilobytesPerMinute),
    ];
  } finally {
    await controller.stop();
    await director.stop();
  }
}

/** Objects of people and of kubelets. Pods go right into the store: 20,000 requests of the test are no part of this. */
async function fill({ content, cluster }: Bench): Promise<void> {
  const { objects } = cluster;
  await objects.createNode(nodeName, { 'networking.lvs-operator.io/director': '' });
  await objects.patch(
    { group: '', version: 'v1', plural: 'nodes', kind: 'Node', isNamespaced: false },
    nodeName,
    { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
    'status',
  );
  await objects.createPool({ addresses: ['198.18.0.0/16'], namespaces: ['*'] });
  for (const [index, { vip, rips }] of content.entries()) {
    const name = `web-${index}`;
    await objects.create(virtualServiceType, name, {
      spec: {
        addresses: [{ ip: vip }],
        ports: [{ port }],
        forwarding: { method: 'NAT', sourceNAT: false },
        drain: { settleSeconds: 1 },
      },
    });
    await objects.create(realServerType, name, {
      spec: { virtualServiceRef: { name }, podSelector: { matchLabels: { app: name } } },
    });
    for (const [pod, rip] of rips.entries()) putPod(cluster, { service: index, pod, rip, isReady: true });
  }
}

interface PodState {
  readonly service: number;
  readonly pod: number | string;
  readonly rip: string;
  readonly isReady: boolean;
  readonly isTerminating?: boolean;
}

function putPod({ server }: LabCluster, { service, pod, rip, isReady, isTerminating }: PodState): void {
  const name = `web-${service}-${pod}`;
  server.store.put(`${podType.group}/${podType.plural}`, `default/${name}`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: `web-${service}` },
      ...(isTerminating === true ? { deletionTimestamp: new Date(Date.now() + 30_000).toISOString() } : {}),
    },
    spec: { nodeName: 'worker', containers: [{ name: 'web', image: 'web' }] },
    status: {
      phase: 'Running',
      podIP: rip,
      podIPs: [{ ip: rip }],
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    },
  });
}

/**
 * Both find the API server as in a pod: a kubeconfig would load a library for it, and with it some 50 MB. `/run` is the
 * lab's own.
 */
function makeServiceAccount(certificate: string): void {
  const folder = '/run/secrets/kubernetes.io/serviceaccount';
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/token`, 'bench');
  writeFileSync(`${folder}/ca.crt`, certificate);
  writeFileSync(`${folder}/namespace`, 'default');
}

function podEnvironment(port: string) {
  return { ...process.env, KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: port };
}

function startController({ options, cluster }: Bench): ProductProcess {
  const argv = [options.product, 'controller', '--namespace', 'default'];
  const env = podEnvironment(new URL(cluster.server.url).port);
  return ProductProcess.watch(spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], env }));
}

function startDirector({ options, folder, host }: Bench): ProductProcess {
  const state = mkdtempSync(path.join(folder, 'state-'));
  const argv = [process.execPath, options.product, 'director', '--node-name', nodeName, '--state-dir', state];
  return ProductProcess.watch(host.spawn(argv, { env: podEnvironment(String(labApiServerPort)) }));
}

async function waitForSlices({ cluster, content, options }: Bench): Promise<number> {
  const start = performance.now();
  const storage = `${realServerSliceType.group}/${realServerSliceType.plural}`;
  const slices = Math.ceil(options.realServers / 100) * content.length;
  await waitFor('all slices', () => (cluster.server.store.list(storage)?.length ?? 0) >= slices);
  return performance.now() - start;
}

interface StatusShown {
  readonly addresses?: readonly unknown[];
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

function everyVirtualService({ cluster }: Bench, condition: (status: StatusShown) => boolean): boolean {
  const storage = `${virtualServiceType.group}/${virtualServiceType.plural}`;
  const list = cluster.server.store.list(storage) ?? [];
  return list.length > 0 && list.every(([, { status }]) => condition((status ?? {}) as StatusShown));
}

async function waitForTable({ host, entries }: Bench, director: ProductProcess): Promise<number> {
  const start = performance.now();
  await waitFor('a complete table', () => {
    director.checkAlive();
    return countTableEntries(host) >= entries;
  });
  return performance.now() - start;
}

async function waitFor(what: string, condition: () => boolean): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > patience) throw new Error(`after ${patience} ms still not: ${what}`);
    await sleep(50);
  }
}

/** Until nobody has written anything but leases for three seconds. */
async function untilQuiet(bench: Bench): Promise<void> {
  const start = performance.now();
  for (;;) {
    const from = bench.cluster.server.requests.length;
    await sleep(3000);
    if (writesSince(bench, from).length === 0) return;
    if (performance.now() - start > patience) throw new Error('the API server never comes to rest');
  }
}

function writesSince({ cluster }: Bench, from: number) {
  return cluster.server.requests
    .slice(from)
    .filter(({ method, resource }) => method !== 'GET' && resource !== 'leases');
}

/** Milliseconds of one event: from the change of a pod in the API server to the weight in the kernel. */
interface EventSample {
  readonly totalMs: number;
  /** Until the API server has answered the controller, which wrote the slice. */
  readonly controllerMs: number;
}

async function measureEvents(bench: Bench): Promise<readonly EventSample[]> {
  const { options, content, cluster, host, progress } = bench;
  const client = IpvsClient.open({ libc: loadLibc(), netns: host.netnsPath });
  const samples: EventSample[] = [];
  const warmUp = 10;
  for (let event = 0; event < warmUp + options.edits; event++) {
    // Each service twice in a row: away, and back.
    const service = (Math.floor(event / 2) * 37) % content.length;
    const { vip, rips } = content[service] ?? {};
    const rip = rips?.at(-1);
    if (vip === undefined || rip === undefined) throw new Error('there is nothing to change');
    const isReady = event % 2 === 1;
    const key = formatRealServerKey({ rip: parseIpAddress(rip), port });
    await sleep(150 + ((event * 61) % 200));
    const { requests } = cluster.server;
    const from = requests.length;
    const start = performance.now();
    let controllerMs: number | undefined;
    putPod(cluster, { service, pod: options.realServers - 1, rip, isReady });
    const isServing = () => (client.observeRealServers(serviceKey(vip)).get(key)?.config.weight ?? 0) > 0;
    while (isServing() !== isReady) {
      if (performance.now() - start > 30_000) throw new Error('an event never arrived in the kernel');
      await sleep(2);
      if (
        requests
          .slice(from)
          .some(({ resource, method }) => resource === 'realserverslices' && method !== 'GET')
      )
        controllerMs ??= performance.now() - start;
    }
    const totalMs = performance.now() - start;
    if (event >= warmUp) samples.push({ totalMs, controllerMs: controllerMs ?? totalMs });
  }
  client.close();
  const words = samples.map(
    ({ totalMs, controllerMs }) => `${controllerMs.toFixed(0)}+${(totalMs - controllerMs).toFixed(0)}`,
  );
  progress(`events, until the slice is written + until the kernel has it: ${words.join(' ')} ms`);
  return samples;
}

async function measureRest(bench: Bench): Promise<{ writes: number; kilobytes: number }> {
  const { requests } = bench.cluster.server;
  const from = requests.length;
  const seconds = bench.options.idleSeconds;
  await sleep(seconds * 1000);
  const bytes = requests.slice(from).reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  const perMinute = 60 / seconds;
  return { writes: writesSince(bench, from).length * perMinute, kilobytes: (bytes / 1000) * perMinute };
}

/** A rolling update: in each service a new pod becomes ready, an old one ends, and so on until all are new. */
async function measureRoll(bench: Bench) {
  const { content, cluster, options, progress } = bench;
  const services = Math.min(rolledServices, content.length);
  const from = cluster.server.requests.length;
  const start = performance.now();
  for (let pod = 0; pod < options.realServers; pod++) {
    for (let service = 0; service < services; service++) {
      const rip = content[service]?.rips[pod];
      if (rip === undefined) continue;
      const fresh = rip.replace('198.19.', '198.51.');
      putPod(cluster, { service, pod: `new-${pod}`, rip: fresh, isReady: true });
      putPod(cluster, { service, pod, rip, isReady: true, isTerminating: true });
    }
    await sleep(2000);
    for (let service = 0; service < services; service++)
      cluster.server.store.delete(`${podType.group}/${podType.plural}`, `default/web-${service}-${pod}`);
    progress(`rolling update: pod ${pod + 1} of ${options.realServers} in ${services} services`);
  }
  await untilQuiet(bench);
  const pods = services * options.realServers;
  const writes = writesSince(bench, from);
  const bytes = writes.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  const by = Object.entries(
    Object.groupBy(
      writes,
      ({ resource, path: asked }) => `${resource}${asked.includes('/status') ? '/status' : ''}`,
    ),
  );
  progress(
    `rolling update: ${writes.length} writes for ${pods} pods in ${((performance.now() - start) / 1000).toFixed(0)} s: ` +
      by.map(([resource, list]) => `${resource} ${list?.length ?? 0}`).join(', '),
  );
  const minutes = (performance.now() - start) / 60_000;
  return {
    services,
    writesPerPod: writes.length / pods,
    kilobytesPerPod: bytes / 1000 / pods,
    writesPerMinute: writes.length / minutes,
    kilobytesPerMinute: bytes / 1000 / minutes,
  };
}
