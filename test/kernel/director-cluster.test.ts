import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readDirectorStatus } from '../../src/api/index.ts';
import type { DirectorStatus } from '../../src/api/index.ts';
import {
  directorType,
  realServerSliceType,
  realServerType,
  virtualServiceType,
} from '../../src/cluster/index.ts';
import { LabCluster } from '../lab/cluster.ts';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { sendRequests, startRequests, startServers } from '../lab/traffic.ts';
import { Eyes, conditionOf, until } from './director-eyes.ts';
import { clusterPool } from './director-objects.ts';

/**
 * A director in a cluster: the objects of an API server are what the kernel holds, with traffic. The test writes what
 * people write and what the controller writes.
 */

const nodeName = 'n1';
let network: LabNetwork;
let cluster: LabCluster;
let director: LabDirector;
let eyes: Eyes;
const rips = ['198.51.100.11', '198.51.100.12', '198.51.100.13'] as const;

before(async () => {
  network = await layOutNetwork({ realServers: 3 });
  await startServers(network.realServers, { http: [80] });
  cluster = await LabCluster.start(network.director);
  await cluster.objects.createPool(clusterPool);
  await cluster.objects.createNode(nodeName, { 'networking.lvs-operator.io/director': '' });
  await cluster.objects.createService('web', network.vip4(0), [{ address: rips[0] }, { address: rips[1] }], {
    scheduler: 'rr',
    drain: { timeoutSeconds: 3 },
  });
  director = LabDirector.ofCluster(network.director, { nodeName, kubeconfig: cluster.kubeconfig });
  await director.start();
  eyes = new Eyes(network.director);
  // A start does not wait for lists that come late: they are served by a later pass.
  await until('it serves', () => weights().join() === '100,100,' && hasAddress(0));
});

after(async () => {
  await director.stop();
  eyes.close();
  await cluster.close();
  await network.remove();
});

function key(index: number): string {
  return `TCP ${network.vip4(index)}:80`;
}

function weights(index = 0): (number | undefined)[] {
  return rips.map((rip) => eyes.weight(key(index), `${rip}:80`));
}

function hasAddress(index: number): boolean {
  return eyes.addressLines().some((line) => line.startsWith(`${network.vip4(index)}/`));
}

async function objectStatus(): Promise<DirectorStatus> {
  const { status } = await cluster.objects.get(directorType, nodeName);
  return readDirectorStatus({ status: status as Record<string, unknown> });
}

/** Up to this resource version everything is in the kernel, says the director. */
async function untilProgrammed(
  kind: keyof NonNullable<DirectorStatus['programmedThrough']>,
  version: string,
) {
  await until(`programmed through ${version}`, async () => {
    const { programmedThrough } = await objectStatus();
    return BigInt(programmedThrough?.[kind] ?? 0) >= BigInt(version);
  });
}

