import { controlled, fixedWeights, oracle, perfectAtStart } from './contenders.ts';
import { createScenario } from './pools.ts';
import { rateOverUtilisation } from './rivals.ts';
import type { Scenario } from './scenario.ts';
import { simulate, type Contender, type Outcome } from './simulate.ts';

export const schedulers = ['wrr', 'wlc'] as const;
export const distributions = ['exponential', 'pareto'] as const;
export const loads = [0.5, 0.7, 0.85, 0.95] as const;

export interface Cell {
  readonly contender: string;
  readonly scheduler: (typeof schedulers)[number];
  readonly distribution: (typeof distributions)[number];
  readonly load: number;
  readonly mix: number;
  readonly outcome: Outcome;
  /** p99 in multiples of the oracle's. */
  readonly ratio: number;
}

/** Everybody in the same pool, with the same requests. */
export function contendersFor({ scheduler, pool }: Scenario): Contender[] {
  const estimate = { type: 'CapacityEstimate' } as const;
  return [
    fixedWeights('Nothing'),
    fixedWeights('CpuLimits'),
    perfectAtStart(scheduler, pool),
    controlled('LVS formula', scheduler, { policy: { type: 'LVSDynamicFeedback' }, knowledge: 'CpuLimits' }),
    rateOverUtilisation(scheduler),
    controlled('InFlight', scheduler, { policy: { type: 'InFlight' }, knowledge: 'CpuLimits' }),
    controlled('CapacityEstimate, nothing known', scheduler, { policy: estimate, knowledge: 'Nothing' }),
    controlled('CapacityEstimate', scheduler, { policy: estimate, knowledge: 'CpuLimits' }),
  ];
}

/** Every scheduler, distribution and load, for one mix of servers. The oracle is the first of each group. */
export function runGrid(mix: number, seconds: number, progress: (line: string) => void): Cell[] {
  const cells: Cell[] = [];
  for (const scheduler of schedulers) {
    for (const distribution of distributions) {
      for (const load of loads) {
        progress(`mix ${mix}: ${scheduler}, ${distribution}, ${load * 100} %`);
        const scenario = createScenario({ scheduler, distribution, load, mix, seconds });
        const best = simulate(scenario, oracle(scheduler));
        const cell = { scheduler, distribution, load, mix };
        cells.push({ ...cell, contender: 'oracle', outcome: best, ratio: 1 });
        for (const contender of contendersFor(scenario)) {
          const outcome = simulate(scenario, contender);
          cells.push({ ...cell, contender: contender.name, outcome, ratio: outcome.p99 / best.p99 });
        }
      }
    }
  }
  return cells;
}
