/**
 * Configured weights (0..1000) to the numbers that a scheduler needs in the kernel.
 *
 * All but `sh` take them as they are: wrr and mh divide by the greatest common divisor themselves, wlc and sed compare
 * ratios, fo looks for the highest, ovf reads the weight as a connection limit. For weights that follow the load there is
 * `advisedKernelWeight`.
 *
 * `sh` hands out 256 buckets, each server in turn as many as its weight, round and round (ip_vs_sh.c,
 * ip_vs_sh_reassign). A sum above 256 starves the later servers, and 100:100 comes out as 156:100, because the last
 * round is cut. So weights are reduced to small whole numbers where few buckets are left over, and else shared out
 * over exactly 256. A server at weight 0 still occupies one bucket per round.
 */
export function kernelWeights(scheduler: string, weights: readonly number[]): readonly number[] {
  return areWeightsShared(scheduler) ? sourceHashWeights(weights) : weights;
}

/**
 * A weight that follows the load, where 100 is the mean, as the scheduler needs it. Under `wrr` that is a mean of 10: a
 * round is as long as the sum of the weights, and within it the small servers wait and then get everything at once
 * (ip_vs_wrr.c goes through all weights from the highest down). Written weights are left alone: the kernel divides them
 * by their greatest common divisor, and their ratio is a person's to choose.
 */
export function advisedKernelWeight(scheduler: string, weight: number): number {
  return weight === 0 ? 0 : Math.max(1, Math.round(weight / advisedWeightUnit(scheduler)));
}

/** How much of a weight, of which 100 is the mean, is 1 in the kernel. */
export function advisedWeightUnit(scheduler: string): number {
  return scheduler === 'wrr' ? 10 : 1;
}

/** Whether the weight of one real server depends on those of the others. */
export function areWeightsShared(scheduler: string): boolean {
  return scheduler === 'sh';
}

/** IP_VS_SH_TAB_SIZE with the kernel's default CONFIG_IP_VS_SH_TAB_BITS of 8. */
export const sourceHashBuckets = 256;
/** Rounds of at most this many buckets leave less than 7 % of the table unevenly shared. */
const smallRound = 16;

function sourceHashWeights(weights: readonly number[]): readonly number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  if (divisor === 0) return weights;
  const reduced = weights.map((weight) => weight / divisor);
  const round = reduced.reduce((sum, weight) => sum + Math.max(weight, 1), 0);
  const isEqual = reduced.every((weight) => weight <= 1);
  const isEven = round <= smallRound || (round <= sourceHashBuckets && sourceHashBuckets % round === 0);
  return isEqual || isEven ? reduced : shareOut(weights, sourceHashBuckets);
}

/**
 * Shares `total` in proportion by largest remainder, at least 1 for whoever has a weight. With more servers than
 * buckets everyone gets 1, which is the best that the kernel can do.
 */
function shareOut(weights: readonly number[], total: number): readonly number[] {
  const positive = weights.filter((weight) => weight > 0).length;
  const zero = weights.length - positive;
  // One bucket is set aside for each server, and the rest follows the weights as closely as that allows.
  const available = Math.max(total - zero, positive);
  const sum = weights.reduce((left, right) => left + right, 0);
  const exact = weights.map((weight) => (weight * available) / sum);
  const shares = exact.map((share, index) =>
    (weights[index] ?? 0) > 0 ? Math.max(1, Math.floor(share)) : 0,
  );
  let left = available - shares.reduce((a, b) => a + b, 0);
  const byRemainder = [...exact.keys()]
    .filter((index) => (weights[index] ?? 0) > 0)
    .toSorted((a, b) => remainder(exact, b) - remainder(exact, a) || a - b);
  for (let i = 0; left > 0; i++, left--) add(shares, byRemainder[i % byRemainder.length], 1);
  // The minimum of 1 may have spent more than there is: the largest give it back.
  while (left < 0) {
    const largest = shares.indexOf(Math.max(...shares));
    if ((shares[largest] ?? 0) <= 1) break;
    add(shares, largest, -1);
    left++;
  }
  return shares;
}

function remainder(exact: readonly number[], index: number): number {
  const share = exact[index] ?? 0;
  return share - Math.floor(share);
}

function add(shares: number[], index: number | undefined, amount: number): void {
  if (index !== undefined) shares[index] = (shares[index] ?? 0) + amount;
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
