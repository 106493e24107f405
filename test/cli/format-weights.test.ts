import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VirtualServiceSpec } from '../../src/api/index.ts';
import { foldText } from '../../src/cli/fold-text.ts';
import { formatExplanation } from '../../src/cli/format-weights.ts';
import { explainPool } from '../../src/controller/weight-explanation.ts';
import { WeightPool } from '../../src/controller/weight-pool.ts';
import type { PoolServer } from '../../src/controller/weight-pool.ts';

const servers: readonly PoolServer[] = [1, 2, 3].map((number) => ({
  address: `2001:db8:1234:5678:9abc:def0:1234:${number}`,
  name: `uid-${number}`,
  podName: `a-deployment-with-a-rather-long-name-7d4b9c6f5-${number}xk2p`,
  resources: { cpuLimit: 1, cpuRequest: undefined, memoryLimit: undefined },
  isServing: number !== 3,
  configuredWeight: 100,
  sliceWeight: 100,
  isKnown: true,
  isShared: false,
}));

/** A pool that has run for half a minute, with metrics of half a core. */
function poolOf(weightPolicy: object, scheduler = 'wlc'): WeightPool {
  const pool = new WeightPool('shop/web', { scheduler, weightPolicy } as unknown as VirtualServiceSpec, 0);
  pool.setServers('shop/web', servers);
  for (let second = 0; second <= 30; second++) {
    pool.observeConnections(
      [1, 2].map((number) => ({
        realServer: `uid-${number}`,
        director: 'n1',
        virtualService: 'shop/web',
        atMs: second * 1000,
        totalConnections: second * 10 * number,
        activeConnections: number,
      })),
    );
    pool.observeMetrics(
      second % 15 === 0 && second > 0
        ? [1, 2].map((number) => ({
            realServer: `uid-${number}`,
            timestampMs: (second - 2) * 1000,
            windowMs: 10_000,
            cpuCores: 0.5,
          }))
        : [],
    );
    pool.tick(second * 1000);
  }
  return pool;
}

function explained(weightPolicy: object, scheduler?: string): string {
  const directors = [
    { name: 'n1', failure: undefined },
    { name: 'n2', failure: 'director n2 did not answer within 3 s' },
  ];
  return formatExplanation(explainPool(poolOf(weightPolicy, scheduler), directors));
}

describe('an explanation for people', () => {
  const policies: Readonly<Record<string, object>> = {
    CapacityEstimate: { type: 'CapacityEstimate' },
    InFlight: { type: 'InFlight', base: 'Policy' },
    LVSDynamicFeedback: { type: 'LVSDynamicFeedback' },
  };
  for (const [name, policy] of Object.entries(policies))
    it(`of ${name} fits into a hundred columns, with long names too`, () => {
      for (const line of explained(policy).split('\n')) assert.ok(line.length <= 100, line);
    });

  it('of CapacityEstimate has the metrics and what follows from them', () => {
    const text = explained(policies['CapacityEstimate'] ?? {});
    assert.match(text, /^ {2}connections +told by n1; n2 does not answer: director n2 did not answer/m);
    assert.match(text, /^ {2}metric window +10 {2}seconds/m);
    assert.match(text, /^ {2}utilisation +0\.5 {2}part of its CPU/m);
    assert.match(text, /^ {2}estimate +0\.66\d* {2}/m);
    assert.match(text, /=> base 100, advised \d+, effective \d+: from what the server completes per CPU/);
  });

  it('of InFlight asks for no metrics, and has the wish of base Policy', () => {
    const text = explained(policies['InFlight'] ?? {}, 'wrr');
    assert.match(text, /weightPolicy InFlight \(base Policy, 10 to 400 % of it\), scheduler wrr/);
    assert.match(text, /^ {2}metrics +not asked for by this policy$/m);
    assert.doesNotMatch(text, /metric age|utilisation|estimate/);
    assert.match(text, /=> base 100, advised \d+0, effective \d+: from the connections in flight alone/);
  });

  it('of LVSDynamicFeedback has each input, the aggregate and the move', () => {
    const text = explained(policies['LVSDynamicFeedback'] ?? {});
    assert.match(text, /^ {2}CPU +0\.5 {2}input, with share 0\.4$/m);
    assert.match(text, /^ {2}new connections +[\d.]+ {2}input, with share 0\.1$/m);
    assert.match(text, /^ {2}aggregate load +[\d.]+ {2}/m);
    assert.match(text, /^ {2}move +[\d.]+ {2}gain times the cube root/m);
    assert.doesNotMatch(text, /backoff|residence/);
  });

  it('of who drains says that it is left alone', () => {
    const text = explained(policies['CapacityEstimate'] ?? {}).split('1234:3, pod')[1] ?? '';
    assert.match(text, /=> base 100, advised 100, effective 0: left alone: it takes no new connections/);
  });
});

describe('folding', () => {
  it('breaks between words, indents, and leaves long words whole', () => {
    assert.equal(foldText('one two three', '> ', 9), '> one two\n  three');
    assert.equal(foldText('a-very-long-word x', '', 5), 'a-very-long-word\nx');
  });
});
