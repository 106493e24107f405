import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { performance } from 'node:perf_hooks';
import {
  createWeightController,
  weightReasons,
  type MetricSample,
  type WeightPolicy,
} from '../../src/weight/index.ts';
import { refuseDynamicWeights, schedulerNames, weightFollowingSchedulers } from '../../src/api/index.ts';
import { Feed, type FedServer } from './feed.ts';

const estimate: WeightPolicy = { type: 'CapacityEstimate' };
const two = [
  { name: 'a', cpuLimitCores: 2 },
  { name: 'b', cpuLimitCores: 2 },
];
/** The same load, for which b needs twice the CPU. */
const uneven: FedServer[] = [
  { name: 'a', perSecond: 100, cpuCores: 0.6 },
  { name: 'b', perSecond: 100, cpuCores: 1.2 },
];
const even: FedServer[] = uneven.map((server) => ({ ...server, cpuCores: 1 }));

describe('weights', () => {
  it('Static: are what people wrote', () => {
    const feed = new Feed({ type: 'Static' }, [
      { name: 'a', baseWeight: 30 },
      { name: 'b', baseWeight: 70 },
    ]);
    feed.run(60, uneven);
    assert.deepEqual([feed.weight('a'), feed.weight('b')], [30, 70]);
    assert.equal(feed.reason('a'), 'Configured');
    assert.equal(feed.advice.verdict.isFromLoad, false);
  });

  it('begin in proportion to CPU limits when every server has one', () => {
    const feed = new Feed(estimate, [
      { name: 'a', cpuLimitCores: 3 },
      { name: 'b', cpuLimitCores: 1 },
    ]);
    assert.deepEqual([feed.weight('a'), feed.weight('b')], [150, 50]);
    assert.equal(feed.reason('a'), 'Base');
  });

  it('begin equal when one limit is missing, and as configured when weights differ', () => {
    const holes = new Feed(estimate, [{ name: 'a', cpuLimitCores: 3 }, { name: 'b' }]);
    assert.deepEqual([holes.weight('a'), holes.weight('b')], [100, 100]);
    const configured = new Feed(estimate, [
      { name: 'a', cpuLimitCores: 3, baseWeight: 10 },
      { name: 'b', cpuLimitCores: 1, baseWeight: 30 },
    ]);
    assert.deepEqual([configured.weight('a'), configured.weight('b')], [50, 150]);
  });

  it('follow completions per CPU', () => {
    const feed = new Feed(estimate, two);
    feed.run(180, uneven);
    const ratio = feed.weight('a') / feed.weight('b');
    assert.ok(ratio > 1.8 && ratio < 2.2, `2 was to come, ${ratio} came`);
    assert.equal(feed.reason('a'), 'FromLoad');
    assert.equal(feed.advice.verdict.isFromLoad, true);
  });

  it('stay within minPercent and maxPercent of the base', () => {
    const feed = new Feed({ ...estimate, minPercent: 90, maxPercent: 110 }, two);
    feed.run(240, uneven);
    assert.ok(feed.weight('a') <= 110 && feed.weight('b') >= 90, `${feed.weight('a')} ${feed.weight('b')}`);
  });

  it('base Policy: what people wrote stays a wish on top of the load', () => {
    const servers = [
      { name: 'a', cpuLimitCores: 2, baseWeight: 50 },
      { name: 'b', cpuLimitCores: 2, baseWeight: 150 },
    ];
    const wish = new Feed({ ...estimate, base: 'Policy' }, servers);
    wish.run(180, even);
    assert.ok(wish.weight('b') / wish.weight('a') > 2.7, 'the wish holds');
    const prior = new Feed(estimate, servers);
    prior.run(240, even);
    assert.ok(prior.weight('b') / prior.weight('a') < 1.3, 'the prior gives way');
  });

  it('never speak about servers that are drained, failed or at 0', () => {
    const feed = new Feed(estimate, [
      ...two,
      { name: 'c', state: 'Drained' },
      { name: 'd', state: 'Failed' },
      { name: 'e', baseWeight: 0 },
    ]);
    feed.run(60, uneven);
    assert.deepEqual([...feed.advice.weights.keys()], ['a', 'b']);
    assert.match(feed.controller.explain('c')?.reason ?? '', /drained/);
  });

  it('ramp a server that joins, but none at the start', () => {
    const feed = new Feed(estimate, two);
    assert.deepEqual([feed.weight('a'), feed.weight('b')], [100, 100]);
    feed.run(100, even);
    feed.controller.observeRealServers([...two, { name: 'c', cpuLimitCores: 2 }]);
    feed.run(1, even);
    assert.equal(feed.weight('c'), 10);
    assert.equal(feed.reason('c'), 'Ramp');
    feed.run(75, [...even, { name: 'c', perSecond: 100, cpuCores: 1 }]);
    assert.ok(feed.weight('c') > 85, `${feed.weight('c')}`);
  });

  it('are taken over from the kernel by a controller that starts, unless they are merely the configured ones', () => {
    const found = new Feed(estimate, [
      { ...two[0], name: 'a', currentWeight: 133 },
      { ...two[1], name: 'b', currentWeight: 67 },
    ]);
    assert.deepEqual([found.weight('a'), found.weight('b'), found.advice.changes], [133, 67, 0]);
    const configured = new Feed(estimate, [
      { name: 'a', cpuLimitCores: 3, currentWeight: 100 },
      { name: 'b', cpuLimitCores: 1, currentWeight: 100 },
    ]);
    assert.deepEqual([configured.weight('a'), configured.weight('b')], [150, 50]);
  });

  it('hold when there is little to do', () => {
    const feed = new Feed(estimate, two);
    feed.run(
      120,
      uneven.map((server) => ({ ...server, cpuCores: server.cpuCores / 20 })),
    );
    assert.deepEqual([feed.weight('a'), feed.weight('b')], [100, 100]);
    assert.equal(feed.reason('a'), 'LittleLoad');
  });

  it('of long-lived connections follow the open ones, not the new ones', () => {
    const feed = new Feed(estimate, two);
    feed.run(900, [
      { name: 'a', perSecond: 1, residenceSeconds: 500, cpuCores: 0.5 },
      { name: 'b', perSecond: 1, residenceSeconds: 500, cpuCores: 1 },
    ]);
    const ratio = feed.weight('a') / feed.weight('b');
    assert.ok(ratio > 1.7 && ratio < 2.3, `${ratio}`);
  });

  it('without a metric are cut to what a server completes while it has a backlog (InFlight, wrr)', () => {
    const feed = new Feed({ type: 'InFlight' }, two, 'wrr');
    feed.run(30, even);
    assert.deepEqual([feed.weight('a'), feed.weight('b')], [10, 10]);
    for (let second = 0; second < 20; second++)
      feed.run(1, [
        { name: 'a', perSecond: 100, cpuCores: 1 },
        { name: 'b', perSecond: 100, cpuCores: 1, residenceSeconds: 0.05 + second * 0.4 },
      ]);
    assert.ok(feed.weight('b') <= 5, `${feed.weight('b')}`);
    assert.equal(feed.reason('b'), 'InFlight');
  });

  it('are the same for the same calls', () => {
    const run = () => {
      const feed = new Feed(estimate, two, 'wrr');
      feed.run(300, uneven);
      return [...feed.advice.weights];
    };
    assert.deepEqual(run(), run());
  });

  it('of 1,000 servers take less than 50 ms', () => {
    const servers = Array.from({ length: 1000 }, (_, i) => ({ name: `s${i}`, cpuLimitCores: 1 + (i % 4) }));
    const fed = servers.map(({ name }) => ({ name, perSecond: 20, cpuCores: 0.8 }));
    const feed = new Feed(estimate, servers);
    feed.run(60, fed);
    const times: number[] = [];
    for (let round = 0; round < 9; round++) {
      feed.run(4, fed);
      const start = performance.now();
      feed.controller.tick(feed.nowMs + 999);
      times.push(performance.now() - start);
    }
    // The machine of a test may be busy: the fastest round says what the code costs.
    assert.ok(Math.min(...times) < 50, `${Math.min(...times)} ms`);
  });
});

