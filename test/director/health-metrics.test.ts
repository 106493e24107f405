import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureReasons, latencyBucketsMs, voidReasons } from '../../src/health/index.ts';
import type { ProbeRecord, ProbeTotals } from '../../src/health/index.ts';
import { provideHealthMetrics } from '../../src/director/health-metrics.ts';
import type { HealthNumbers } from '../../src/director/director-health.ts';
import { TransitionCounter } from '../../src/director/transition-counter.ts';
import { Metrics, healthMetrics } from '../../src/metrics/index.ts';
import { noHealthMemory } from '../../src/plan/index.ts';
import { parseExposition } from '../metrics/exposition.ts';
import { HealthWorld, service } from '../plan/health-world.ts';
import { realServer, virtualService } from '../plan/world.ts';

const quiet: HealthNumbers = {
  memory: noHealthMemory,
  transitions: new TransitionCounter().counts,
  totals: [],
  prober: {
    probes: 0,
    overdue: 0,
    oldestAgeMs: 0,
    restarts: 0,
    punctuality: { delayMs: 0, missed: 0, heldUpMs: 0 },
  },
  recordOf: () => undefined,
};

async function read(numbers: HealthNumbers | undefined): Promise<ReadonlyMap<string, number>> {
  const metrics = new Metrics(healthMetrics);
  provideHealthMetrics(metrics, () => numbers);
  let text = '';
  for await (const part of metrics.text()) text += part;
  return parseExposition(text).samples;
}

const rips = (count: number) => Array.from({ length: count }, (_, index) => `10.1.0.${index + 1}`);

/** A VirtualService with so many checked real servers. */
function checked(count: number, spec: Readonly<Record<string, unknown>> = {}) {
  return {
    virtualServices: [virtualService('web', { healthCheck: { tcp: {} }, ...spec })],
    realServers: [realServer('web', 'web', rips(count))],
  };
}

const labelsOf = (server: number) =>
  `{virtual_service="default/web",service="${service}",real_server="10.1.0.${server}:80"}`;
const ofService = `{virtual_service="default/web",service="${service}"`;

