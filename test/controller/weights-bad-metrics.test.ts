import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Environment, onEveryServer } from '../apiserver/environment.ts';
import { PodMetrics } from '../apiserver/pod-metrics.ts';
import { parseExposition } from '../metrics/exposition.ts';
import { LoadedPools } from './loaded-pools.ts';
import type { Distortion } from './loaded-pools.ts';

/** What comes from one moment on, instead of what is true. */
const distortions: Readonly<Record<string, Distortion>> = {
  missing: () => [],
  stale: frozen(),
  nan: (truth) => [{ ...truth, value: 'NaN' }],
  negative: (truth) => [{ ...truth, value: '-0.5' }],
  infinite: (truth) => [{ ...truth, value: '+Inf' }],
  huge: (truth) => [{ ...truth, value: '1e9' }],
  ahead: (truth) => [{ ...truth, timestampMs: truth.timestampMs + 3_600_000 }],
  behind: (truth) => [{ ...truth, timestampMs: truth.timestampMs - 3_600_000 }],
  doubled: (truth) => [truth, { ...truth, value: '0.9' }],
};
const bad = [...Object.keys(distortions), 'down'];
const all = [...bad, 'well'];

function frozen(): Distortion {
  const first = new Map<string, number>();
  return (truth) => {
    const timestampMs = first.get(truth.value) ?? truth.timestampMs;
    first.set(truth.value, timestampMs);
    return [{ ...truth, timestampMs }];
  };
}

interface EndpointsBody {
  readonly spec?: { readonly endpoints?: readonly { readonly weight?: number }[] };
}

onEveryServer('weights and metrics that are bad', (environment) => {
  let pools: LoadedPools;
  let learnt: ReadonlyMap<string, number | undefined>;

  before(async () => {
    pools = new LoadedPools(environment);
    await pools.open();
    for (const name of all) await pools.add(name, pools.queryPolicy(name));
    // There is no metrics API at all.
    await pools.add('absent', { type: 'CapacityEstimate' });
    await pools.rig.realServer('drained', 'well', { state: 'Drained' });
    await pools.rig.pod('drained', '10.8.0.1', { app: 'drained' });
  });
  after(() => pools.close());

  const conditionOf = async (name: string) => {
    const { conditions } = await pools.rig.status(name);
    const found = conditions.find(({ type }) => type === 'WeightsFromLoad');
    return { verdict: found && `${found.status} ${found.reason}`, message: found?.message ?? '' };
  };

  it('follow good ones first', async () => {
    await pools.run(100);
    for (const name of all) {
      const [fast = 0, slow = 0] = await pools.weightsOf(name);
      assert.ok(fast > 120 && slow < 80, `${name}: ${fast} and ${slow}`);
      assert.equal((await conditionOf(name)).verdict, 'True FromLoad', name);
    }
    assert.deepEqual(await pools.weightsOf('absent'), [100, 100]);
    learnt = await pools.weights();
  });

  it('hold, and say why', async () => {
    for (const [name, distortion] of Object.entries(distortions)) pools.distortions.set(name, distortion);
    pools.down.add('down');
    await pools.run(150);
    for (const name of bad) {
      const { verdict, message } = await conditionOf(name);
      assert.equal(verdict, 'False FewFreshMetrics', name);
      assert.match(message, /0 of 2 servers have fresh metrics/, name);
    }
    assert.equal((await conditionOf('well')).verdict, 'True FromLoad');
    assert.deepEqual(await pools.weights(), learnt);
    assert.match((await conditionOf('down')).message, /The metric source failed: Prometheus .*503/);
    assert.match((await conditionOf('nan')).message, /last sample of nan-\d was left out: .*not a number/);
    assert.match((await conditionOf('negative')).message, /a value is negative/);
    assert.match((await conditionOf('huge')).message, /more CPU than the server can have/);
    assert.match((await conditionOf('ahead')).message, /in the future/);
    assert.match((await conditionOf('absent')).message, /the cluster has no metrics API/);
  });

  it('are counted', async () => {
    let text = '';
    for await (const part of pools.metrics.text()) text += part;
    const { samples } = parseExposition(text);
    const leftOut = (reason: string): number =>
      samples.get(`lvs_controller_weight_inputs_left_out_total{reason="${reason}"}`) ?? -1;
    for (const reason of ['NotANumber', 'Negative', 'Huge', 'ClockAhead'])
      assert.ok(leftOut(reason) > 5, `${reason}: ${leftOut(reason)}`);
    for (const source of ['Prometheus', 'PodMetrics'])
      assert.ok((samples.get(`lvs_controller_weight_source_errors_total{source="${source}"}`) ?? 0) > 5);
    assert.equal(samples.get('lvs_controller_weight_source_errors_total{source="Directors"}'), 0);
    assert.equal(samples.get('lvs_controller_weight_pools{state="held"}'), bad.length);
    assert.equal(samples.get('lvs_controller_weight_pools{state="following"}'), 1);
  });

  it('fade to the base weights in the end, and come back with the metrics', async () => {
    await pools.run(852, 4);
    for (const name of bad) {
      assert.deepEqual(await pools.weightsOf(name), [100, 100], name);
      assert.equal((await conditionOf(name)).verdict, 'False FadingToBase', name);
    }
    assert.deepEqual(await pools.weightsOf('absent'), [100, 100]);
    const [fast = 0, slow = 0] = await pools.weightsOf('well');
    assert.ok(fast > 120 && slow < 80, `${fast} and ${slow}`);
    pools.distortions.clear();
    pools.down.clear();
    await pools.run(90);
    for (const name of bad) {
      const [quick = 0, late = 0] = await pools.weightsOf(name);
      assert.ok(quick > 120 && late < 80, `${name}: ${quick} and ${late}`);
      assert.equal((await conditionOf(name)).verdict, 'True FromLoad', name);
    }
  });

  it('are never 0, and are written by one request for each RealServer at a time', () => {
    const perSecond = new Map<string, number>();
    for (const { second, request } of pools.writes) {
      const { spec } = request.body as EndpointsBody;
      for (const { weight } of spec?.endpoints ?? []) assert.notEqual(weight, 0);
      // At first, pods and RealServers come one by one.
      if (second < 20) continue;
      const key = `${second} ${request.path}`;
      perSecond.set(key, (perSecond.get(key) ?? 0) + 1);
    }
    assert.ok(perSecond.size > 2 * bad.length);
    assert.deepEqual(
      [...perSecond].filter(([, count]) => count > 1),
      [],
    );
  });

  it('of who is drained or fails are left alone', async () => {
    const before = await pools.weights();
    assert.ok(before.has('10.8.0.1'));
    const touched = pools.writes.filter(({ request }) =>
      JSON.stringify(request.body ?? '').includes('10.8.0.1"'),
    );
    assert.ok(touched.length <= 4, `${touched.length} writes`);
    const [, slow] = await pools.weightsOf('well');
    await pools.setReady('well-2', false);
    let [fast = 0, failed] = await pools.weightsOf('well');
    for (let turn = 0; turn < 30 && Math.abs(fast - 100) >= 10; turn++) {
      await pools.run(10);
      [fast = 0, failed] = await pools.weightsOf('well');
    }
    assert.ok(Math.abs(fast - 100) < 10, `alone it is the mean, and not ${fast}`);
    assert.ok(failed === undefined || failed === slow);
  });
});

