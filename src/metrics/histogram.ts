/** How often something took how long: counts per bucket, and the sum. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** @param bounds upper bounds, ascending; everything above the last counts too. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const index = this.#bounds.findIndex((bound) => value <= bound);
    if (index >= 0) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  /** Of each bound, how many were not above it. */
  *cumulative(): Iterable<readonly [bound: number, count: number]> {
    let total = 0;
    for (const [index, bound] of this.#bounds.entries()) {
      total += this.#counts[index] ?? 0;
      yield [bound, total];
    }
  }
}
