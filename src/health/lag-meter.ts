import type { Timers } from '../base/index.ts';

const beatMs = 25;
/** A beat is never exact; lateness up to this is not lag. */
const toleranceMs = 10;

/**
 * How much the event loop that it runs on was held up: by our own work, by a starved machine, by a stopped process. A
 * heart that beats while somebody cares; every beat that comes late adds its lateness.
 */
export class LagMeter {
  readonly #nowMs: () => number;
  readonly #timers: Timers;
  #totalMs = 0;
  #dueMs = 0;
  #cancel: (() => void) | undefined;

  constructor(nowMs: () => number, timers: Timers) {
    this.#nowMs = nowMs;
    this.#timers = timers;
  }

  /** Grows by every hold-up; the difference of two readings is what happened in between. */
  get totalMs(): number {
    // A hold-up that is not over shows in the beat that has not come.
    return this.#totalMs + (this.#cancel === undefined ? 0 : this.#lateness());
  }

  start(): void {
    if (this.#cancel === undefined) this.#beat();
  }

  stop(): void {
    if (this.#cancel === undefined) return;
    this.#totalMs += this.#lateness();
    this.#cancel();
    this.#cancel = undefined;
  }

  #beat(): void {
    this.#dueMs = this.#nowMs() + beatMs;
    this.#cancel = this.#timers.after(beatMs, () => {
      this.#totalMs += this.#lateness();
      this.#beat();
    });
  }

  #lateness(): number {
    const late = this.#nowMs() - this.#dueMs;
    return late > toleranceMs ? late : 0;
  }
}
