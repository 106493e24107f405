import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { serviceFlags } from '../../src/ipvs/index.ts';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import {
  holdConnections,
  sendDatagrams,
  sendRequests,
  startHalfClosedStream,
  startServers,
} from '../lab/traffic.ts';
import type { HoldCounts, RunningTraffic } from '../lab/traffic.ts';
import { Eyes, readStatus, sleep, until } from './director-eyes.ts';
import { labPool, realServer, virtualService } from './director-objects.ts';

/** Real servers leave without cutting who is still there, and no later than their deadline. */

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
let watching: NodeJS.Timeout;

before(async () => {
  network = await layOutNetwork({ realServers: 2 });
  await startServers(network.realServers, { http: [80], echo: [7], udp: [53] });
  director = new LabDirector(network.director, { 'pool.yaml': labPool });
  director.write('seed.yaml', virtualService('seed', network.vip4(90)));
  await director.start();
  eyes = new Eyes(network.director);
  watching = setInterval(watchDrains, 200);
});

after(async () => {
  clearInterval(watching);
  await director.stop();
  eyes.close();
  await network.remove();
});

let longDrain: { key: string; held: RunningTraffic<HoldCounts> } | undefined;
/** The last that the ledger said of the drains from each service. */
const lastDrains = new Map<string, { sinceMs: number; deadlineMs: number }>();

function endOf(key: string): { sinceMs: number; deadlineMs: number } {
  return lastDrains.get(key) ?? assert.fail(`the ledger never listed a drain from ${key}`);
}

const one = '198.51.100.11';
const two = '198.51.100.12';
const echoPort = { ports: [{ name: 'echo', port: 7 }] };

/** Makes a service with the first server alone, in a file of its own. (sh has weights of its own.) @returns its key. */
async function serve(name: string, vip: string, spec: Readonly<Record<string, unknown>>): Promise<string> {
  director.write(`${name}.yaml`, virtualService(name, vip, spec));
  director.write(`${name}-one.yaml`, realServer(name, one));
  const [{ port, protocol = 'TCP' }] = spec['ports'] as [{ port: number; protocol?: string }];
  const key = `${protocol} ${vip}:${port}`;
  await director.waitUntil(`${name} serves`, () => (eyes.weight(key, `${one}:${port}`) ?? 0) > 0);
  return key;
}

/** Remembers what the ledger says of drains, which it forgets when they are over. */
function watchDrains(): void {
  const { body } = JSON.parse(readFileSync(join(director.stateDirectory, 'ledger.json'), 'utf8')) as {
    body: { drains: { service: string; sinceMs: number; deadlineMs: number }[] };
  };
  for (const drain of body.drains) lastDrains.set(drain.service, drain);
}

/** The second server comes, the first one drains. */
function replaceServer(name: string): void {
  director.write(`${name}-two.yaml`, realServer(name, two));
  director.write(`${name}-one.yaml`, realServer(name, one, { state: 'Drained' }));
}

