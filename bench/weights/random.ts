/** A stream of chance that is the same for the same seed, on every machine. */
export type Random = () => number;

/** The splitmix/mulberry family on 32 bits: far more than a queue can notice, and fast. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** With mean 1. */
export function exponential(random: Random): number {
  return -Math.log(1 - random());
}

/**
 * Bounded Pareto with mean 1: most are small, the largest is a thousand times the smallest, and with shape 1.5 a few
 * carry much of the work.
 */
export function createBoundedPareto(shape = 1.5, spread = 1000): (random: Random) => number {
  const tail = spread ** -shape;
  const mean = ((shape / (shape - 1)) * (1 - spread ** (1 - shape))) / (1 - tail);
  const low = 1 / mean;
  return (random) => low / (1 - random() * (1 - tail)) ** (1 / shape);
}

/** With mean 0 and deviation 1, near enough: the sum of twelve. */
export function normal(random: Random): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}