describe('bad metrics', () => {
  const faults: [what: string, distort: (sample: MetricSample, now: number) => MetricSample | undefined][] = [
    ['missing', () => undefined],
    ['not a number', (sample) => ({ ...sample, cpuCores: NaN })],
    ['infinite', (sample) => ({ ...sample, cpuCores: Infinity })],
    ['negative', (sample) => ({ ...sample, cpuCores: -1 })],
    ['huge', (sample) => ({ ...sample, cpuCores: 1e9 })],
    ['more than the server has', (sample) => ({ ...sample, cpuCores: 900 })],
    ['without a value', ({ realServer, timestampMs, windowMs }) => ({ realServer, timestampMs, windowMs })],
    ['from the future', (sample, now) => ({ ...sample, timestampMs: now + 60_000 })],
    ['of a clock without numbers', (sample) => ({ ...sample, timestampMs: NaN })],
    ['hours old', (sample) => ({ ...sample, timestampMs: sample.timestampMs - 3_600_000 })],
    ['the same for ever', (sample) => ({ ...sample, timestampMs: 1_185_000 })],
    ['of no window', (sample) => ({ ...sample, windowMs: 0 })],
    ['of a negative window', (sample) => ({ ...sample, windowMs: -15_000 })],
  ];
  for (const [what, distort] of faults) {
    it(`${what}: weights hold, then return to the base, and the verdict says so`, () => {
      const feed = new Feed(estimate, two);
      feed.run(180, uneven);
      const learnt = [feed.weight('a'), feed.weight('b')];
      feed.distort = (sample) => distort(sample, feed.nowMs);
      feed.run(240, uneven);
      assert.deepEqual([feed.weight('a'), feed.weight('b')], learnt, 'held');
      assert.equal(feed.advice.isPanic, true);
      assert.equal(feed.reason('a'), 'FewFreshMetrics');
      assert.equal(feed.advice.verdict.isFromLoad, false);
      feed.run(900, uneven);
      const ends = [feed.weight('a'), feed.weight('b')];
      assert.ok(
        ends.every((weight) => Math.abs(weight - 100) <= 10),
        `back at the base, not ${String(ends)}`,
      );
      assert.equal(feed.advice.verdict.reason, 'FadingToBase');
      feed.distort = (sample) => sample;
      feed.run(240, uneven);
      assert.ok(feed.weight('a') > 1.6 * feed.weight('b'), 'learns again');
    });
  }

  it('of one server: it alone returns to its base, sooner', () => {
    const three = [...two, { name: 'c', cpuLimitCores: 2 }];
    const load: FedServer[] = [...uneven, { name: 'c', perSecond: 100, cpuCores: 0.6 }];
    const feed = new Feed(estimate, three);
    feed.run(180, load);
    const before = feed.weight('b');
    feed.distort = (sample) => (sample.realServer === 'b' ? undefined : sample);
    feed.run(120, load);
    assert.equal(feed.weight('b'), before);
    assert.equal(feed.reason('b'), 'StaleMetrics');
    assert.equal(feed.advice.isPanic, false);
    feed.run(240, load);
    assert.equal(feed.reason('b'), 'FadingToBase');
    assert.ok(feed.weight('b') > before, `${feed.weight('b')} > ${before}`);
    assert.equal(feed.reason('a'), 'FromLoad');
  });

  it('metrics and directors gone: every weight holds', () => {
    const feed = new Feed(estimate, two);
    feed.run(180, uneven);
    const learnt = [feed.weight('a'), feed.weight('b')];
    feed.hasDirectors = false;
    feed.run(120, uneven);
    assert.deepEqual([feed.weight('a'), feed.weight('b')], learnt);
    assert.equal(feed.advice.verdict.reason, 'NoConnectionReadings');
  });

  it('a failure of the source is told until samples come again', () => {
    const feed = new Feed(estimate, two);
    feed.controller.observeMetricsFailure('metrics.k8s.io answered 503');
    feed.controller.tick(feed.nowMs + 5000);
    assert.match(feed.controller.tick(feed.nowMs + 10_000).verdict.message, /answered 503/);
  });

  it('a clock that is set back, or no number, changes nothing', () => {
    const feed = new Feed(estimate, two);
    feed.run(180, uneven);
    const advice = feed.advice;
    assert.equal(feed.controller.tick(feed.nowMs - 60_000), advice);
    assert.equal(feed.controller.tick(NaN), advice);
  });
});

