import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { readDirectorStatus, schedulerNames } from '../../src/api/index.ts';
import type { DirectorStatus } from '../../src/api/index.ts';
import { directorType } from '../../src/cluster/index.ts';
import { askEndpoint } from '../lab/ask-endpoint.ts';
import { LabCluster } from '../lab/cluster.ts';
import { LabDirector, productFile } from '../lab/director-process.ts';
import type { RunResult } from '../lab/host.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { LabSockets } from '../lab/sockets.ts';
import { holdConnections, sendDatagrams, startHalfClosedStream, startServers } from '../lab/traffic.ts';
import type { HoldCounts, RunningTraffic, StreamCounts } from '../lab/traffic.ts';
import { Eyes, sleep, until } from './director-eyes.ts';
import { clusterPool } from './director-objects.ts';

/** A director leaves for maintenance, dies, and comes back, and nobody who was there notices. */

const nodeName = 'n1';
const rips = ['198.51.100.11', '198.51.100.12'] as const;
const quiescentTemplates = 'net/ipv4/vs/expire_quiescent_template';
const held = 200;

let network: LabNetwork;
let cluster: LabCluster;
let director: LabDirector;
let eyes: Eyes;
let sockets: LabSockets;
let long: RunningTraffic<HoldCounts> | undefined;
let stream: { finished: Promise<StreamCounts> } | undefined;

const longVip = (): string => network.vip4(0);
const stickyVip = (): string => network.vip4(1);
/** Nobody tries this one before the director is dead: who is refused loses the template. */
const controlVip = (): string => network.vip4(2);
const udpVip = (): string => network.vip4(3);
const schedulerVip = (index: number): string => network.vip4(4 + index);

before(async () => {
  network = await layOutNetwork({ realServers: 2 });
  await startServers(network.realServers, { http: [80], echo: [7], udp: [53] });
  cluster = await LabCluster.start(network.director);
  const { objects } = cluster;
  await objects.createPool(clusterPool);
  await objects.createNode(nodeName, { 'networking.lvs-operator.io/director': '' });
  const endpoints = rips.map((address) => ({ address }));
  const serve = async (
    name: string,
    vip: string,
    spec: Readonly<Record<string, unknown>>,
    port: { port: number; protocol: string } = { port: 80, protocol: 'TCP' },
  ): Promise<void> => {
    const forwarding = { method: 'NAT', sourceNAT: false };
    await objects.createService(name, vip, endpoints, { ports: [port], forwarding, ...spec });
    await objects.accept(name, vip, [port]);
  };
  await serve('long', longVip(), { scheduler: 'rr' }, { port: 7, protocol: 'TCP' });
  await serve('sticky', stickyVip(), { scheduler: 'rr', persistence: { timeoutSeconds: 600 } });
  await serve('control', controlVip(), { scheduler: 'rr', persistence: { timeoutSeconds: 600 } });
  await serve('udp', udpVip(), { scheduler: 'rr' }, { port: 53, protocol: 'UDP' });
  for (const [index, scheduler] of schedulerNames.entries())
    await serve(scheduler, schedulerVip(index), { scheduler });
  director = LabDirector.ofCluster(network.director, { nodeName, kubeconfig: cluster.kubeconfig }, [
    '--listen',
    '127.0.0.1:9441',
  ]);
  await director.start();
  eyes = new Eyes(network.director);
  sockets = new LabSockets();
});

after(async () => {
  await director.stop();
  sockets.close();
  eyes.close();
  await cluster.close();
  await network.remove();
});

function lvs(...args: readonly string[]): Promise<RunResult> {
  return network.director.run([process.execPath, productFile, ...args, '--kubeconfig', cluster.kubeconfig]);
}

/** Every weight that the kernel has. */
function weights(): readonly number[] {
  return [...eyes.table().values()].flatMap(({ realServers }) =>
    [...realServers.values()].map(({ config }) => config.weight),
  );
}

// A table that lost its servers is neither.
const isQuiesced = (): boolean => weights().length > 0 && weights().every((weight) => weight === 0);
const isServing = (): boolean => weights().length > 0 && weights().every((weight) => weight > 0);

/** An answer that is expected takes no longer, however busy the machine is. */
const answerMs = 5000;

