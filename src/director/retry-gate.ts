/**
 * Holds back what the kernel refused a moment ago. One gate entry per kernel entry; 1, 2, 4 … 60 seconds, forgotten
 * on success. Without it a pass every second would repeat the same refused request, and log it, for ever.
 */
export class RetryGate {
  readonly #entries = new Map<string, { failures: number; retryAtMs: number }>();

  isOpen(key: string, nowMs: number): boolean {
    const entry = this.#entries.get(key);
    return entry === undefined || nowMs >= entry.retryAtMs;
  }

  /** @returns true for the first failure since the last success: the one worth a log line. */
  recordFailure(key: string, nowMs: number): boolean {
    const failures = (this.#entries.get(key)?.failures ?? 0) + 1;
    const delayMs = Math.min(60_000, 1000 * 2 ** (failures - 1));
    this.#entries.set(key, { failures, retryAtMs: nowMs + delayMs });
    return failures === 1;
  }

  recordSuccess(key: string): void {
    this.#entries.delete(key);
  }

  /** When the next held-back entry is due; undefined: nothing is held back. */
  nextRetryAtMs(): number | undefined {
    let next: number | undefined;
    for (const { retryAtMs } of this.#entries.values())
      if (next === undefined || retryAtMs < next) next = retryAtMs;
    return next;
  }
}