describe('a director in a cluster', () => {
  it('serves what is there, and says so in its object', async () => {
    assert.deepEqual(weights(), [100, 100, undefined]);
    const counts = await sendRequests(network.client, { host: network.vip4(0), port: 80, count: 40 });
    assert.deepEqual(
      [counts.answered, Object.keys(counts.byServer).toSorted()],
      [40, ['server1', 'server2']],
    );
    const { metadata } = await cluster.objects.get(realServerSliceType, 'web-1');
    await untilProgrammed('realServerSlices', metadata.resourceVersion ?? '');
    await until('the object is ready', async () =>
      (await objectStatus()).conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
    );
    const status = await objectStatus();
    assert.equal(status.nodeName, nodeName);
    assert.deepEqual(
      [status.counts?.virtualServices, status.counts?.realServers, status.counts?.vips],
      [1, 2, 1],
    );
    await until(
      'schedulers are listed',
      async () => (await objectStatus()).schedulers?.includes('mh') === true,
    );
    const { stdout, code } = await director.status();
    assert.equal(code, 0, stdout);
    assert.match(stdout, /from cluster, as node n1/);
    assert.match(stdout, /default\/web/);
  });

  it('scales under traffic without a failed request', async () => {
    const traffic = await startRequests(network.client, { host: network.vip4(0), port: 80, perSecond: 50 });
    const [first, second, third] = rips;
    const took: number[] = [];
    const set = async (...addresses: readonly string[]): Promise<void> => {
      const startMs = performance.now();
      await cluster.objects.setEndpoints(
        'web',
        addresses.map((address) => ({ address })),
      );
      const newest = addresses.at(-1) ?? '';
      await until('the newest endpoint serves', () => eyes.weight(key(0), `${newest}:80`) === 100);
      took.push(performance.now() - startMs);
    };
    await set(first, second, third);
    await set(first);
    await until('the others are gone', () => weights().filter((weight) => weight !== undefined).length === 1);
    await set(first, third, second);
    const counts = await traffic.stop();
    console.log(`write to kernel, seen from outside: ${took.map(Math.round).join(', ')} ms`, counts);
    assert.equal(counts.failed, 0, JSON.stringify(counts));
    assert.ok(counts.answered > 20);
  });

  it('drains an endpoint by its phase, and takes it back', async () => {
    const [first, second, third] = rips;
    const deadline = new Date(Date.now() + 60_000).toISOString();
    await cluster.objects.setEndpoints('web', [
      { address: first },
      { address: second },
      { address: third, phase: 'Draining', deadline },
    ]);
    await until('it takes no new connections', () => (weights()[2] ?? 0) === 0);
    const { byServer, failed } = await sendRequests(network.client, {
      host: network.vip4(0),
      port: 80,
      count: 30,
    });
    assert.deepEqual([failed, byServer['server3']], [0, undefined]);
    await cluster.objects.setEndpoints('web', [{ address: first }, { address: second }, { address: third }]);
    await until('it is back', () => weights()[2] === 100);
  });

  it('takes weights and schedulers at once, but addresses only when they are accepted', async () => {
    await cluster.objects.patch(realServerType, 'web', { spec: { weight: 30 } });
    await until('the weight is there', () => weights()[0] === 30);
    await cluster.objects.patch(virtualServiceType, 'web', {
      spec: { scheduler: 'wrr', addresses: [{ ip: network.vip4(5) }] },
    });
    await until('the scheduler is there', () => eyes.table().get(key(0))?.config.scheduler === 'wrr');
    assert.ok(!eyes.table().has(key(5)));
    await cluster.objects.accept('web', network.vip4(5));
    await until('the new address serves', () => weights(5)[0] === 30);
    await until('the old one is gone', () => !eyes.table().has(key(0)));
    await until('and no longer releasing', async () => {
      const { releasing, counts } = await objectStatus();
      return releasing.length === 0 && counts?.vips === 1;
    });
    await cluster.objects.accept('web', network.vip4(0));
    await cluster.objects.patch(realServerType, 'web', { spec: { weight: 100 } });
    await until('all is as before', () => weights()[0] === 100 && !eyes.table().has(key(5)));
  });

  it('refuses an address outside every pool, whatever the status says, and names the object', async () => {
    await cluster.objects.createService('liar', '198.18.0.1', [{ address: rips[0] }]);
    await until('it is refused', async () =>
      (await objectStatus()).refused.some(({ object }) => object === 'VirtualService default/liar'),
    );
    assert.ok(!eyes.table().has('TCP 198.18.0.1:80'));
    assert.equal(conditionOf(director, 'Ready'), 'True Serving', 'a tenant does not make a director unready');
    await cluster.objects.remove(virtualServiceType, 'liar');
    await cluster.objects.remove(realServerType, 'liar');
    await until('it is forgotten', async () => (await objectStatus()).refused.length === 0);
  });

  it('plans from the cluster what it would change, and changes nothing', async () => {
    const argv = ['plan', ...director.goalFlags, '--state-dir', director.stateDirectory];
    const quiet = await director.command(argv);
    assert.deepEqual([quiet.code, quiet.stderr], [0, ''], quiet.stdout);
    await network.director.check([
      'ipvsadm',
      '-e',
      '-t',
      `${network.vip4(0)}:80`,
      '-r',
      rips[0],
      '-m',
      '-w',
      '7',
    ]);
    const drift = await director.command(argv);
    assert.ok([0, 3].includes(drift.code ?? -1), drift.stderr);
    await until('the hand edit is repaired', () => weights()[0] === 100);
  });

  it('removes what is deleted at once', async () => {
    await cluster.objects.createService('gone', network.vip4(1), [{ address: rips[0] }], {
      drain: { timeoutSeconds: 0 },
    });
    await until('it serves', () => eyes.table().has(key(1)));
    await cluster.objects.remove(virtualServiceType, 'gone');
    await until('it is gone', () => !eyes.table().has(key(1)), 10_000);
    await until('its address too', () => !hasAddress(1));
  });

  it('writes nothing to the API server at rest', async () => {
    await until('everything is said', async () => {
      const { releasing, refused } = await objectStatus();
      return releasing.length === 0 && refused.length === 1;
    });
    await new Promise((resolve) => setTimeout(resolve, 2500));
    cluster.server.requests.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 6000));
    const writes = cluster.server.requests.filter(({ method }) => method !== 'GET');
    assert.deepEqual(writes, []);
  });
});
