import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  accountUser,
  controllerAccount,
  directorAccount,
  grantedRights,
  readAccess,
} from '../chart/deployment.ts';
import { sendRequests, startRequests } from '../lab/traffic.ts';
import type { RequestCounts } from '../lab/traffic.ts';
import { sleep, until } from './director-eyes.ts';
import { OperatorRig } from './operator-rig.ts';

/** Controller, director, kernel and traffic together: what people apply is what clients get. */

let rig: OperatorRig;

before(async () => {
  rig = await OperatorRig.start(6);
  for (const server of [1, 2, 3]) await rig.startPod(server);
});

after(() => rig.close());

/** Requests while something happens; what became of them. */
async function underTraffic(happening: () => Promise<void>): Promise<RequestCounts> {
  const traffic = await startRequests(rig.network.client, { host: rig.vip, port: 80, perSecond: 40 });
  await happening();
  await sleep(500);
  return traffic.stop();
}

describe('the operator', () => {
  it('serves what was applied, and its status says so', async () => {
    await rig.applyWeb({ settleSeconds: 1 });
    const tookMs = await rig.untilServing(1, 2, 3);
    const counts = await sendRequests(rig.network.client, { host: rig.vip, port: 80, count: 60 });
    assert.deepEqual([counts.failed, Object.keys(counts.byServer).length], [0, 3]);
    await until('the VirtualService is ready', () => rig.isReady());
    const status = await rig.status();
    console.log(`from apply to the kernel, seen from outside: ${tookMs} ms`);
    assert.deepEqual(
      status.addresses.map(({ ip }) => ip),
      [rig.vip],
    );
    assert.deepEqual(
      [status.counts?.serving, status.counts?.directors, status.counts?.programmed],
      [3, 1, 1],
    );
  });

  it('scales from 3 to 6 to 2 pods without a failed request', async () => {
    const counts = await underTraffic(async () => {
      for (const server of [4, 5, 6]) await rig.startPod(server);
      await rig.untilServing(1, 2, 3, 4, 5, 6);
      await Promise.all([1, 2, 3, 4].map((server) => rig.endPodGracefully(server)));
      await rig.untilServing(5, 6);
    });
    console.log(counts);
    assert.equal(counts.failed, 0, JSON.stringify(counts.failures));
    assert.equal(Object.keys(counts.byServer).length, 6);
    await until('the status has followed', async () => (await rig.status()).counts?.serving === 2);
  });

  it('replaces every pod in turn without a failed request', async () => {
    const counts = await underTraffic(async () => {
      for (const [fresh, old] of [
        [1, 5],
        [2, 6],
      ] as const) {
        await rig.startPod(fresh);
        await until('the new one serves', () => rig.serving().includes(fresh));
        await rig.endPodGracefully(old);
      }
      await rig.untilServing(1, 2);
    });
    console.log(counts);
    assert.equal(counts.failed, 0, JSON.stringify(counts.failures));
  });

  it('loses requests to a pod that dies without warning: the control of the tests above', async () => {
    await rig.startPod(3);
    await rig.untilServing(1, 2, 3);
    const counts = await underTraffic(async () => {
      await rig.endPodWithoutWarning(3);
      await rig.untilServing(1, 2);
    });
    assert.ok(counts.failed > 0, JSON.stringify(counts));
  });
});

describe('the rights that deploy/ grants', () => {
  it('were all that controller and director needed above', () => {
    const refused = rig.cluster.server.requests.filter(({ status }) => status === 403);
    assert.deepEqual(refused, []);
    const { usedRights } = rig.cluster.server;
    for (const account of [controllerAccount, directorAccount]) {
      const user = accountUser(account);
      assert.ok(
        [...usedRights].some((right) => right.startsWith(`${user}: `)),
        user,
      );
    }
    assert.ok(usedRights.size > 25);
    const unused = [...grantedRights(readAccess())].filter((right) => !usedRights.has(right));
    console.log(`never needed here:\n  ${unused.join('\n  ')}`);
  });
});
