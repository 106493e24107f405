import type { CountersDocument } from './counters.ts';

/** Of so many answers the fastest says what the clocks differ by; older ones are forgotten, as clocks drift. */
const mostSamples = 60;

/**
 * Brings the monotonic clock of a director to the wall clock of this process. An answer comes later than its counters
 * were read, by a time that varies; the smallest difference that was seen is the nearest to the truth.
 */
export class DirectorClock {
  #bootId: string | undefined;
  #differences: number[] = [];

  /** @returns what to add to `monotonicMs` of this director. */
  offset(
    { bootId, monotonicMs }: Pick<CountersDocument, 'bootId' | 'monotonicMs'>,
    receivedAtMs: number,
  ): number {
    const difference = receivedAtMs - monotonicMs;
    const last = this.#differences.at(-1);
    // Another process, or a wall clock that was set: what was measured before says nothing.
    const isAnew = bootId !== this.#bootId || (last !== undefined && Math.abs(difference - last) > jumpMs);
    if (isAnew) this.#differences = [];
    this.#bootId = bootId;
    this.#differences.push(difference);
    if (this.#differences.length > mostSamples) this.#differences.shift();
    return Math.min(...this.#differences);
  }
}

/** Longer than any answer takes. */
const jumpMs = 5000;
