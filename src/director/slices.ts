import type { Clock } from '../base/index.ts';

/** As long may other work of the process wait for a slice of ours. */
const sliceMs = 4;

/** Long work in slices: `await slices.pause()` in its loop lets others go first whenever a slice is used up. */
export class Slices {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #beganMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#beganMs = clock.monotonicMs();
  }

  async pause(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#beganMs < sliceMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#beganMs = this.#clock.monotonicMs();
  }
}