describe('bad readings', () => {
  it('are left out and counted', () => {
    const feed = new Feed(estimate, two);
    feed.run(180, uneven);
    const learnt = [feed.weight('a'), feed.weight('b')];
    const reading = { ...feed.reading({ name: 'a', perSecond: 100, cpuCores: 1 }), atMs: feed.nowMs + 1 };
    feed.controller.observeConnections([
      { ...reading, totalConnections: NaN },
      { ...reading, activeConnections: -1 },
      { ...reading, totalConnections: 1e15 },
      { ...reading, atMs: feed.nowMs - 5000 },
      { ...reading, synchronisedConnections: -3 },
      { ...reading, realServer: 'unknown' },
    ]);
    feed.run(60, uneven);
    assert.deepEqual([feed.weight('a'), feed.weight('b')], learnt);
    const explained = feed.controller.explain('a');
    assert.equal(explained?.steps.find(({ text }) => text.includes('could not be true'))?.value, 5);
  });

  it('a counter that starts over does not look like work', () => {
    const feed = new Feed(estimate, two);
    feed.run(180, uneven);
    const before = feed.weight('a');
    const fresh = new Map(uneven.map(({ name }) => [name, 0]));
    for (let second = 0; second < 120; second++) {
      feed.nowMs += 1000;
      for (const { name, perSecond } of uneven) fresh.set(name, (fresh.get(name) ?? 0) + perSecond);
      feed.controller.observeConnections(
        uneven.map((server) => ({ ...feed.reading(server), totalConnections: fresh.get(server.name) ?? 0 })),
      );
      const timestampMs = Math.floor((feed.nowMs - 5000) / 15_000) * 15_000;
      feed.controller.observeMetrics(
        uneven.map(({ name, cpuCores }) => ({ realServer: name, timestampMs, windowMs: 15_000, cpuCores })),
      );
      feed.advice = feed.controller.tick(feed.nowMs);
    }
    assert.ok(Math.abs(feed.weight('a') - before) <= 0.1 * before);
  });
});

