import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork, RealServerHost } from '../lab/network.ts';
import { holdConnections, sendRequests, startRequests, startServer } from '../lab/traffic.ts';
import type { HoldCounts, RequestCounts, RunningServer, RunningTraffic } from '../lab/traffic.ts';
import { Eyes, readStatus, sleep, until } from './director-eyes.ts';
import { labPool, realServer, virtualService } from './director-objects.ts';
import { WeightWatch } from './weight-watch.ts';

/**
 * Seven servers that fail at the same moment in seven ways, beside two that stay well, under traffic and with
 * connections held on all of them.
 */

const port = 80;
const check = { intervalSeconds: 1, timeoutSeconds: 1, failureThreshold: 3, successThreshold: 2 };
/** What the check promises. */
const promisedMs = (check.intervalSeconds * check.failureThreshold + check.timeoutSeconds) * 1000;
/** The step aside from the grid, the way of a verdict to the kernel, and a look of ours. */
const handlingMs = 500;

/** How a server fails, and how it becomes well again. */
interface Fate {
  readonly name: string;
  /** As the status tells it. */
  readonly reason: RegExp;
  strike(host: RealServerHost): void | Promise<unknown>;
  heal(host: RealServerHost): void | Promise<unknown>;
  /** What clients without a check meet. */
  readonly isFailure: boolean;
}

const servers = new Map<number, RunningServer>();
const start = async (host: RealServerHost): Promise<void> =>
  void servers.set(host.number, await startServer(host, { http: [port] }));
const server = (host: RealServerHost): RunningServer => servers.get(host.number) ?? assert.fail();
const firewall = (host: RealServerHost, verb: '-I' | '-D', ...rule: readonly string[]) =>
  host.check(['iptables-legacy', '--wait', verb, 'INPUT', '-i', 'eth0', '-p', 'tcp', ...rule]);
const rejectNew = ['--syn', '-j', 'REJECT', '--reject-with', 'tcp-reset'];

const fates: readonly Fate[] = [
  {
    name: 'killed',
    reason: /ConnectionRefused/,
    strike: (host) => server(host).kill(),
    heal: start,
    isFailure: true,
  },
  {
    name: 'frozen',
    reason: /Timeout/,
    strike: (host) => server(host).freeze(),
    heal: (host) => server(host).thaw(),
    isFailure: true,
  },
  {
    name: 'blackholed',
    reason: /ConnectTimeout/,
    strike: (host) => firewall(host, '-I', '-j', 'DROP'),
    heal: (host) => firewall(host, '-D', '-j', 'DROP'),
    isFailure: true,
  },
  {
    name: 'refusing',
    reason: /ConnectionRefused/,
    strike: (host) => firewall(host, '-I', ...rejectNew),
    heal: (host) => firewall(host, '-D', ...rejectNew),
    isFailure: true,
  },
  {
    name: 'slow',
    reason: /Timeout/,
    strike: (host) => server(host).answer({ delayMs: 4000 }),
    heal: (host) => server(host).answer({}),
    isFailure: true,
  },
  {
    name: 'lying with a 500',
    reason: /Status/,
    strike: (host) => server(host).answer({ status: 500 }),
    heal: (host) => server(host).answer({}),
    isFailure: true,
  },
  {
    name: 'lying with a wrong body',
    reason: /Body/,
    strike: (host) => server(host).answer({ body: 'out of order' }),
    heal: (host) => server(host).answer({}),
    isFailure: false,
  },
];
const well = 2;
const all = fates.length + well;

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
let watch: WeightWatch;

before(async () => {
  network = await layOutNetwork({ realServers: all });
  for (const host of network.realServers) await start(host);
  const rips = network.realServers.map(({ rip4 }) => rip4);
  const http = { statuses: ['200'], body: { matches: '^server\\d$' } };
  director = new LabDirector(network.director, {
    'pool.yaml': labPool,
    'checked.yaml': virtualService('checked', network.vip4(0), { healthCheck: { http, ...check } }),
    'checked-servers.yaml': realServer('checked', rips),
    'unchecked.yaml': virtualService('unchecked', network.vip4(1)),
    'unchecked-servers.yaml': realServer('unchecked', rips),
  });
  await director.start();
  eyes = new Eyes(network.director);
  watch = new WeightWatch(eyes);
  await until('all serve', () => network.realServers.every((host) => weight(host) === 100));
});

after(async () => {
  watch.stop();
  await director.stop();
  eyes.close();
  await network.remove();
});

const service = () => `TCP ${network.vip4(0)}:${port}`;
const realServerOf = ({ rip4 }: RealServerHost) => `${rip4}:${port}`;
const weight = (host: RealServerHost) => eyes.weight(service(), realServerOf(host));

