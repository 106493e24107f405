import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { realServerSliceType, realServerType } from '../../src/cluster/index.ts';
import { sliceName } from '../../src/controller/slice-names.ts';
import { startRequests } from '../lab/traffic.ts';
import { sleep, until } from './director-eyes.ts';
import { OperatorRig } from './operator-rig.ts';

/** An API server that takes every request and answers none: nobody is refused, and everybody waits. */

const silentSeconds = Number(process.env['LVS_OUTAGE_SECONDS'] ?? 12);

let rig: OperatorRig;

before(async () => {
  rig = await OperatorRig.start(3);
  for (const server of [1, 2]) await rig.startPod(server);
  await rig.applyWeb({ settleSeconds: 1 });
  await rig.untilServing(1, 2);
  await until('ready', () => rig.isReady());
});

after(() => rig.close());

function fallSilent(): void {
  const { faults } = rig.cluster.server;
  faults.add({}, { do: 'stall' });
  for (const watch of faults.watches()) watch.stall();
}

/** Whoever waits is cut off, as when a load balancer gives up. */
function speakAgain(): void {
  const { faults } = rig.cluster.server;
  faults.clear();
  for (const watch of faults.watches()) watch.reset(true);
}

describe('an API server that is silent', () => {
  it('costs no request, whoever dies and is started meanwhile, and all is as before in the end', async () => {
    const goal = rig.eyes.tableLines();
    const addresses = rig.eyes.addressLines();
    const endpoints = await slice();
    const traffic = await startRequests(rig.network.client, {
      host: rig.vip,
      port: 80,
      perSecond: 30,
      longestMs: (silentSeconds + 120) * 1000,
    });
    fallSilent();
    await sleep((silentSeconds * 1000) / 2);
    const service = `${rig.vip}:80`;
    await rig.network.director.check(['ipvsadm', '-d', '-t', service, '-r', `${rig.rip(1)}:80`]);
    const repairedMs = await rig.untilServing(1, 2);
    await rig.controller.kill();
    rig.controller.start();
    await rig.director.kill();
    const startMs = performance.now();
    await rig.director.start();
    const startedMs = Math.round(performance.now() - startMs);
    assert.deepEqual(rig.eyes.tableLines(), goal);
    await sleep((silentSeconds * 1000) / 2);
    const counts = await traffic.stop();
    console.log(
      `${silentSeconds} s of silence: repaired after ${repairedMs} ms, started in ${startedMs} ms`,
      counts,
    );
    assert.equal(counts.failed, 0, JSON.stringify(counts.failures));
    assert.ok(counts.answered > silentSeconds * 15, JSON.stringify(counts));
    speakAgain();
    await rig.startPod(3);
    await rig.untilServing(1, 2, 3);
    await rig.endPodGracefully(3, 1);
    await until('the third has left', () => rig.eyes.tableLines().join() === goal.join());
    assert.deepEqual(rig.eyes.addressLines(), addresses);
    await until('ready', () => rig.isReady());
    await until('the slice is as before', async () => isDeepStrictEqual(await slice(), endpoints)).catch(
      async () => assert.deepEqual(await slice(), endpoints),
    );
  });
});

/** What directors program from; so few endpoints have one slice. */
async function slice(): Promise<unknown> {
  const { uid = '' } = (await rig.cluster.objects.get(realServerType, 'web')).metadata;
  return (await rig.cluster.objects.get(realServerSliceType, sliceName({ name: 'web', uid }, 0)))['spec'];
}
