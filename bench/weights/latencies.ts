/** Latencies in logarithmic boxes one hundredth apart: quantiles of millions in little memory. */
export class Latencies {
  readonly #boxes = new Float64Array(boxCount);
  #count = 0;

  add(seconds: number): void {
    const box = Math.floor(Math.log(Math.max(seconds, shortest) / shortest) * boxesPerE);
    const at = Math.min(boxCount - 1, box);
    this.#boxes[at] = (this.#boxes[at] ?? 0) + 1;
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** In seconds. */
  quantile(part: number): number {
    let left = part * this.#count;
    for (let box = 0; box < boxCount; box++) {
      left -= this.#boxes[box] ?? 0;
      if (left <= 0) return shortest * Math.exp((box + 0.5) / boxesPerE);
    }
    return Infinity;
  }
}

const shortest = 1e-5;
const boxesPerE = 100;
/** Up to about two days. */
const boxCount = 2400;
