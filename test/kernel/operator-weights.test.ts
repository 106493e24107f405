import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { realServerType } from '../../src/cluster/index.ts';
import type { LabLoad, LoadCounts } from '../lab/load.ts';
import { sleep, until } from './director-eyes.ts';
import { WeightsRig } from './weights-rig.ts';

/** Weights that follow the load, in a real kernel with real requests: three servers, of which one is much slower. */

const serviceMs = [90, 25, 25];
const perSecond = 40;

let rig: WeightsRig;
let load: LabLoad;

before(async () => {
  rig = await WeightsRig.start(serviceMs);
  await rig.applyWeb('wrr');
  load = await rig.startLoad(perSecond);
});

after(() => rig.close());

const shareOfSlow = ({ byServer, answered }: LoadCounts): number => (byServer['server1'] ?? 0) / answered;

/** Requests of so many seconds from now. */
async function measure(seconds: number): Promise<LoadCounts> {
  await load.take();
  await sleep(seconds * 1000);
  return load.take();
}

describe('three servers, one of them slow', () => {
  let asWritten: LoadCounts;

  it('with weights as written, it gets a third and clients wait: the control', async () => {
    asWritten = await measure(10);
    console.log('static', JSON.stringify(asWritten), rig.weights().join());
    assert.deepEqual(rig.weights(), [100, 100, 100]);
    assert.equal(asWritten.failed, 0);
    assert.ok(asWritten.p99Ms > 500, `${asWritten.p99Ms} ms`);
  });

  it('with CapacityEstimate its weight falls, and nobody waits for it any more', async () => {
    const beganMs = performance.now();
    await rig.setPolicy({ type: 'CapacityEstimate' });
    const isLearnt = (): boolean => {
      const [slow = 0, ...fast] = rig.weights();
      return slow > 0 && fast.every((weight) => (weight ?? 0) > 2 * slow);
    };
    await until('the slow one has less than half of the others', isLearnt, 60_000).catch(
      async (error: unknown) => {
        console.log(rig.controller.log.slice(-3000), rig.director.log.slice(-2000));
        console.log(JSON.stringify((await rig.cluster.objects.get(realServerType, 'web'))['status']));
        throw error;
      },
    );
    const tookSeconds = (performance.now() - beganMs) / 1000;
    console.log(`weights moved after ${tookSeconds.toFixed(1)} s: ${rig.weights().join()}`);
    await until(
      'the condition says so',
      async () => (await rig.condition('WeightsFromLoad')) === 'True FromLoad',
    );
    // The queue that was built up before has to go first.
    await sleep(5000);
    const following = await measure(10);
    console.log('follows the load', JSON.stringify(following), rig.weights().join());
    assert.equal(following.failed, 0);
    assert.ok(following.p99Ms < asWritten.p99Ms / 2, `${following.p99Ms} ms after ${asWritten.p99Ms} ms`);
    assert.ok(shareOfSlow(following) < 0.25, JSON.stringify(following.byServer));
  });

  it('made Static again, the written weights are back at once, without a controller', async () => {
    await rig.controller.kill();
    await rig.setPolicy({ type: 'Static' });
    await until('weights are as written', () => rig.weights().join() === '100,100,100');
  });
});
