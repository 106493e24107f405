import type { Clock, Timers } from '../base/index.ts';
import { backoffStepMs } from './backoff.ts';
import { Heap } from './heap.ts';
import { KubeError } from './kube-error.ts';

/** What a worker says of a key that it is done with. */
export type WorkResult =
  | { readonly kind: 'done' }
  /** Look again after that time even if nothing happens. */
  | { readonly kind: 'again'; readonly afterMs: number };

/** One attempt at a key that has ended. */
export interface FinishedWork {
  /** From when it was due to when it began. */
  readonly waitedMs: number;
  readonly workedMs: number;
  readonly isFailed: boolean;
}

export interface WorkQueueOptions {
  /** Reconciles one key: re-reads the world, whatever the reason of the call was. The signal aborts at `stop`. */
  readonly work: (key: string, signal: AbortSignal) => Promise<WorkResult>;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
  /** Keys worked on at the same time. @default 4 */
  readonly workers?: number;
  /** Attempts after the first before a key is given up. @default 12, with the delays below about half an hour */
  readonly retries?: number;
  /** @default 250 */
  readonly firstDelayMs?: number;
  /** @default 300 000 */
  readonly longestDelayMs?: number;
  /** A failed attempt; `isGivenUp`: the key rests until somebody adds it. */
  readonly onFailure: (key: string, error: unknown, isGivenUp: boolean) => void;
  /** Every attempt, well or not. */
  readonly onWork?: ((work: FinishedWork) => void) | undefined;
}

export interface AddOptions {
  /** Higher is sooner among what is due. @default 0 */
  readonly priority?: number;
  /** @default 0 */
  readonly delayMs?: number;
}

interface Item {
  readonly key: string;
  readonly dueMs: number;
  readonly priority: number;
  /** First come, first served among equals. */
  readonly sequence: number;
}

/**
 * Keys that want work. A queue may be hurried, never doubled.
 *
 *   add ─► waiting (by time) ─► ready (by priority, then age) ─► running ─► done, or back to waiting
 *
 * Guarantees: a key waits at most once; of two wishes the earlier time and the higher priority win. Two workers never
 * hold one key: what is added meanwhile waits for the running one to end, and is then worked on again. A failure comes
 * back after a growing delay, a given number of times, or as late as the API server asked for.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** The valid item of each key; what the heaps hold beside these was replaced and is skipped. */
  readonly #items = new Map<string, Item>();
  readonly #waiting = new Heap<Item>((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence);
  readonly #ready = new Heap<Item>((a, b) => b.priority - a.priority || a.sequence - b.sequence);
  readonly #running = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, number>();
  readonly #stop = new AbortController();
  #sequence = 0;
  #added = 0;
  #isStarted = false;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait, for whatever time. */
  get size(): number {
    return this.#items.size;
  }

  /** Keys that were added or hurried since the beginning. */
  get added(): number {
    return this.#added;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Begins to work. Before, keys are only gathered: a half filled store must not be reconciled. */
  start(): void {
    this.#isStarted = true;
    this.#dispatch();
  }

  /** Takes no more keys, aborts the signal of running work and waits for its end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#items.clear();
    await Promise.all(this.#running.values());
  }

  add(key: string, options: AddOptions = {}): void {
    if (this.#stop.signal.aborted) return;
    const { priority = 0, delayMs = 0 } = options;
    const dueMs = this.#options.clock.monotonicMs() + delayMs;
    const last = this.#items.get(key);
    if (last !== undefined && last.dueMs <= dueMs && last.priority >= priority) return;
    const item = {
      key,
      dueMs: Math.min(dueMs, last?.dueMs ?? dueMs),
      priority: Math.max(priority, last?.priority ?? priority),
      sequence: last?.sequence ?? this.#sequence++,
    };
    this.#items.set(key, item);
    this.#added++;
    // What runs is put back in line by its own end.
    if (!this.#running.has(key)) this.#waiting.push(item);
    this.#dispatch();
  }

  /** The key is of no interest any more; running work goes on. */
  forget(key: string): void {
    this.#items.delete(key);
    this.#failures.delete(key);
  }

  #dispatch(): void {
    if (!this.#isStarted || this.#stop.signal.aborted) return;
    this.#promote();
    while (this.#running.size < (this.#options.workers ?? 4)) {
      const item = this.#ready.pop();
      if (item === undefined) break;
      if (this.#items.get(item.key) === item) this.#running.set(item.key, this.#run(item));
    }
    this.#armTimer();
  }

  /** Moves what is due from waiting to ready. */
  #promote(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (let item = this.#waiting.peek(); item !== undefined; item = this.#waiting.peek()) {
      const isReplaced = this.#items.get(item.key) !== item;
      if (!isReplaced && item.dueMs > nowMs) return;
      this.#waiting.pop();
      if (!isReplaced) this.#ready.push(item);
    }
  }

  #armTimer(): void {
    const next = this.#waiting.peek();
    if (next?.dueMs === this.#timer?.dueMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (next === undefined) return;
    const delayMs = Math.max(0, next.dueMs - this.#options.clock.monotonicMs());
    const cancel = this.#options.timers.after(delayMs, () => {
      this.#timer = undefined;
      this.#dispatch();
    });
    this.#timer = { dueMs: next.dueMs, cancel };
  }

  async #run({ key, priority, dueMs }: Item): Promise<void> {
    // Never inside the caller's add: a listener that adds a key must not be reconciled in the middle of its work. What
    // it adds before we begin is served by this run; from here on it asks for another.
    await Promise.resolve();
    const isWanted = this.#items.delete(key);
    const beganMs = this.#options.clock.monotonicMs();
    let result: WorkResult | undefined;
    let failure: { readonly error: unknown } | undefined;
    try {
      if (isWanted) result = await this.#options.work(key, this.#stop.signal);
    } catch (error) {
      failure = { error };
    }
    this.#running.delete(key);
    this.#options.onWork?.({
      waitedMs: Math.max(0, beganMs - dueMs),
      workedMs: this.#options.clock.monotonicMs() - beganMs,
      isFailed: failure !== undefined,
    });
    if (this.#stop.signal.aborted) return;
    const meanwhile = this.#items.get(key);
    if (failure !== undefined) this.#retryLater(key, priority, failure.error);
    else {
      this.#failures.delete(key);
      if (result?.kind === 'again') this.add(key, { delayMs: result.afterMs });
    }
    // The item that came while we ran stands in no heap yet, unless add has just replaced it.
    if (meanwhile !== undefined && this.#items.get(key) === meanwhile) this.#waiting.push(meanwhile);
    this.#dispatch();
  }

  #retryLater(key: string, priority: number, error: unknown): void {
    const { random, retries = 12, firstDelayMs = 250, longestDelayMs = 300_000, onFailure } = this.#options;
    const failures = this.#failures.get(key) ?? 0;
    const isGivenUp = failures >= retries;
    if (isGivenUp) this.#failures.delete(key);
    else {
      this.#failures.set(key, failures + 1);
      const step = backoffStepMs(failures, firstDelayMs, longestDelayMs);
      const askedMs = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
      this.add(key, { priority, delayMs: Math.max(askedMs, step / 2 + (random() * step) / 2) });
    }
    onFailure(key, error, isGivenUp);
  }
}