/** Whether somebody answers a new connection. The kernel tells of a refusal by ICMP, whose rate is limited. */
async function connects(vip: string, timeoutMs = 700): Promise<boolean> {
  const socket = sockets.connect(network.client, vip, 80);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** The services of whose scheduler a new client gets through. */
async function reached(timeoutMs?: number): Promise<readonly string[]> {
  const names = await Promise.all(
    schedulerNames.map(async (name, index) =>
      (await connects(schedulerVip(index), timeoutMs)) ? [name] : [],
    ),
  );
  return names.flat();
}

async function status(): Promise<DirectorStatus> {
  // The director makes the object within a second or so.
  const object = await cluster.objects.get(directorType, nodeName).catch(() => undefined);
  return readDirectorStatus({ status: object?.['status'] as Record<string, unknown> });
}

async function conditionOf(type: string): Promise<string> {
  const found = (await status()).conditions.find((condition) => condition.type === type);
  return found === undefined ? '' : `${found.status} ${found.reason}`;
}

const readyz = () => askEndpoint(sockets, network.director, { path: '/readyz' });

describe('a director that is taken out for maintenance', () => {
  it('is drained at once where nobody is connected, and comes back', async () => {
    await until('it serves', isServing);
    await until('its Director says so', async () => (await conditionOf('Ready')) === 'True Serving');
    assert.equal((await readyz()).status, 200);
    const { code, stdout, stderr } = await lvs('drain', 'director', nodeName, '--wait');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /drains: that node takes no new clients\.[^]*No connection is left\.\n$/);
    assert.ok(isQuiesced());
    assert.equal((await lvs('undrain', 'director', nodeName)).code, 0);
    await until('it serves again', isServing);
  });

  it('refuses new clients under every scheduler, and keeps who is there', async () => {
    assert.deepEqual(await reached(answerMs), schedulerNames, 'the control: before, each of them answers');
    for (const vip of [stickyVip(), controlVip()])
      assert.ok(await connects(vip, answerMs), 'and the client has its template');
    long = await holdConnections(network.client, {
      host: longVip(),
      port: 7,
      connections: held,
      everyMs: 250,
    });
    stream = await startHalfClosedStream(network.client, { host: longVip(), port: 7, streamMs: 15_000 });
    const addresses = eyes.addressLines();
    const beganMs = performance.now();
    await cluster.objects.patch(directorType, nodeName, {
      spec: { maintenance: { drain: true, reason: 'new disks' } },
    });
    await until('every weight is 0', isQuiesced);
    console.log(`every weight was 0 after ${Math.round(performance.now() - beganMs)} ms`);
    assert.deepEqual(await reached(), []);
    assert.equal(await connects(stickyVip()), false, 'nor by a persistence template');
    const datagrams = await sendDatagrams(network.client, {
      host: udpVip(),
      port: 53,
      count: 2,
      newPorts: true,
      timeoutMs: 500,
    });
    assert.equal(datagrams.answered, 0);
    assert.deepEqual(eyes.addressLines(), addresses, 'the addresses stay');
  });

  it('says so where routers and people look', async () => {
    const { status: code, body } = await readyz();
    assert.equal(code, 503);
    assert.match(body, /^\[-\]maintenance failed: In maintenance: new disks\.$/m);
    await until('connections are counted', async () => (await status()).maintenance?.active === held);
    assert.equal(await conditionOf('Ready'), 'False Maintenance');
    await until(
      'they keep it from being drained',
      async () => (await conditionOf('Drained')) === 'False ConnectionsLeft',
    );
    assert.equal(await conditionOf('Programmed'), 'True TableEqualsGoal');
  });

  it('goes on repairing, and admits new servers at weight 0', async () => {
    await network.director.check([
      'ipvsadm',
      '-e',
      '-t',
      `${longVip()}:7`,
      '-r',
      `${rips[0]}:7`,
      '-m',
      '-w',
      '5',
    ]);
    await until('the hand edit is repaired', isQuiesced);
    await cluster.objects.setEndpoints('rr', [
      ...rips.map((address) => ({ address })),
      { address: '198.51.100.13' },
    ]);
    const rr = `TCP ${schedulerVip(schedulerNames.indexOf('rr'))}:80`;
    await until('the new server is there', () => eyes.weight(rr, '198.51.100.13:80') !== undefined);
    assert.ok(isQuiesced());
    await cluster.objects.setEndpoints(
      'rr',
      rips.map((address) => ({ address })),
    );
    await until('it is gone', () => eyes.weight(rr, '198.51.100.13:80') === undefined);
  });

  it('is out after kill -9, and with no API server to tell it', async () => {
    await director.kill();
    assert.ok(isQuiesced());
    assert.equal(await connects(stickyVip()), false);
    // The negative control: with the kernel's own default a template lets its client in.
    await network.director.sysctl({ [quiescentTemplates]: 0 });
    assert.equal(await connects(controlVip(), answerMs), true);
    cluster.refuse();
    await director.start();
    await sleep(2500);
    assert.ok(isQuiesced());
    assert.deepEqual([...eyes.link.observeSysctls([quiescentTemplates]).values()], ['1']);
    assert.equal(await connects(controlVip()), false);
    await cluster.accept();
    await until(
      'its Director is written again',
      async () => (await conditionOf('Drained')) === 'False ConnectionsLeft',
    );
    assert.ok(isQuiesced());
  });

  it('comes back with every connection, and takes new clients', async () => {
    const tellsEnd = await stream?.finished;
    assert.deepEqual([tellsEnd?.isComplete, tellsEnd?.failure], [true, undefined]);
    const { code, stdout } = await lvs('undrain', 'director', nodeName);
    assert.deepEqual([code, stdout], [0, `Director ${nodeName} is back: that node takes new clients.\n`]);
    await until('it serves again', isServing);
    assert.deepEqual(await reached(answerMs), schedulerNames, 'the control: after, each of them answers');
    await sleep(1000);
    const counts = await long?.stop();
    assert.deepEqual([counts?.opened, counts?.refused, counts?.broken], [held, 0, 0]);
    console.log(`${held} connections, ${counts?.messages} lines, longest silence ${counts?.longestGapMs} ms`);
    await until('its Director says so', async () => (await conditionOf('Ready')) === 'True Serving');
    assert.deepEqual([await conditionOf('Drained'), (await status()).maintenance], ['', undefined]);
    assert.equal((await readyz()).status, 200);
  });
});
