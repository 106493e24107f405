import type { Clock, Timers } from '../../src/base/index.ts';

interface PendingTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until the test moves it, with the timers that hang on it. */
export class FakeTime implements Clock, Timers {
  #nowMs = 1000;
  readonly #timers = new Set<PendingTimer>();
  #isPaused = false;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Delays of the timers that wait, shortest first. */
  get delaysMs(): number[] {
    return [...this.#timers].map((timer) => timer.dueMs - this.#nowMs).toSorted((a, b) => a - b);
  }

  /** Moves the clock, timer by timer. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (!this.#isPaused) {
      const next = this.#nextDue(endMs);
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#timers.delete(next);
      next.callback();
    }
    this.#nowMs = endMs;
  }

  /** As SIGSTOP does it: the clock goes on, and nothing that hangs on it happens. */
  pause(): void {
    this.#isPaused = true;
  }

  /** What was due meanwhile happens now, late, and each timer's promises before the next timer, as in Node. */
  async resume(): Promise<void> {
    this.#isPaused = false;
    for (let next = this.#nextDue(this.#nowMs); next !== undefined; next = this.#nextDue(this.#nowMs)) {
      this.#timers.delete(next);
      next.callback();
      await settle();
    }
  }

  #nextDue(endMs: number): PendingTimer | undefined {
    return [...this.#timers].filter(({ dueMs }) => dueMs <= endMs).toSorted((a, b) => a.dueMs - b.dueMs)[0];
  }

  /** Moves the clock in steps, with time for sockets in between, until the condition holds. */
  async advanceUntil(condition: () => boolean, stepMs = 200, mostMs = 3_600_000): Promise<void> {
    const endMs = this.#nowMs + mostMs;
    while (!condition()) {
      if (this.#nowMs >= endMs)
        throw new Error(`not so after ${mostMs} ms of fake time: ${String(condition)}`);
      await settle();
      if (!condition()) this.advance(stepMs);
      await settle();
    }
  }
}

/** Lets everything happen that needs no timer: promises, and what lies ready in sockets. */
export async function settle(turns = 3): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits in real time, for what goes through sockets. */
export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not so in ${timeoutMs} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}
