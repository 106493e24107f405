import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { realServerType } from '../../src/cluster/index.ts';
import type { LabLoad, LoadCounts } from '../lab/load.ts';
import { sleep, until } from './director-eyes.ts';
import { WeightsRig, reportPort } from './weights-rig.ts';

/** Weights that follow the load, in a real kernel with real requests: three servers, of which one is much slower. */

const fastMs = 25;
const slowMs = 90;
const perSecond = 40;

let rig: WeightsRig;
let load: LabLoad;

before(async () => {
  rig = await WeightsRig.start([slowMs, fastMs, fastMs]);
  await rig.applyWeb('wrr');
  load = await rig.startLoad(perSecond);
});

after(() => rig.close());

const shareOfSlow = ({ byServer, answered }: LoadCounts): number => (byServer['server1'] ?? 0) / answered;

/** Requests of so many seconds from now, with a line for people. */
async function measure(what: string, seconds: number): Promise<LoadCounts> {
  await load.take();
  await sleep(seconds * 1000);
  const counts = await load.take();
  const { answered, failed, byServer, p50Ms, p99Ms } = counts;
  const each = rig.network.realServers.map(({ name }) => `${name} ${byServer[name] ?? 0}`).join(', ');
  console.log(
    `measured: ${what}: weights ${rig.weights().join(' ')}; ${answered} requests (${each}), ${failed} failed; p50 ${p50Ms} ms, p99 ${p99Ms} ms`,
  );
  return counts;
}

/** @param slow index of the server that is to have less than half of what each of the others has */
async function untilLittle(slow: number): Promise<void> {
  const sinceMs = performance.now();
  const isLittle = (): boolean => {
    const weights = rig.weights().map((weight) => weight ?? 0);
    const little = weights[slow] ?? 0;
    return little > 0 && weights.every((weight, index) => index === slow || weight > 2 * little);
  };
  try {
    await until('the slow one has less than half of the others', isLittle, 60_000);
  } catch (error) {
    console.log(rig.controller.log.slice(-3000), rig.director.log.slice(-2000));
    console.log(JSON.stringify((await rig.cluster.objects.get(realServerType, 'web'))['status']));
    throw error;
  }
  const seconds = ((performance.now() - sinceMs) / 1000).toFixed(1);
  console.log(`measured: server${slow + 1} has less than half of the others after ${seconds} s`);
}

describe('three servers, one of them slow', () => {
  let asWritten: LoadCounts;

  it('with weights as written, it gets a third, clients wait, and it does not get better: the control', async () => {
    const first = await measure('Static', 6);
    asWritten = await measure('Static, later', 6);
    assert.deepEqual(rig.weights(), [100, 100, 100]);
    assert.equal(first.failed + asWritten.failed, 0);
    assert.ok(asWritten.p99Ms > 500, `${asWritten.p99Ms} ms`);
    assert.ok(asWritten.p99Ms > 0.9 * first.p99Ms, `${first.p99Ms} ms, later ${asWritten.p99Ms} ms`);
  });

  it('with CapacityEstimate its weight falls, and nobody waits for it any more', async () => {
    await rig.setPolicy({ type: 'CapacityEstimate' });
    await untilLittle(0);
    await until(
      'the condition says so',
      async () => (await rig.condition('WeightsFromLoad')) === 'True FromLoad',
    );
    // The queue that was built up before has to go first.
    let following = asWritten;
    await until('nobody waits for it', async () => {
      following = await measure('CapacityEstimate', 6);
      return following.p99Ms < asWritten.p99Ms / 2 && shareOfSlow(following) < 0.25;
    }).catch(() => {});
    assert.equal(following.failed, 0);
    assert.ok(following.p99Ms < asWritten.p99Ms / 2, `${following.p99Ms} ms after ${asWritten.p99Ms} ms`);
    assert.ok(shareOfSlow(following) < 0.25, JSON.stringify(following.byServer));
  });

  it('goes by what servers report themselves, where no metrics.k8s.io is', async () => {
    rig.metrics.isAvailable = false;
    rig.workers[0]?.setServiceMs(fastMs);
    rig.workers[2]?.setServiceMs(slowMs);
    // The formula with the CPU as its only input: nothing but reports can move a weight, and to below its base none but a bad one.
    await rig.setPolicy({
      type: 'LVSDynamicFeedback',
      metrics: { source: 'Endpoint', endpoint: { port: reportPort, intervalSeconds: 5 } },
      dynamicFeedback: {
        shares: { input: 0, cpu: 1, disk: 0, memory: 0, processes: 0, response: 0 },
        target: 0.6,
        scale: 3,
        floor: 0.3,
        periodSeconds: 5,
      },
    });
    await untilLittle(2);
    await measure('LVSDynamicFeedback by Endpoint', 4);
    assert.equal(await rig.condition('WeightsFromLoad'), 'True FromLoad');
  });

  it('made Static again, the written weights are back at once, without a controller', async () => {
    await rig.controller.kill();
    await rig.setPolicy({ type: 'Static' });
    await until('weights are as written', () => rig.weights().join() === '100,100,100');
  });
});
