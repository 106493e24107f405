import { pairwiseRatios, summarize, type Summary } from './statistics.ts';

/** One thing that was measured, several times. Smaller is better everywhere. */
export interface Measurement {
  readonly id: string;
  readonly title: string;
  readonly unit: 'ms' | 'µs' | 'MB' | 'writes/min' | 'kB/min' | 'writes' | 'kB' | '%' | 'falls';
  readonly samples: readonly number[];
  readonly aim?: Aim;
}

/** How two measurements that took turns compare: `of` divided by `to`, round by round. */
export interface Comparison {
  readonly title: string;
  readonly of: string;
  readonly to: string;
  readonly aim?: Aim;
}

/** What we hope for, on one of the numbers of a row. Nothing fails when it is missed; it is said. */
export interface Aim {
  readonly statistic: 'median' | 'p99' | 'max';
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface PartResult {
  readonly measurements: readonly Measurement[];
  readonly comparisons: readonly Comparison[];
}

export interface Report extends PartResult {
  readonly environment: Readonly<Record<string, string>>;
}

interface Row extends Summary {
  readonly title: string;
  readonly unit: string;
  readonly aim: string;
}

/** For people: one row per number, ratios below, aims at the end of the line. */
export function formatReport(report: Report): string {
  const rows = computeRows(report);
  const head = ['', 'runs', 'min', 'median', 'p99', 'max', '', 'aim'];
  const cells = rows.map((row) => [
    row.title,
    String(row.count),
    ...[row.min, row.median, row.p99, row.max].map(formatNumber),
    row.unit,
    row.aim,
  ]);
  const widths = head.map((text, column) =>
    Math.max(text.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column >= 6 ? text.padEnd(width) : text.padStart(width);
      })
      .join('  ')
      .trimEnd();
  const where = Object.entries(report.environment).map(([name, value]) => `${name}: ${value}`);
  return [...where, '', line(head), ...cells.map(line)].join('\n');
}

/** For programs: the report with summaries beside the samples. */
export function formatReportAsJson(report: Report): string {
  const measurements = report.measurements.map((m) => ({ ...m, summary: summarize(m.samples) }));
  const comparisons = report.comparisons.map((c) => ({ ...c, summary: summarize(ratiosOf(c, report)) }));
  return JSON.stringify({ ...report, measurements, comparisons }, undefined, 2);
}

function computeRows(report: Report): Row[] {
  const measured = report.measurements.map((m) => row(m.title, m.unit, m.samples, m.aim));
  const compared = report.comparisons.map((c) => row(c.title, '×', ratiosOf(c, report), c.aim));
  return [...measured, ...compared];
}

function row(title: string, unit: string, samples: readonly number[], aim: Aim | undefined): Row {
  const summary = summarize(samples);
  return { title, unit, ...summary, aim: aim === undefined ? '' : describeAim(aim, summary) };
}

function describeAim(aim: Aim, summary: Summary): string {
  const value = summary[aim.statistic];
  const isMet = value >= (aim.atLeast ?? -Infinity) && value <= (aim.atMost ?? Infinity);
  const wanted = aim.atLeast === undefined ? `≤ ${aim.atMost}` : `≥ ${aim.atLeast}`;
  return `${aim.statistic} ${wanted}: ${isMet ? 'met' : 'MISSED'}`;
}

function ratiosOf(comparison: Comparison, report: Report): number[] {
  const samplesOf = (id: string) => report.measurements.find((m) => m.id === id)?.samples ?? [];
  return pairwiseRatios(samplesOf(comparison.of), samplesOf(comparison.to));
}

function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value > 0 && value < 0.005) return value.toExponential(1);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