describe('a real server that drains', () => {
  it('sends a half-closed transfer to its end, which a deadline would cut', async () => {
    const patient = network.vip4(0);
    const hasty = network.vip4(1);
    const patientKey = await serve('patient', patient, {
      ...echoPort,
      drain: { timeoutSeconds: 60, settleSeconds: 30 },
    });
    await serve('hasty', hasty, { ...echoPort, drain: { timeoutSeconds: 1, settleSeconds: 30 } });
    const streams = await Promise.all(
      [patient, hasty].map((host) =>
        startHalfClosedStream(network.client, { host, port: 7, streamMs: 5000 }),
      ),
    );
    // Only now is the client's FIN through, and the connection counts as inactive.
    await until('the transfer is half-closed', () => {
      const counts = eyes.table().get(patientKey)?.realServers.get(`${one}:7`)?.connections;
      return counts?.active === 0 && counts.inactive === 1;
    });
    replaceServer('patient');
    replaceServer('hasty');
    const [whole, cut] = await Promise.all(streams.map(({ finished }) => finished));
    assert.deepEqual([whole?.isComplete, whole?.failure, whole?.server], [true, undefined, 'server1']);
    assert.equal(cut?.isComplete, false, 'the deadline of one second cuts the same transfer');
  });

  it('keeps its connections until the deadline, and ends them then', async () => {
    const vip = network.vip4(2);
    const key = await serve('short', vip, { ...echoPort, drain: { timeoutSeconds: 4 } });
    const held = await holdConnections(network.client, { host: vip, port: 7, connections: 5, everyMs: 100 });
    replaceServer('short');
    await until('it is quiesced', () => eyes.weight(key, `${one}:7`) === 0);
    await until('it is deleted', () => eyes.weight(key, `${one}:7`) === undefined);
    const deletedMs = Date.now();
    const { sinceMs, deadlineMs } = endOf(key);
    assert.equal(deadlineMs - sinceMs, 4000);
    console.log(`deleted ${deletedMs - deadlineMs} ms after its deadline`);
    assert.ok(deletedMs >= deadlineMs, 'not before its deadline');
    const fresh = await holdConnections(network.client, { host: vip, port: 7, connections: 2, everyMs: 200 });
    await sleep(800);
    const [ended, going] = [await held.stop(), await fresh.stop()];
    assert.deepEqual([ended.opened, ended.broken], [5, 5], 'nothing would ever serve them again');
    assert.deepEqual(ended.failures, { ECONNRESET: 5 });
    assert.deepEqual([going.broken, going.byServer], [0, { server2: 2 }]);
    assert.deepEqual([...eyes.link.observeSysctls([expireNodest]).values()], ['0']);
  });

  it('keeps its deadline when the director dies in the middle', async () => {
    const vip = network.vip4(3);
    const key = await serve('mortal', vip, { ...echoPort, drain: { timeoutSeconds: 40 } });
    longDrain = {
      key,
      held: await holdConnections(network.client, { host: vip, port: 7, connections: 5, everyMs: 200 }),
    };
    replaceServer('mortal');
    await until('it is quiesced', () => eyes.weight(key, `${one}:7`) === 0);
    const drainOf = () => readStatus(director).drains.find((drain) => drain.service === key);
    await until('status lists the drain', () => drainOf()?.deadline !== undefined);
    const before = drainOf();
    await sleep(1000);
    await director.kill();
    assert.equal(eyes.weight(key, `${one}:7`), 0);
    await director.start();
    await until('status is of the new process', () => readStatus(director).pid === director.pid);
    assert.deepEqual([drainOf()?.deadline, drainOf()?.since], [before?.deadline, before?.since]);
    assert.match((await director.status()).stdout, new RegExp(before?.deadline ?? 'none'));
  });

  it('keeps its connections when it comes back', async () => {
    const vip = network.vip4(4);
    const key = await serve('back', vip, { ...echoPort });
    const held = await holdConnections(network.client, { host: vip, port: 7, connections: 5, everyMs: 100 });
    replaceServer('back');
    await until('it is quiesced', () => eyes.weight(key, `${one}:7`) === 0);
    director.write('back-one.yaml', realServer('back', one));
    await until('it serves again', () => eyes.weight(key, `${one}:7`) === 100);
    await sleep(500);
    const counts = await held.stop();
    assert.deepEqual([counts.opened, counts.broken, counts.byServer], [5, 0, { server1: 5 }]);
    await until('status lists no drain', () =>
      readStatus(director).drains.every((drain) => drain.service !== key),
    );
  });

  it('refuses nobody under mh and sh, which fall back meanwhile', async () => {
    const cases = ['mh', 'sh'].map((scheduler, index) => {
      const vip = network.vip4(5 + index);
      const key = `TCP ${vip}:80`;
      return {
        scheduler,
        vip,
        key,
        hasFallback: () => ((eyes.table().get(key)?.config.flags ?? 0) & serviceFlags.SCHED1) !== 0,
        active: () => eyes.table().get(key)?.realServers.get(`${one}:80`)?.connections.active ?? 0,
        weight: () => eyes.weight(key, `${one}:80`),
        /** Refusals are told by ICMP, whose rate is limited: the others run into the short time limit. */
        send: (count: number) =>
          sendRequests(network.client, { host: vip, port: 80, count, timeoutMs: count > 20 ? 5000 : 1000 }),
      };
    });
    for (const { scheduler, vip } of cases) {
      const ports = [{ name: 'http', port: 80 }];
      await serve(scheduler, vip, { ports, scheduler, schedulerFlags: [`${scheduler}-port`] });
    }
    assert.ok(cases.every(({ hasFallback }) => !hasFallback()));
    // Holds the draining servers until the test is through with them.
    const slow = cases.map(({ vip }) =>
      sendRequests(network.client, { host: vip, port: 80, count: 1, delayMs: 15_000, timeoutMs: 40_000 }),
    );
    await until('connections are open', () => cases.every(({ active }) => active() === 1));
    for (const { scheduler } of cases) replaceServer(scheduler);
    await until('they are quiesced', () => cases.every(({ weight }) => weight() === 0));
    assert.ok(
      cases.every(({ hasFallback }) => hasFallback()),
      'the fallback is on',
    );
    for (const { send } of cases) {
      const requests = await send(40);
      assert.deepEqual([requests.failed, requests.byServer], [0, { server2: 40 }]);
    }

    // The negative control: without the fallback the scheduler refuses whom it hashes to the quiesced server.
    await director.kill();
    for (const { scheduler, vip, send } of cases) {
      const edit = ['ipvsadm', '-E', '-t', `${vip}:80`, '-s', scheduler, '-b', `${scheduler}-port`];
      await network.director.check(edit);
      const refused = await send(12);
      assert.ok(refused.failed > 0, `${scheduler} refuses without the fallback`);
    }
    await director.start();
    for (const counts of await Promise.all(slow)) assert.equal(counts.failed, 0);
    for (const { scheduler } of cases) director.write(`${scheduler}-one.yaml`, realServer(scheduler, one));
    await until('they serve again', () => cases.every(({ weight }) => (weight() ?? 0) > 0));
    await until('the fallback is off again', () => cases.every(({ hasFallback }) => !hasFallback()));
  });

  it('leaves at once under dh, which has no fallback', async () => {
    const vip = network.vip4(7);
    const key = await serve('dh', vip, { ports: [{ name: 'http', port: 80 }], scheduler: 'dh' });
    replaceServer('dh');
    await until('the second server is there', () => eyes.weight(key, `${two}:80`) === 100);
    await until('the first is gone', () => eyes.weight(key, `${one}:80`) === undefined);
    const requests = await sendRequests(network.client, { host: vip, port: 80, count: 10 });
    assert.deepEqual([requests.failed, requests.byServer], [0, { server2: 10 }]);
  });

  it('keeps UDP flows for the time given, and no longer', async () => {
    const ports = [{ name: 'dns', port: 53, protocol: 'UDP' }];
    const vip = network.vip4(8);
    const key = await serve('udp', vip, { ports, drain: { udpSeconds: 3 } });
    const first = await sendDatagrams(network.client, { host: vip, port: 53, count: 3 });
    assert.deepEqual(first.byServer, { server1: 3 });
    const startMs = performance.now();
    replaceServer('udp');
    await until('it is quiesced', () => eyes.weight(key, `${one}:53`) === 0);
    const fresh = await sendDatagrams(network.client, { host: vip, port: 53, count: 5, newPorts: true });
    assert.deepEqual([fresh.failed, fresh.byServer], [0, { server2: 5 }]);
    await until('it is deleted', () => eyes.weight(key, `${one}:53`) === undefined);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs > 2800, `not before its time: ${tookMs} ms`);
  });

  it('goes at the deadline that is older than its director', async () => {
    assert.ok(longDrain !== undefined, 'the drain that a restart interrupted');
    const { key, held } = longDrain;
    await until('it is deleted', () => eyes.weight(key, `${one}:7`) === undefined, 45_000);
    const deletedMs = Date.now();
    const { sinceMs, deadlineMs } = endOf(key);
    assert.equal(deadlineMs - sinceMs, 40_000);
    assert.ok(deletedMs >= deadlineMs, `${deletedMs - deadlineMs} ms after its deadline`);
    // A client learns of it by its next line.
    await sleep(800);
    const counts = await held.stop();
    assert.deepEqual([counts.opened, counts.broken], [5, 5]);
  });
});

const expireNodest = 'net/ipv4/vs/expire_nodest_conn';