/** Items of metrics.k8s.io in which something is wrong. */
const items: Readonly<Record<string, (item: Readonly<Record<string, unknown>>) => Record<string, unknown>>> =
  {
    wordy: (item) => ({ ...item, containers: [{ name: 'main', usage: { cpu: 'much' } }] }),
    empty: (item) => ({ ...item, containers: [] }),
    negative: (item) => ({ ...item, containers: [{ name: 'main', usage: { cpu: '-250m' } }] }),
    huge: (item) => ({ ...item, containers: [{ name: 'main', usage: { cpu: '20k' } }] }),
    windowless: (item) => ({ ...item, window: 'soon' }),
    wide: (item) => ({ ...item, window: '1h0m0s' }),
    timeless: (item) => ({ ...item, timestamp: 'yesterday' }),
  };

describe('weights and pod metrics that are bad', () => {
  const podMetrics = new PodMetrics();
  const environment = new Environment('in-process', { podMetrics });
  let pools: LoadedPools;
  let isBad = false;

  /** As metrics-server has it: with whole seconds, a little late. */
  const report = (): void => {
    const wallMs = pools.time.wallMs() - 3000;
    const timestamp = new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
    const { namespace } = environment;
    podMetrics.clear();
    for (const name of [...Object.keys(items), 'well']) {
      for (const [index, cpu] of ['250m', '500m'].entries()) {
        const pod = `${name}-${index + 1}`;
        const item = {
          metadata: { name: pod, namespace },
          timestamp,
          window: '15.1s',
          containers: [{ name: 'main', usage: { cpu, memory: '64Mi' } }],
        };
        podMetrics.write(namespace, pod, isBad ? (items[name]?.(item) ?? item) : item);
      }
    }
  };

  before(async () => {
    await environment.open();
    pools = new LoadedPools(environment);
    pools.onPass = report;
    await pools.open();
    for (const name of [...Object.keys(items), 'well']) await pools.add(name, { type: 'CapacityEstimate' });
    await pools.run(100);
  });
  after(async () => {
    await pools.close();
    await environment.close();
  });

  const verdictOf = (name: string) => pools.rig.condition(name, 'WeightsFromLoad');

  it('hold, and one that is well goes on', async () => {
    const learnt = await pools.weights();
    const [fast = 0, slow = 0] = await pools.weightsOf('wide');
    assert.ok(fast > 120 && slow < 80, `${fast} and ${slow}`);
    isBad = true;
    await pools.run(120);
    for (const name of Object.keys(items)) assert.equal(await verdictOf(name), 'False FewFreshMetrics', name);
    assert.equal(await verdictOf('well'), 'True FromLoad');
    assert.deepEqual(await pools.weights(), learnt);
  });

  it('hold while metrics-server is away, and follow when it is back', async () => {
    isBad = false;
    await pools.run(60);
    assert.equal(await verdictOf('wordy'), 'True FromLoad');
    const learnt = await pools.weights();
    podMetrics.isAvailable = false;
    await pools.run(120);
    assert.equal(await verdictOf('well'), 'False FewFreshMetrics');
    assert.deepEqual(await pools.weights(), learnt);
    podMetrics.isAvailable = true;
    await pools.run(60);
    assert.equal(await verdictOf('well'), 'True FromLoad');
  });

  it('hold while no director is heard', async () => {
    const learnt = await pools.weights();
    pools.director.answer = (response) => void response.writeHead(500).end();
    await pools.run(120);
    assert.match(String(await verdictOf('well')), /^False (?:NoConnectionReadings|FewFreshMetrics)$/);
    assert.deepEqual(await pools.weights(), learnt);
    pools.director.answer = undefined;
    await pools.run(60);
    assert.equal(await verdictOf('well'), 'True FromLoad');
  });
});
