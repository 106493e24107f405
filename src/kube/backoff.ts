export interface BackoffOptions {
  readonly firstMs: number;
  readonly longestMs: number;
  /** Quiet for that long since the last failure: the next one counts as the first. */
  readonly forgetMs: number;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
}

/**
 * Delays that double from failure to failure. Success does not reset them, time does: an API server that answers every
 * list and expires every watch would otherwise be asked as fast as it can answer.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;
  #lastAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The delay after a failure at that time: between half and the whole of the step, so that clients spread. */
  nextDelayMs(nowMs: number): number {
    const { firstMs, longestMs, forgetMs, random } = this.#options;
    if (nowMs - this.#lastAtMs >= forgetMs) this.#failures = 0;
    const step = backoffStepMs(this.#failures, firstMs, longestMs);
    this.#failures++;
    this.#lastAtMs = nowMs + step;
    return step / 2 + (random() * step) / 2;
  }
}

/** @param failures before this one */
export function backoffStepMs(failures: number, firstMs: number, longestMs: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30));
}
