import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VirtualServiceSpec } from '../../src/api/index.ts';
import { allMetrics } from '../../src/controller/index.ts';
import { provideWeightMetrics } from '../../src/controller/weight-numbers.ts';
import { WeightPool } from '../../src/controller/weight-pool.ts';
import type { PoolServer } from '../../src/controller/weight-pool.ts';
import { Metrics } from '../../src/metrics/index.ts';
import { rejectionTexts, weightReasons } from '../../src/weight/index.ts';
import { parseExposition } from '../metrics/exposition.ts';

const server: PoolServer = {
  address: '10.8.0.1',
  name: 'uid-1',
  podName: 'web-1',
  resources: { cpuLimit: 1, cpuRequest: undefined, memoryLimit: undefined },
  isServing: true,
  configuredWeight: 100,
  sliceWeight: 100,
  isKnown: true,
  isShared: false,
};

function poolOf(servers: readonly PoolServer[]): WeightPool {
  const spec = { scheduler: 'wlc', weightPolicy: { type: 'CapacityEstimate' } } as VirtualServiceSpec;
  const pool = new WeightPool('shop/web', spec, 0);
  pool.setServers('shop/web', servers);
  return pool;
}

async function samplesOf(pools: readonly WeightPool[]): Promise<ReadonlyMap<string, number>> {
  const metrics = new Metrics(allMetrics);
  provideWeightMetrics(metrics, () => pools);
  let text = '';
  for await (const part of metrics.text()) text += part;
  return new Map(
    [...parseExposition(text).samples].filter(([name]) =>
      /^lvs_controller_(?:weight|real_server_(?!slices)|virtual_service_w)/.test(name),
    ),
  );
}

describe('numbers about weights', () => {
  it('are counters at zero and no series while nothing follows the load', async () => {
    const samples = await samplesOf([]);
    const named = (name: string): string[] =>
      [...samples.keys()].filter((key) => key.startsWith(name)).map((key) => key.split('"')[1] ?? '');
    assert.ok([...samples.values()].every((value) => value === 0));
    assert.deepEqual(
      named('lvs_controller_weight_writes_total').toSorted(),
      Object.keys(weightReasons).toSorted(),
    );
    assert.deepEqual(
      named('lvs_controller_weight_inputs_left_out_total').toSorted(),
      [
        ...Object.keys(rejectionTexts).filter((name) => name !== 'SeenBefore'),
        'ImpossibleReading',
      ].toSorted(),
    );
    assert.deepEqual(named('lvs_controller_weight_pools'), ['following', 'held', 'fading', 'base']);
    assert.deepEqual(named('lvs_controller_real_server_'), []);
  });

  it('tell each address of a pool once, and what is not known not at all', async () => {
    const drained = { ...server, address: '10.8.0.2', name: 'uid-2', isServing: false };
    const pool = poolOf([server, drained]);
    pool.tick(1000);
    const samples = await samplesOf([pool]);
    const of = (name: string, address: string): number | undefined =>
      samples.get(`lvs_controller_real_server_${name}{virtual_service="shop/web",address="${address}"}`);
    assert.equal(of('weight', '10.8.0.1'), 100);
    assert.equal(of('weight', '10.8.0.2'), 0);
    assert.equal(of('in_flight_factor', '10.8.0.1'), 1);
    assert.equal(of('in_flight_factor', '10.8.0.2'), undefined);
    assert.equal(of('capacity_estimate', '10.8.0.1'), undefined);
    assert.equal(of('metric_age_seconds', '10.8.0.1'), undefined);
    assert.equal(samples.get('lvs_controller_weight_pools{state="held"}'), 1);
    assert.equal(
      samples.get(
        'lvs_controller_virtual_service_weights{virtual_service="shop/web",reason="NoConnectionReadings"}',
      ),
      1,
    );
  });

  it('go by the second, and end with the endpoint', async () => {
    const pool = poolOf([server]);
    const report = (seconds: number): void =>
      pool.observeConnections([
        {
          realServer: 'uid-1',
          director: 'n1',
          virtualService: 'shop/web',
          atMs: seconds * 1000,
          totalConnections: seconds * 10,
          activeConnections: 1,
        },
      ]);
    pool.tick(0);
    for (let second = 1; second <= 20; second++) report(second);
    pool.observeMetrics([{ realServer: 'uid-1', timestampMs: 18_000, windowMs: 15_000, cpuCores: 0.5 }]);
    pool.observeMetrics([
      { realServer: 'uid-1', timestampMs: 19_000, windowMs: 15_000, cpuCores: Number.NaN },
    ]);
    const { leftOut } = pool.tick(20_000);
    assert.deepEqual([...leftOut], [['NotANumber', 1]]);

    assert.deepEqual([...pool.tick(20_500).leftOut], []);
    const samples = await samplesOf([pool]);
    const age =
      'lvs_controller_real_server_metric_age_seconds{virtual_service="shop/web",address="10.8.0.1"}';
    assert.equal(samples.get(age), 2);
    assert.equal(samples.get(age.replace('metric_age_seconds', 'capacity_estimate')), 1);
    assert.equal(samples.get('lvs_controller_weight_pools{state="following"}'), 1);
    pool.setServers('shop/web', []);
    const after = await samplesOf([pool]);
    assert.ok(![...after.keys()].some((name) => name.startsWith('lvs_controller_real_server_')));
  });
});
