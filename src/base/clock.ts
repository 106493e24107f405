/**
 * Time as an argument. Durations and timers use `monotonicMs`; `wallMs` is only for what must survive a restart
 * (deadlines in the ledger) or is shown to people.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start; never jumps back. */
  monotonicMs(): number;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  wallMs(): number;
}

/** Delays as an argument, so that a test decides when they end. */
export interface Timers {
  /** Calls back once after so many milliseconds. The answer cancels it, and does nothing once it has called. */
  after(delayMs: number, callback: () => void): () => void;
}
