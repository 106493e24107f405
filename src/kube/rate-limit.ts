export interface RateLimitOptions {
  /** What may happen at once after a rest. */
  readonly burst: number;
  /** One more every so many milliseconds. */
  readonly refillMs: number;
}

/** A token bucket per key. Buckets that are full again are forgotten, so memory follows what is busy. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  /** The time at which the bucket is full again, which says everything about it. */
  readonly #fullAtMs = new Map<string, number>();
  #sweptAtMs = 0;

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#fullAtMs.size;
  }

  /** Takes a token. @returns false when there is none. */
  take(key: string, nowMs: number): boolean {
    const { burst, refillMs } = this.#options;
    this.#sweep(nowMs);
    const fullAtMs = Math.max(this.#fullAtMs.get(key) ?? nowMs, nowMs) + refillMs;
    if (fullAtMs - nowMs > burst * refillMs) return false;
    this.#fullAtMs.set(key, fullAtMs);
    return true;
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < this.#options.refillMs) return;
    this.#sweptAtMs = nowMs;
    for (const [key, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(key);
  }
}
