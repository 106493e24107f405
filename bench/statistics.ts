/** Summaries of samples. Nothing here decides whether a number is good: benchmarks are looked at, not passed. */

export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

/** @throws RangeError when there is no sample. */
export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new RangeError('there is no sample to summarize');
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    min: percentile(sorted, 0),
    median: (percentile(sorted, 50) + percentile(sorted, 50 + 50 / sorted.length)) / 2,
    p99: percentile(sorted, 99),
    max: percentile(sorted, 100),
  };
}

/** Nearest rank. @param sorted ascending, at least one */
function percentile(sorted: readonly number[], percent: number): number {
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/**
 * Sample by sample, for runs that took turns: what disturbed one round disturbed both sides of it.
 * @throws RangeError when the two have no equal number of samples
 */
export function pairwiseRatios(numerators: readonly number[], denominators: readonly number[]): number[] {
  if (numerators.length !== denominators.length) {
    throw new RangeError(`${numerators.length} samples cannot be paired with ${denominators.length}`);
  }
  return numerators.map((numerator, i) => numerator / (denominators[i] ?? Number.NaN));
}
