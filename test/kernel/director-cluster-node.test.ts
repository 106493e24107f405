import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { directorType, nodeType } from '../../src/cluster/index.ts';
import { readDirectorStatus } from '../../src/api/index.ts';
import { LabCluster } from '../lab/cluster.ts';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { Eyes, sleep, until } from './director-eyes.ts';
import { clusterPool } from './director-objects.ts';

/** A node becomes a director and stops being one; only the API server's own word takes anything from clients. */

const nodeName = 'n1';
const label = 'networking.lvs-operator.io/director';
let network: LabNetwork;
let cluster: LabCluster;
let director: LabDirector;
let eyes: Eyes;

before(async () => {
  network = await layOutNetwork({ realServers: 1 });
  cluster = await LabCluster.start(network.director);
  await cluster.objects.createPool(clusterPool);
  await cluster.objects.createNode(nodeName, { [label]: '' });
  await cluster.objects.createService('web', network.vip4(0), [{ address: '198.51.100.11' }]);
  await network.director.check(['ipvsadm', '-A', '-t', '192.0.2.99:9', '-s', 'rr']);
  director = LabDirector.ofCluster(network.director, { nodeName, kubeconfig: cluster.kubeconfig });
  await director.start();
  eyes = new Eyes(network.director);
  // A start does not wait for lists that come late: they are served by a later pass.
  await until('it serves', isServing);
});

after(async () => {
  await director.stop();
  eyes.close();
  await cluster.close();
  await network.remove();
});

function isServing(): boolean {
  return (
    eyes.table().has(`TCP ${network.vip4(0)}:80`) &&
    eyes.addressLines().some((line) => line.startsWith(`${network.vip4(0)}/`))
  );
}

function isGone(): boolean {
  return (
    !eyes.table().has(`TCP ${network.vip4(0)}:80`) &&
    !eyes.addressLines().some((line) => line.startsWith(`${network.vip4(0)}/`))
  );
}

async function setLabel(isDirector: boolean): Promise<void> {
  await cluster.objects.patch(nodeType, nodeName, {
    metadata: { labels: { [label]: isDirector ? '' : null } },
  });
}

async function readyReason(): Promise<string | undefined> {
  const { status } = await cluster.objects.get(directorType, nodeName);
  const { conditions } = readDirectorStatus({ status: status as Record<string, unknown> });
  return conditions.find(({ type }) => type === 'Ready')?.reason;
}

describe('a node', () => {
  it('that is no director any more gives everything back, and nothing of others', async () => {
    assert.ok(isServing());
    await setLabel(false);
    await until('everything is withdrawn', isGone, 30_000);
    assert.deepEqual([...eyes.table().keys()], ['TCP 192.0.2.99:9']);
    await until('the ledger is gone', () => !existsSync(join(director.stateDirectory, 'ledger.json')));
    await until('its object says so', async () => (await readyReason()) === 'Retired');
  });

  it('serves again when it is one again', async () => {
    await setLabel(true);
    await until('it serves', isServing, 30_000);
    await until('its object says so', async () => (await readyReason()) === 'Serving');
  });

  it('keeps serving when the process is stopped, or when nobody can tell', async () => {
    assert.equal(await director.stop(), 0);
    assert.ok(isServing());
    await director.start();
    cluster.refuse();
    await setLabel(false);
    await sleep(3000);
    assert.ok(isServing(), 'it has not heard');
    assert.equal(await director.stop(), 0);
    assert.ok(isServing(), 'and cannot ask');
  });

  it('that lost its label while the process was away serves nothing when it comes back', async () => {
    await cluster.accept();
    director.spawn();
    await until('everything is withdrawn', isGone, 30_000);
    await setLabel(true);
    await until('it serves', isServing, 30_000);
  });

  it('withdraws at the stop that follows the loss of its label', async () => {
    cluster.server.faults.add({ verb: 'watch' }, { do: 'stall' });
    for (const watch of cluster.server.faults.watches()) watch.stall();
    await setLabel(false);
    await sleep(1000);
    assert.ok(isServing(), 'it has not heard');
    assert.equal(await director.stop(), 0);
    assert.ok(isGone(), 'but it asks');
  });
});
