import { controlled, oracle, type Knowledge } from './contenders.ts';
import { createScenario, type ScenarioChoice } from './pools.ts';
import { usualMetrics, type Scenario } from './scenario.ts';
import { simulate, type Outcome } from './simulate.ts';

/** One way in which things are worse, or other, than usual, and how p99 compares with what is named. */
export interface Hardship {
  readonly name: string;
  /** `oracle`: the oracle in the same hardship. `itself`: the same controller without it. */
  readonly against: 'oracle' | 'itself';
  readonly change: Partial<ScenarioChoice>;
  readonly target?: number;
  /** What the controller knows of the servers at the start. @default 'CpuLimits' */
  readonly knowledge?: Knowledge;
}

export interface HardshipResult extends Hardship {
  /** The worst over distributions and mixes, by scheduler and load. */
  readonly worst: Readonly<Record<string, number>>;
  readonly writesPerMinute: number;
}

export function listHardships(): Hardship[] {
  const metrics = (change: object) => ({ metrics: { ...usualMetrics, ...change } });
  return [
    { name: 'metrics 30 s later', against: 'itself', change: metrics({ delaySeconds: 30 }), target: 1.35 },
    { name: 'windows of 60 s', against: 'itself', change: metrics({ windowSeconds: 60 }), target: 1.35 },
    { name: 'half of the samples lost', against: 'itself', change: metrics({ loss: 0.5 }) },
    { name: 'all samples lost', against: 'itself', change: metrics({ loss: 1 }) },
    {
      name: '40 % of a server stolen, unseen by its CPU metric',
      against: 'oracle',
      change: { events: [{ kind: 'Steal', server: 2, from: 240, to: 800, factor: 0.6 }] },
      target: 1.4,
    },
    {
      name: 'nothing known, first two minutes not counted',
      against: 'oracle',
      knowledge: 'Nothing',
      change: { warmUpSeconds: 120 },
    },
    { name: '2 servers', against: 'oracle', change: { size: 2 } },
    { name: '4 servers', against: 'oracle', change: { size: 4 } },
    { name: '100 servers', against: 'oracle', change: { size: 100, seconds: 600 } },
    { name: 'requests of 5 ms', against: 'oracle', change: { requestSeconds: 0.005, seconds: 600 } },
    { name: 'requests of 2 s', against: 'oracle', change: { requestSeconds: 2 } },
  ];
}

export function endure(hardship: Hardship, mixes: readonly number[]): HardshipResult {
  const worst: Record<string, number> = {};
  let writes = 0;
  for (const scheduler of ['wrr', 'wlc'] as const) {
    for (const load of [0.7, 0.85] as const) {
      for (const mix of mixes) {
        const distribution = mix % 2 === 0 ? 'pareto' : 'exponential';
        const usual = { scheduler, load, mix, distribution } as const;
        const scenario = createScenario({ ...usual, ...hardship.change });
        const ours = follow(scenario, hardship.knowledge);
        const other =
          hardship.against === 'itself'
            ? follow(createScenario(usual))
            : simulate(scenario, oracle(scheduler));
        const key = `${scheduler} ${load * 100} %`;
        worst[key] = Math.max(worst[key] ?? 0, ours.p99 / other.p99);
        writes = Math.max(writes, ours.writesPerMinute);
      }
    }
  }
  return { ...hardship, worst, writesPerMinute: writes };
}

export interface Steadiness {
  readonly scheduler: 'wrr' | 'wlc';
  readonly contender: string;
  /** Of the utilisation of a server, in means of a minute, over time; the largest of all servers. */
  readonly utilisationDeviation: number;
  /** Of a weight relative to its mean. */
  readonly weightDeviation: number;
  readonly writesPerMinute: number;
}

/** An hour in which nothing happens, after ten minutes to settle: what moves then moves by itself. */
export function watchSteadiness(mix: number): Steadiness[] {
  return (['wrr', 'wlc'] as const).flatMap((scheduler) => {
    const scenario = {
      ...createScenario({ scheduler, load: 0.7, mix, distribution: 'exponential', events: [] }),
      seconds: 4200,
      warmUpSeconds: 600,
    };
    const still = { ...scenario, pool: scenario.pool.map(({ cores, speed }) => ({ cores, speed })) };
    return [
      describe(scheduler, 'oracle', simulate(still, oracle(scheduler))),
      describe(scheduler, 'CapacityEstimate', follow(still)),
    ];
  });
}

function follow(scenario: Scenario, knowledge: Knowledge = 'CpuLimits'): Outcome {
  const policy = { type: 'CapacityEstimate' } as const;
  return simulate(scenario, controlled('ours', scenario.scheduler, { policy, knowledge }));
}

function describe(scheduler: 'wrr' | 'wlc', contender: string, outcome: Outcome): Steadiness {
  const minutes = meansOf(outcome.utilisations, 12);
  const settled = outcome.weights.slice(120);
  return {
    scheduler,
    contender,
    utilisationDeviation: largestDeviation(minutes, false),
    weightDeviation: largestDeviation(settled, true),
    writesPerMinute: outcome.writesPerMinute,
  };
}

function meansOf(rows: readonly (readonly number[])[], length: number): number[][] {
  const means: number[][] = [];
  for (let at = 0; at + length <= rows.length; at += length) {
    const part = rows.slice(at, at + length);
    means.push((part[0] ?? []).map((_, column) => mean(part.map((row) => row[column] ?? 0))));
  }
  return means;
}

function largestDeviation(rows: readonly (readonly number[])[], isRelative: boolean): number {
  const deviations = (rows[0] ?? []).map((_, column) => {
    const values = rows.map((row) => row[column] ?? 0);
    const middle = mean(values);
    const deviation = Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
    return isRelative ? deviation / middle : deviation;
  });
  return Math.max(...deviations);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
