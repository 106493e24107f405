import type { Clock, Timers } from '../../src/base/index.ts';

/**
 * Real time for one process that can be stopped as SIGSTOP stops it: the clocks go on, and of what hangs on timers
 * nothing happens before it is resumed; then all that was due happens late.
 */
export class PausableTime {
  readonly clock: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
  readonly timers: Timers = { after: (delayMs, callback) => this.#after(delayMs, callback) };
  readonly #due = new Set<() => void>();
  #resumed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  get isPaused(): boolean {
    return this.#resumed !== undefined;
  }

  pause(): void {
    this.#resumed ??= Promise.withResolvers<void>();
  }

  resume(): void {
    const resumed = this.#resumed;
    this.#resumed = undefined;
    const due = [...this.#due];
    this.#due.clear();
    for (const callback of due) callback();
    resumed?.resolve();
  }

  /** For what else a process does: what it sends and receives. */
  async whenRunning(): Promise<void> {
    await this.#resumed?.promise;
  }

  #after(delayMs: number, callback: () => void): () => void {
    const run = (): void => {
      if (this.isPaused) this.#due.add(run);
      else callback();
    };
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
      this.#due.delete(run);
    };
  }
}
