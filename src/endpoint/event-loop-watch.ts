import type { Clock, Timers } from '../base/index.ts';

const beatMs = 500;
/** How long a pause is remembered: a probe that asks every few seconds must see it. */
const rememberedMs = 10_000;

/**
 * How long the event loop of this process was held up, by our own work, a starved machine or a stopped process: a heart
 * that beats twice a second, and how late each beat came. What the loop does not get round to, timers and answers alike,
 * waits that long.
 */
export class EventLoopWatch {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #timers: Timers;
  readonly #observe: (lagSeconds: number) => void;
  /** Pauses of the last seconds, oldest first. */
  #pauses: { readonly endedMs: number; readonly lastedMs: number }[] = [];
  #dueMs = 0;
  #cancel: (() => void) | undefined;

  /** @param observe hears of the lag of every beat, in seconds. */
  constructor(
    time: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly timers: Timers },
    observe: (lagSeconds: number) => void = () => {},
  ) {
    this.#clock = time.clock;
    this.#timers = time.timers;
    this.#observe = observe;
  }

  start(): void {
    if (this.#cancel === undefined) this.#beat();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The longest hold-up of the last ten seconds; one that is not over counts as far as it got. */
  longestPauseMs(): number {
    const nowMs = this.#clock.monotonicMs();
    const open = this.#cancel === undefined ? 0 : nowMs - this.#dueMs;
    return this.#pauses
      .filter(({ endedMs }) => nowMs - endedMs <= rememberedMs)
      .reduce((longest, { lastedMs }) => Math.max(longest, lastedMs), Math.max(0, open));
  }

  #beat(): void {
    this.#dueMs = this.#clock.monotonicMs() + beatMs;
    this.#cancel = this.#timers.after(beatMs, () => {
      const nowMs = this.#clock.monotonicMs();
      const lastedMs = Math.max(0, nowMs - this.#dueMs);
      this.#pauses = this.#pauses.filter(({ endedMs }) => nowMs - endedMs <= rememberedMs);
      this.#pauses.push({ endedMs: nowMs, lastedMs });
      this.#observe(lastedMs / 1000);
      this.#beat();
    });
  }
}