describe('schedulers', () => {
  it('that read weights as shares may follow the load; the others say what to use', () => {
    const suitable = schedulerNames.filter((name) => refuseDynamicWeights(name) === undefined);
    assert.deepEqual(suitable, ['wrr', 'wlc', 'sed', 'nq']);
    assert.deepEqual([...weightFollowingSchedulers].toSorted(), suitable.toSorted());
    for (const name of schedulerNames) assert.match(refuseDynamicWeights(name) ?? `${name} use`, /use/);
  });

  it('that do not keep the configured weights, and the verdict says why', () => {
    const controller = createWeightController({ scheduler: 'sh', policy: estimate });
    controller.observeRealServers([{ name: 'a', baseWeight: 7 }]);
    const { weights, verdict } = controller.tick(1000);
    assert.equal(weights.get('a')?.weight, 7);
    assert.equal(verdict.reason, 'SchedulerIgnoresWeights');
    assert.match(verdict.message, /other real servers/);
  });

  it('wrr gets a mean weight of about 10 and a warning when a round takes long', () => {
    const feed = new Feed(estimate, two, 'wrr');
    feed.run(
      60,
      uneven.map((server) => ({ ...server, perSecond: 5 })),
    );
    assert.equal(feed.weight('a') + feed.weight('b'), 20);
    assert.match(feed.advice.warnings[0] ?? '', /One round of wrr takes 2\.0 s/);
  });
});

describe('an explanation', () => {
  it('has the inputs and each step', () => {
    const feed = new Feed(estimate, two);
    feed.run(120, uneven);
    const explained = feed.controller.explain('a');
    assert.deepEqual(
      explained?.steps.map(({ step }) => step),
      [
        'base',
        'prior',
        'metric age',
        'metric window',
        'cores',
        'utilisation',
        'arrivals',
        'active',
        'residence',
        'estimate',
        'relative',
        'backoff',
      ].concat(['drain', 'wanted', 'level', 'exact', 'weight']),
    );
    assert.equal(explained?.reason, weightReasons.FromLoad);
    assert.equal(explained?.weight, feed.weight('a'));
    assert.equal(feed.controller.explain('unknown'), undefined);
  });
});
