/**
 * What one server does per unit of CPU: completed connections per second at full use. Fed with pairs that belong to
 * exactly the same window; CPU use of one window with the connections of another is positive feedback, and limit cycles.
 */
export class CapacityLearner {
  #done = 0;
  #busy = 0;
  #seconds = 0;
  #samples = 0;
  #estimate: number | undefined;
  #learnt = 0;
  #lastDeviation = 0;

  get estimate(): number | undefined {
    return this.#estimate;
  }

  /**
   * @param work completions in the window, or connection seconds where connections live long
   * @param utilisation the part of the server that was busy in the window
   * @param isReal whether that is truly a part of the server, or merely in proportion to it
   */
  learn(
    work: number,
    utilisation: number,
    window: { readonly seconds: number; readonly isReal: boolean },
  ): void {
    this.#done += work;
    this.#busy += utilisation * window.seconds;
    this.#seconds += window.seconds;
    this.#samples++;
    if (this.#done < enoughWork && this.#samples < mostSamples) return;
    // Of a server that does next to nothing, the CPU is not that of the requests.
    const isBusy = this.#busy > 0 && (!window.isReal || this.#busy / this.#seconds >= leastUtilisation);
    if (this.#done >= leastWork && isBusy) this.#take(this.#done / this.#busy);
    this.#done = this.#busy = this.#seconds = this.#samples = 0;
  }

  /** The unit of the work changed, or the server is another one now: what was learnt says nothing any more. */
  reset(): void {
    this.#estimate = undefined;
    this.#done = this.#busy = this.#seconds = this.#samples = this.#learnt = this.#lastDeviation = 0;
  }

  #take(found: number): void {
    const old = this.#estimate;
    this.#learnt++;
    if (old === undefined) this.#estimate = found;
    else if (this.#learnt <= runningMean) this.#estimate = old + (found - old) / this.#learnt;
    else {
      const deviation = found / old - 1;
      const isMoved = deviation * this.#lastDeviation > 0 && Math.abs(deviation) > clearDeviation;
      const gain = isMoved && Math.abs(this.#lastDeviation) > clearDeviation ? fastGain : slowGain;
      this.#estimate = old + gain * (this.#done / (this.#done + gainHalfWork)) * (found - old);
      this.#lastDeviation = deviation;
    }
  }
}

/** Fewer completions than this are noise; they are added up with the next window's. */
const enoughWork = 20;
const mostSamples = 8;
const leastWork = 5;
const leastUtilisation = 0.02;
/** So many values count alike before old ones fade. */
const runningMean = 4;
const slowGain = 0.2;
/** For a change that two values in a row agree upon: a neighbour, a throttled CPU, a new version. */
const fastGain = 0.7;
const clearDeviation = 0.25;
/** With so many completions the gain is half of what it is with very many. */
const gainHalfWork = 100;
