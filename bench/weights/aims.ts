import { schedulers, type Cell } from './grid.ts';
import type { HardshipResult, Steadiness } from './hardships.ts';
import { formatTable } from './table.ts';

/** Something that the algorithm is to reach, with what it reached. */
export interface Aim {
  readonly name: string;
  readonly scheduler: string;
  /** At most this. */
  readonly aim: number;
  readonly reached: number;
}

const known = 'CapacityEstimate';
const unknown = 'CapacityEstimate, nothing known';
const usualLoads = [0.5, 0.7, 0.85];
/** For 16 servers. */
const mostWritesPerMinute = 24;
/** Weights that move by more than this around their mean while nothing happens would be a cycle. */
const mostDeviation = 0.25;

/**
 * Every aim beside the worst that was measured. Latencies are p99 in multiples of the oracle's, or of the controller's own
 * without the hardship. Hardships and steadiness are there in a full run only.
 */
export function judgeAims(
  cells: readonly Cell[],
  hardships: readonly HardshipResult[],
  steadiness: readonly Steadiness[],
): Aim[] {
  const worst = (scheduler: string, contender: string, loads: readonly number[]): number =>
    Math.max(
      ...cells
        .filter((cell) => cell.scheduler === scheduler && cell.contender === contender)
        .filter(({ load }) => loads.includes(load))
        .map(({ ratio }) => ratio),
    );
  const grid = schedulers.flatMap((scheduler): Aim[] => {
    const isWrr = scheduler === 'wrr';
    return [
      { name: 'CPU limits known, 50 to 85 %', aim: 1.15, reached: worst(scheduler, known, usualLoads) },
      { name: 'CPU limits known, 95 %', aim: isWrr ? 2.5 : 1.15, reached: worst(scheduler, known, [0.95]) },
      {
        name: 'nothing known, 50 to 85 %',
        aim: isWrr ? 2 : 1.15,
        reached: worst(scheduler, unknown, usualLoads),
      },
    ].map((aim) => ({ ...aim, scheduler }));
  });
  const hard = hardships.flatMap(({ name, target, worst: byCase }) =>
    target === undefined
      ? []
      : [{ name, scheduler: 'both', aim: target, reached: Math.max(...Object.values(byCase)) }],
  );
  const writes = cells
    .filter(({ contender }) => contender === known || contender === unknown)
    .map(({ outcome }) => outcome.writesPerMinute);
  const steady = steadiness
    .filter(({ contender }) => contender === known)
    .map(({ scheduler, weightDeviation }) => ({
      name: 'deviation of weights at rest',
      scheduler,
      aim: mostDeviation,
      reached: weightDeviation,
    }));
  return [
    ...grid,
    ...hard,
    {
      name: 'writes a minute for 16 servers',
      scheduler: 'both',
      aim: mostWritesPerMinute,
      reached: Math.max(...writes),
    },
    ...steady,
  ];
}

/** What is missed is said, not hidden. */
export function formatAims(aims: readonly Aim[]): string {
  return formatTable(
    ['aim', 'scheduler', 'at most', 'reached', ''],
    aims.map(({ name, scheduler, aim, reached }) => [
      name,
      scheduler,
      String(aim),
      reached.toFixed(2),
      reached <= aim ? 'met' : 'MISSED',
    ]),
  );
}