/** Three for each server, when all of them are there. */
function send(vip: string): Promise<RequestCounts> {
  return sendRequests(network.client, { host: vip, port, count: 3 * all, timeoutMs: 2500 });
}

describe('servers that fail in every way at once, under traffic', () => {
  let held: RunningTraffic<HoldCounts>;
  let requests: RunningTraffic<RequestCounts>;
  const struckMs = new Map<string, number>();
  let outSinceMs = 0;
  const connectionsTo = (host: RealServerHost) =>
    eyes.table({ stats: true }).get(service())?.realServers.get(realServerOf(host))?.stats?.connections;
  const struck = () =>
    fates.map((fate, index) => ({ fate, host: network.realServers[index] ?? assert.fail() }));

  it('get no new connections within interval × failureThreshold + timeout', async () => {
    held = await holdConnections(network.client, {
      host: network.vip4(0),
      port,
      connections: 5 * all,
      everyMs: 1000,
      http: true,
    });
    requests = await startRequests(network.client, { host: network.vip4(0), port, perSecond: 10 });
    for (const { fate, host } of struck()) {
      // It may take a program to strike, and the check promises nothing before that has done its work.
      await fate.strike(host);
      struckMs.set(fate.name, performance.now());
    }
    const outOf = (name: string, host: RealServerHost) =>
      watch.outAfter(service(), realServerOf(host), struckMs.get(name) ?? 0);
    await until('all of them are out', () =>
      struck().every(({ fate, host }) => outOf(fate.name, host) !== undefined),
    );
    const findings = struck().map(({ fate, host }) => {
      const sinceMs = struckMs.get(fate.name) ?? 0;
      const out = outOf(fate.name, host) ?? assert.fail(fate.name);
      const tookMs = Math.round(out.atMs - sinceMs);
      const stolenMs = watch.stolenMs(sinceMs, out.atMs);
      const finding = `${fate.name}: no weight after ${tookMs} ms; promised ${promisedMs}, stolen by the machine ${stolenMs}`;
      console.log(finding);
      return { finding, isInTime: tookMs <= promisedMs + handlingMs + 2 * stolenMs };
    });
    for (const { finding, isInTime } of findings) assert.ok(isInTime, finding);
    outSinceMs = performance.now();
  });

  it('are told with the reason', async () => {
    const reasonOf = (host: RealServerHost) =>
      readStatus(director).failing.find(({ realServer: key }) => key === realServerOf(host))?.reason ?? '';
    await until('the status has them', () => struck().every(({ host }) => reasonOf(host) !== ''));
    for (const { fate, host } of struck()) assert.match(reasonOf(host), fate.reason, fate.name);
  });

  // The negative control.
  it('would get their clients without a check, and these would fail', async () => {
    const unchecked = await send(network.vip4(1));
    console.log(`without a check: ${JSON.stringify(unchecked)}`);
    assert.equal(unchecked.failed, 3 * fates.filter(({ isFailure }) => isFailure).length);
    assert.equal(unchecked.byServer['out of order'], 3);
  });

  it('got not one connection more from the kernel after that', async () => {
    // The kernel adds up what each CPU counted every two seconds.
    await sleep(Math.max(0, outSinceMs + 2500 - performance.now()));
    const counted = () => struck().map(({ host }) => connectionsTo(host) ?? 0n);
    const before = counted();
    const checked = await send(network.vip4(0));
    assert.equal(checked.failed, 0, JSON.stringify(checked));
    assert.deepEqual(Object.keys(checked.byServer).toSorted(), ['server8', 'server9']);
    await sleep(2500);
    assert.deepEqual(counted(), before);
    assert.ok(before.some((count) => count > 0n));
    const counts = await requests.stop();
    console.log(`requests meanwhile: ${JSON.stringify(counts)}`);
    assert.ok(counts.failed > 0, 'until they were found out, clients met them');
  });

  it('come back when they are well again', async () => {
    for (const { fate, host } of struck()) await fate.heal(host);
    await until('all serve', () => network.realServers.every((host) => weight(host) === 100));
    await sleep(1000);
    const again = await send(network.vip4(0));
    assert.deepEqual([again.failed, Object.keys(again.byServer).length], [0, all]);
  });

  it('cost no connection but those of the killed one', async () => {
    const counts = await held.stop();
    console.log(`held: ${JSON.stringify(counts)}`);
    assert.equal(counts.opened, 5 * all);
    assert.deepEqual(counts.brokenByServer, { server1: 5 });
  });
});
