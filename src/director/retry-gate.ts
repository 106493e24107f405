/**
 * Holds back what the kernel refused a moment ago. One gate entry per kernel entry; 1, 2, 4 … 60 seconds, forgotten
 * on success. Without it a pass every second would repeat the same refused request, and log it, for ever. A wish for
 * something else begins anew: who mends a manifest does not wait for the end of a row of failures.
 */
export class RetryGate {
  readonly #entries = new Map<string, { wish: string; failures: number; retryAtMs: number }>();

  /** @param wish what is asked for, as text; it is put into words only where something was refused before. */
  isOpen(key: string, wish: () => string, nowMs: number): boolean {
    const entry = this.#entries.get(key);
    return entry === undefined || nowMs >= entry.retryAtMs || entry.wish !== wish();
  }

  /** @returns true for the first failure of this wish since the last success: the one worth a log line. */
  recordFailure(key: string, wish: string, nowMs: number): boolean {
    const last = this.#entries.get(key);
    const failures = (last?.wish === wish ? last.failures : 0) + 1;
    const delayMs = Math.min(60_000, 1000 * 2 ** (failures - 1));
    this.#entries.set(key, { wish, failures, retryAtMs: nowMs + delayMs });
    return failures === 1;
  }

  recordSuccess(key: string): void {
    this.#entries.delete(key);
  }
}
