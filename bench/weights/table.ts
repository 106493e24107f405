import { distributions, loads, schedulers, type Cell } from './grid.ts';
import type { HardshipResult, Steadiness } from './hardships.ts';

/** Markdown, which is as legible in a terminal. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

export function formatGrid(cells: readonly Cell[]): string {
  return schedulers
    .flatMap((scheduler) =>
      distributions.map((distribution) => {
        const group = cells.filter(
          (cell) => cell.scheduler === scheduler && cell.distribution === distribution && cell.mix === 1,
        );
        const names = [...new Set(group.map(({ contender }) => contender))];
        const rows = names.map((name) => {
          const own = loads.map((load) =>
            group.find((cell) => cell.contender === name && cell.load === load),
          );
          return [
            name,
            ...own.map((cell) =>
              cell === undefined ? '' : `${time(cell.outcome.p50)} / ${time(cell.outcome.p99)}`,
            ),
            own.map((cell) => ratio(cell?.ratio ?? NaN)).join(' '),
            Math.max(...own.map((cell) => cell?.outcome.writesPerMinute ?? 0)).toFixed(1),
          ];
        });
        const head = [
          'p50 / p99',
          ...loads.map((load) => `${load * 100} %`),
          'p99 to the oracle',
          'writes/min',
        ];
        return `${scheduler}, ${distribution}\n\n${formatTable(head, rows)}`;
      }),
    )
    .join('\n\n');
}

/** The worst of all mixes and distributions, beside what was aimed at. */
export function formatWorst(cells: readonly Cell[]): string {
  const rows = schedulers.flatMap((scheduler) =>
    [...new Set(cells.map(({ contender }) => contender))].map((contender) => [
      scheduler,
      contender,
      ...loads.map((load) => {
        const ratios = cells
          .filter(
            (cell) => cell.scheduler === scheduler && cell.contender === contender && cell.load === load,
          )
          .map((cell) => cell.ratio);
        return ratio(Math.max(...ratios));
      }),
    ]),
  );
  return formatTable(
    ['scheduler', 'worst p99 to the oracle', ...loads.map((load) => `${load * 100} %`)],
    rows,
  );
}

export function formatHardships(results: readonly HardshipResult[]): string {
  const keys = Object.keys(results[0]?.worst ?? {});
  const rows = results.map(({ name, against, worst, target, writesPerMinute }) => [
    name,
    against,
    ...keys.map((key) => ratio(worst[key] ?? NaN)),
    target === undefined ? '' : ratio(target),
    writesPerMinute.toFixed(1),
  ]);
  return formatTable(['hardship', 'worst p99 against', ...keys, 'aim', 'writes/min'], rows);
}

export function formatSteadiness(results: readonly Steadiness[]): string {
  const rows = results.map((one) => [
    one.scheduler,
    one.contender,
    one.utilisationDeviation.toFixed(3),
    one.weightDeviation.toFixed(3),
    one.writesPerMinute.toFixed(1),
  ]);
  return formatTable(
    ['scheduler', 'an hour at 70 %', 'deviation of utilisation', 'of weights', 'writes/min'],
    rows,
  );
}

function time(seconds: number): string {
  return seconds < 1 ? `${(seconds * 1000).toFixed(0)} ms` : `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}

function ratio(value: number): string {
  return value >= 100 ? '>100' : value >= 10 ? value.toFixed(0) : value.toFixed(2);
}
