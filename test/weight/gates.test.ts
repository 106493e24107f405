import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { controlled, fixedWeights, oracle, perfectAtStart } from '../../bench/weights/contenders.ts';
import { createScenario } from '../../bench/weights/pools.ts';
import { usualMetrics } from '../../bench/weights/scenario.ts';
import type { PoolEvent, Scenario } from '../../bench/weights/scenario.ts';
import { simulate } from '../../bench/weights/simulate.ts';
import type { Outcome } from '../../bench/weights/simulate.ts';

/**
 * What weights that follow the load are for, on a simulated pool of 16 unequal servers with a noisy neighbour, a cold
 * server and a slow leak: p99 beside that of an oracle that knows every capacity at every second.
 */

function scenario(scheduler: 'wrr' | 'wlc', load: number, more: Partial<Scenario> = {}): Scenario {
  return createScenario({ scheduler, load, mix: 1, distribution: 'exponential', seconds: 600, ...more });
}

function follow(of: Scenario): Outcome {
  const policy = { type: 'CapacityEstimate' } as const;
  return simulate(of, controlled('ours', of.scheduler, { policy, knowledge: 'CpuLimits' }));
}

function toOracle(of: Scenario): { readonly ratio: number; readonly writes: number } {
  const ours = follow(of);
  return { ratio: ours.p99 / simulate(of, oracle(of.scheduler)).p99, writes: ours.writesPerMinute };
}

describe('weights that follow the load', () => {
  for (const scheduler of ['wrr', 'wlc'] as const) {
    for (const load of [0.5, 0.85]) {
      it(`come within 1.15 of an oracle's p99, and write seldom: ${scheduler} at ${load * 100} %`, () => {
        const { ratio, writes } = toOracle(scenario(scheduler, load));
        console.log(
          `${scheduler} ${load}: ${ratio.toFixed(3)} of the oracle's p99, ${writes.toFixed(1)} writes a minute`,
        );
        assert.ok(ratio <= 1.15, `${ratio}`);
        assert.ok(writes <= 24, `${writes}`);
      });
    }

    it(`hardly mind metrics that are half a minute later: ${scheduler}`, () => {
      const usual = scenario(scheduler, 0.7);
      const late = { ...usual, metrics: { ...usualMetrics, delaySeconds: 30 } };
      const ratio = follow(late).p99 / follow(usual).p99;
      console.log(`${scheduler}, 30 s later: ${ratio.toFixed(3)} of itself`);
      assert.ok(ratio <= 1.35, `${ratio}`);
    });

    it(`notice what the CPU metric cannot see: ${scheduler}`, () => {
      const events: PoolEvent[] = [{ kind: 'Steal', server: 2, from: 240, to: 600, factor: 0.6 }];
      const { ratio } = toOracle(scenario(scheduler, 0.7, { events }));
      console.log(`${scheduler}, capacity stolen: ${ratio.toFixed(3)} of the oracle's p99`);
      assert.ok(ratio <= 1.4, `${ratio}`);
    });
  }

  for (const contender of ['by CPU limit', 'perfect at the start'] as const) {
    it(`are worth it: static weights ${contender} are far behind`, () => {
      const of = scenario('wrr', 0.85);
      const still = contender === 'by CPU limit' ? fixedWeights('CpuLimits') : perfectAtStart('wrr', of.pool);
      const ratio = simulate(of, still).p99 / simulate(of, oracle('wrr')).p99;
      console.log(`static ${contender}: ${ratio.toFixed(1)} times the oracle's p99`);
      assert.ok(ratio > 3, `${ratio}`);
    });
  }
});
