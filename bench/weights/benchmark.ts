import { writeFileSync } from 'node:fs';
import { formatAims, judgeAims } from './aims.ts';
import { controlled } from './contenders.ts';
import { runGrid, type Cell } from './grid.ts';
import { endure, listHardships, watchSteadiness } from './hardships.ts';
import { createScenario } from './pools.ts';
import { plotWeights, type Story } from './plot.ts';
import { simulate } from './simulate.ts';
import { formatGrid, formatHardships, formatSteadiness, formatWorst } from './table.ts';

export interface WeightsOptions {
  /** A tenth of the time, one mix of servers. */
  readonly isQuick: boolean;
  readonly isJson: boolean;
  /** Where to write the plot; undefined: nowhere. */
  readonly plotFile: string | undefined;
  readonly progress: (line: string) => void;
}

/**
 * Weights on a simulated pool: needs no lab. The first mix of servers is the one of the tables and the plot. Parameters
 * were compared on all six, so none of them is unseen.
 */
export function benchmarkWeights({ isQuick, isJson, plotFile, progress }: WeightsOptions): string {
  const mixes = isQuick ? [1] : [1, 2, 3, 31, 32, 33];
  const cells = mixes.flatMap((mix) => runGrid(mix, isQuick ? 300 : 900, progress));
  if (plotFile !== undefined) writeFileSync(plotFile, plotWeights(cells, tellStory()));
  const hardships = isQuick
    ? []
    : listHardships().map((hardship) => {
        progress(hardship.name);
        return endure(hardship, [1, 2, 31, 32]);
      });
  const steadiness = isQuick ? [] : watchSteadiness(1);
  // Five minutes are mostly start, for which no aim was set.
  const aims = isQuick ? [] : judgeAims(cells, hardships, steadiness);
  if (isJson)
    return JSON.stringify({ aims, cells: cells.map(withoutSeries), hardships, steadiness }, undefined, 2);
  return [
    formatGrid(cells),
    formatWorst(cells),
    ...(isQuick ? [] : [formatHardships(hardships), formatSteadiness(steadiness), formatAims(aims)]),
  ].join('\n\n');
}

function withoutSeries({ outcome, ...cell }: Cell): object {
  const { p50, p99, requests, writesPerMinute, spread } = outcome;
  return { ...cell, p50, p99, requests, writesPerMinute, spread };
}

function tellStory(): Story {
  const scenario = createScenario({ scheduler: 'wlc', distribution: 'exponential', load: 0.85, mix: 1 });
  const policy = { type: 'CapacityEstimate' } as const;
  const { weights } = simulate(scenario, controlled('ours', 'wlc', { policy, knowledge: 'CpuLimits' }));
  const of = (server: number) => weights.map((row) => row[server] ?? 0);
  return {
    title: 'What CapacityEstimate does: weights of three of the 16 servers (wlc, 85 %)',
    secondsPerPoint: 5,
    lines: [
      { name: 'half as fast from minute 4 to 8', values: of(2) },
      { name: 'slower and slower from 6:40', values: of(5) },
      { name: 'joins cold at minute 5', values: of(15) },
    ],
  };
}
