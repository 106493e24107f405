import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { realServerSliceType, virtualServiceType } from '../../src/cluster/index.ts';
import { LabCluster } from '../lab/cluster.ts';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { startRequests, startServers } from '../lab/traffic.ts';
import { Eyes, conditionOf, readStatus, sleep, until } from './director-eyes.ts';
import { clusterPool } from './director-objects.ts';

/** Directors need the API server for news, never for service. */

const nodeName = 'n1';
/** With more than ten objects a list that lacks most of them looks like an accident. */
const services = 12;
let network: LabNetwork;
let cluster: LabCluster;
let director: LabDirector;
let eyes: Eyes;
const rip = '198.51.100.11';

before(async () => {
  network = await layOutNetwork({ realServers: 1 });
  await startServers(network.realServers, { http: [80] });
  cluster = await LabCluster.start(network.director);
  await cluster.objects.createPool(clusterPool);
  await cluster.objects.createNode(nodeName, { 'networking.lvs-operator.io/director': '' });
  for (let index = 0; index < services; index++) {
    // Weights of slices, which are the news here, count where the policy asks for them.
    const spec = { drain: { timeoutSeconds: 0 }, weightPolicy: { type: 'InFlight' } };
    await cluster.objects.createService(`s${index}`, network.vip4(index), [{ address: rip }], spec);
  }
  director = LabDirector.ofCluster(network.director, { nodeName, kubeconfig: cluster.kubeconfig });
  await director.start();
  eyes = new Eyes(network.director);
  // A start does not wait for lists that come late: they are served by a later pass, and addresses come last.
  await until('it serves', () => {
    const addresses = eyes.addressLines();
    const isBound = (index: number): boolean =>
      addresses.some((line) => line.startsWith(`${network.vip4(index)}/`));
    return eyes.table().size === services && Array.from({ length: services }, (_, n) => n).every(isBound);
  });
});

after(async () => {
  await director.stop();
  eyes.close();
  await cluster.close();
  await network.remove();
});

afterEach(() => cluster.server.faults.clear());

function key(index: number): string {
  return `TCP ${network.vip4(index)}:80`;
}

function weight(index: number): number | undefined {
  return eyes.weight(key(index), `${rip}:80`);
}

async function setWeight(index: number, value: number): Promise<void> {
  await cluster.objects.setEndpoints(`s${index}`, [{ address: rip, weight: value }]);
}

async function spoilByHand(index: number): Promise<void> {
  const service = `${network.vip4(index)}:80`;
  await network.director.check(['ipvsadm', '-d', '-t', service, '-r', rip]);
}

describe('an API server that is gone', () => {
  const ways: readonly (readonly [how: string, leave: () => void, come: () => Promise<void>])[] = [
    [
      'silent',
      () => {
        cluster.server.faults.add({}, { do: 'stall' });
        for (const watch of cluster.server.faults.watches()) watch.stall();
      },
      async () => {
        cluster.server.faults.clear();
        for (const watch of cluster.server.faults.watches()) watch.reset(true);
      },
    ],
    [
      'resetting',
      () => {
        cluster.server.faults.add({}, { do: 'drop' });
        for (const watch of cluster.server.faults.watches()) watch.reset(true);
      },
      async () => cluster.server.faults.clear(),
    ],
    ['refusing', () => cluster.refuse(), () => cluster.accept()],
  ];
  for (const [index, [how, leave, come]] of ways.entries()) {
    it(`takes nothing down while it is ${how}, nor keeps a hand edit from being repaired`, async () => {
      const traffic = await startRequests(network.client, {
        host: network.vip4(0),
        port: 80,
        perSecond: 20,
      });
      leave();
      await sleep(1000);
      await spoilByHand(1);
      const tookMs = await until('the hand edit is repaired', () => weight(1) !== undefined, 30_000);
      if (how !== 'silent') {
        await until(
          'people are told',
          () => conditionOf(director, 'ApiServerReachable') === 'False Unreachable',
        );
      }
      assert.equal(eyes.table().size, services);
      const { failed, answered, failures } = await traffic.stop();
      assert.equal(failed, 0, JSON.stringify(failures));
      assert.ok(answered > 0);
      await come();
      await setWeight(2, 40 + index);
      const newsMs = await until('news arrive', () => weight(2) === 40 + index);
      console.log(`${how}: repaired after ${tookMs} ms, news after ${newsMs} ms`);
      await until('all is well', () => conditionOf(director, 'ApiServerReachable') === 'True Following');
      assert.equal(eyes.table().size, services);
    });
  }

  it('is not waited for at a start: what was served last is served within seconds', async () => {
    // What is accepted is on the disk some seconds after it was.
    await setWeight(3, 33);
    await until('the weight is there', () => weight(3) === 33);
    await sleep(6000);
    const goal = eyes.tableLines();
    await director.stop();
    await network.director.check(['ipvsadm', '-C']);
    cluster.refuse();
    const startMs = performance.now();
    await director.start();
    assert.deepEqual(eyes.tableLines(), goal);
    console.log(
      `served from the last good state ${Math.round(performance.now() - startMs)} ms after the start`,
    );
    await until('people are told', () => conditionOf(director, 'ApiServerReachable').startsWith('False'));
    assert.equal(readStatus(director).source.isComplete, false);
    const from = director.log.length;
    await cluster.accept();
    await setWeight(3, 34);
    await until('news arrive', () => weight(3) === 34);
    await until('all is well', () => conditionOf(director, 'ApiServerReachable') === 'True Following');
    assert.ok(!/mass removal|deleted/.test(director.log.slice(from)));
  });
});

describe('a list', () => {
  it('that is empty removes nothing, and neither does one at a start', async () => {
    const goal = eyes.tableLines();
    cluster.server.faults.add({ verb: 'list' }, { do: 'empty-list' }, 4);
    for (const watch of cluster.server.faults.watches()) watch.expire();
    await sleep(4000);
    assert.deepEqual(eyes.tableLines(), goal);
    cluster.server.faults.clear();
    await setWeight(4, 44);
    await until('news arrive', () => weight(4) === 44);
    await sleep(6000);
    await director.kill();
    cluster.server.faults.add({ verb: 'list' }, { do: 'empty-list' }, 8);
    await director.start();
    await sleep(1500);
    assert.equal(eyes.table().size, services);
    cluster.server.faults.clear();
    await setWeight(4, 45);
    await until('news arrive again', () => weight(4) === 45);
    assert.equal(eyes.table().size, services);
  });

  it('is not needed where the API server says what was deleted: that goes at once', async () => {
    for (let index = 1; index < services; index++)
      await cluster.objects.remove(virtualServiceType, `s${index}`);
    await until('they are gone', () => eyes.table().size === 1, 20_000);
    await cluster.objects.remove(realServerSliceType, 's0-1');
    await until('the last endpoint is gone', () => weight(0) === undefined, 20_000);
  });
});