describe('metrics of health', () => {
  it('are there at zero from the start, of every reason and kind of check, before anything is served', async () => {
    for (const numbers of [undefined, quiet]) {
      const samples = await read(numbers);
      for (const reason of Object.keys(failureReasons)) {
        assert.equal(samples.get(`lvs_director_probe_failures_total{reason="${reason}"}`), 0);
        const down = `lvs_director_health_transitions_total{state="down",reason="${reason}"}`;
        assert.equal(samples.get(down), 0);
      }
      for (const reason of Object.keys(voidReasons))
        assert.equal(samples.get(`lvs_director_probes_void_total{reason="${reason}"}`), 0);
      assert.equal(samples.get('lvs_director_probes_total{check="https",outcome="failed"}'), 0);
      assert.equal(samples.get('lvs_director_prober_restarts_total'), 0);
      assert.equal(samples.get('lvs_director_prober_missed_probes_total'), 0);
    }
  });

  it('tell probes by check and outcome, and their time in the buckets of the definition', async () => {
    const bounds = latencyBucketsMs.filter((bound) => bound !== Infinity).map((bound) => bound / 1000);
    assert.deepEqual(bounds, healthMetrics.lvs_director_probe_duration_seconds.buckets);
    const totals: ProbeTotals[] = [
      {
        type: 'https',
        outcomes: { passed: 5, CertificateExpired: 2, ProberLate: 1 },
        latency: latencyBucketsMs.map((bound) => (bound < 10 ? 0 : bound < 1000 ? 5 : 7)),
        latencySumMs: 2050,
      },
      {
        type: 'tcp',
        outcomes: { ConnectTimeout: 4 },
        latency: latencyBucketsMs.map(() => 4),
        latencySumMs: 4,
      },
    ];
    const samples = await read({ ...quiet, totals });
    const probes = (check: string, outcome: string) =>
      samples.get(`lvs_director_probes_total{check="${check}",outcome="${outcome}"}`);
    assert.deepEqual(
      [
        probes('https', 'passed'),
        probes('https', 'failed'),
        probes('https', 'void'),
        probes('tcp', 'failed'),
      ],
      [5, 2, 1, 4],
    );
    assert.equal(samples.get('lvs_director_probe_failures_total{reason="CertificateExpired"}'), 2);
    assert.equal(samples.get('lvs_director_probes_void_total{reason="ProberLate"}'), 1);
    const duration = 'lvs_director_probe_duration_seconds';
    assert.equal(samples.get(`${duration}_bucket{check="https",le="0.005"}`), 0);
    assert.equal(samples.get(`${duration}_bucket{check="https",le="0.01"}`), 5);
    assert.equal(samples.get(`${duration}_bucket{check="https",le="+Inf"}`), 7);
    assert.equal(samples.get(`${duration}_sum{check="https"}`), 2.05);
    assert.equal(samples.get(`${duration}_count{check="https"}`), 7);
  });

  it('tell every state of a server, and end with it', async () => {
    const world = new HealthWorld(checked(4)).up();
    const before = world.memory;
    const transitions = new TransitionCounter();
    world.fail('ConnectionRefused', 1, 2);
    transitions.compare(before, world.memory);
    const up: ProbeRecord = { ageMs: 1234, outcome: 'passed', certificateEndsMs: 1_800_000_000_000 };
    const samples = await read({
      ...quiet,
      memory: world.memory,
      transitions: transitions.counts,
      recordOf: (entry) => (entry.endsWith('.3:80') ? up : undefined),
    });
    const count = (state: string) =>
      samples.get(`lvs_director_virtual_service_checked_real_servers${ofService},state="${state}"}`);
    assert.deepEqual(['up', 'down', 'new', 'flapping', 'held'].map(count), [2, 2, 0, 0, 0]);
    assert.equal(samples.get(`lvs_director_real_server_up${labelsOf(1)}`), 0);
    assert.equal(samples.get(`lvs_director_real_server_up${labelsOf(3)}`), 1);
    assert.equal(samples.get(`lvs_director_real_server_probe_age_seconds${labelsOf(3)}`), 1.234);
    const expiry = 'lvs_director_real_server_certificate_expiry_timestamp_seconds';
    assert.equal(samples.get(`${expiry}${labelsOf(3)}`), 1_800_000_000);
    assert.equal(samples.has(`${expiry}${labelsOf(1)}`), false);
    const down = 'lvs_director_health_transitions_total{state="down",reason="ConnectionRefused"}';
    assert.equal(samples.get(down), 2);

    world.want(checked(1));
    const after = await read({ ...quiet, memory: world.memory });
    assert.equal(after.has(`lvs_director_real_server_up${labelsOf(3)}`), false);
    world.want({});
    assert.equal(
      [...(await read({ ...quiet, memory: world.memory })).keys()].join().includes('default/web'),
      false,
    );
  });

  it('tell newcomers, flapping servers, and those that a director in isolation holds', async () => {
    const states = async (world: HealthWorld) => {
      const samples = await read({ ...quiet, memory: world.memory });
      return [...samples].flatMap(([series, value]) => {
        const [, state] = /checked_real_servers\{.*state="(\w+)"/.exec(series) ?? [];
        return state !== undefined && value > 0 ? [`${state} ${value}`] : [];
      });
    };
    const world = new HealthWorld(checked(2));
    assert.deepEqual(await states(world), ['new 2']);
    world.up();
    for (let fall = 0; fall < 3; fall++) world.down(1).after(2000).up(1).after(2000);
    assert.deepEqual(await states(world), ['up 1', 'flapping 1']);
    world.isUplinkDown = true;
    world.down(2);
    assert.deepEqual(await states(world), ['flapping 1', 'held 1']);
  });

  it('tell lost quorums, sorry servers and health that is ignored', async () => {
    const told = async (world: HealthWorld) => {
      const samples = await read({ ...quiet, memory: world.memory });
      return ['quorum_lost', 'sorry_serving', 'health_ignored'].map((name) =>
        samples.get(`lvs_director_virtual_service_${name}${ofService}}`),
      );
    };
    const quorum = { minimum: 2 };
    const world = new HealthWorld(checked(3, { quorum })).up();
    assert.deepEqual(await told(world), [0, 0, 0]);
    world.down(1, 2);
    assert.deepEqual(await told(world), [1, 0, 0]);
    const panicking = new HealthWorld(checked(3, { panicThresholdPercent: 50 })).up().down(1, 2);
    assert.deepEqual(await told(panicking), [0, 0, 1]);
  });
});
