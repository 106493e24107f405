import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LvsDynamicFeedbackPolicy } from '../../src/weight/index.ts';
import { Feed, type FedServer } from './feed.ts';

/** Only the CPU counts, so that the aggregate load is the utilisation. */
const cpuOnly: LvsDynamicFeedbackPolicy = {
  type: 'LVSDynamicFeedback',
  shares: { input: 0, cpu: 1, disk: 0, memory: 0, processes: 0, response: 0 },
  threshold: 0,
  floor: 0.01,
};
const pool = [
  { name: 'a', cpuLimitCores: 1 },
  { name: 'b', cpuLimitCores: 1 },
];

describe('the formula of the authors of LVS', () => {
  const vectors: [utilisation: number, moves: number][] = [
    [0.95, 0],
    [0.45, 3.969],
    [0, 4.915],
    [1, -1.842],
  ];
  for (const [utilisation, moves] of vectors) {
    it(`moves a weight by ${moves} at a load of ${utilisation}`, () => {
      const feed = new Feed(cpuOnly, pool);
      const load: FedServer[] = pool.map(({ name }) => ({ name, perSecond: 100, cpuCores: utilisation }));
      feed.run(31, load);
      const before = exactWeight(feed);
      feed.run(10, load);
      assert.ok(Math.abs(exactWeight(feed) - before - moves) < 0.001, `${exactWeight(feed) - before}`);
    });
  }

  it('keeps weights between floor and scale times the base', () => {
    const feed = new Feed({ ...cpuOnly, floor: 1, scale: 2 }, pool);
    feed.run(900, [
      { name: 'a', perSecond: 100, cpuCores: 0.2 },
      { name: 'b', perSecond: 100, cpuCores: 1 },
    ]);
    assert.deepEqual([feed.weight('a'), feed.weight('b')], [200, 100]);
  });

  it('adds up all six inputs by their shares, and leaves out what nobody delivers', () => {
    const feed = new Feed({ type: 'LVSDynamicFeedback' }, pool);
    const load: FedServer[] = pool.map(({ name }) => ({ name, perSecond: 100, cpuCores: 0.5 }));
    feed.run(60, load);
    // New connections are at the mean of the pool: (0.1 * 1 + 0.4 * 0.5) / 0.5.
    assert.ok(Math.abs(aggregateLoad(feed) - 0.6) < 0.01, `${aggregateLoad(feed)}`);
    feed.distort = (sample) => ({ ...sample, memory: 0.3, disk: 0.2, processes: 0.1, responseMs: 20 });
    feed.run(30, load);
    assert.ok(Math.abs(aggregateLoad(feed) - 0.56) < 0.01, `${aggregateLoad(feed)}`);
  });

  it('holds a weight without metrics, and in the end returns it to the base', () => {
    const feed = new Feed(cpuOnly, pool);
    feed.run(120, [
      { name: 'a', perSecond: 100, cpuCores: 0.2 },
      { name: 'b', perSecond: 100, cpuCores: 0.2 },
    ]);
    const risen = feed.weight('a');
    assert.ok(risen > 110);
    feed.distort = () => undefined;
    feed.run(90, [{ name: 'a', perSecond: 100, cpuCores: 0.2 }]);
    const held = feed.weight('a');
    feed.run(120, [{ name: 'a', perSecond: 100, cpuCores: 0.2 }]);
    assert.equal(feed.weight('a'), held);
    feed.run(900, [{ name: 'a', perSecond: 100, cpuCores: 0.2 }]);
    assert.equal(feed.weight('a'), 100);
  });
});

function exactWeight(feed: Feed): number {
  return stepValue(feed, 'exact');
}

function aggregateLoad(feed: Feed): number {
  return stepValue(feed, 'aggregate load');
}

function stepValue(feed: Feed, name: string): number {
  return feed.controller.explain('a')?.steps.find(({ step }) => step === name)?.value ?? NaN;
}
