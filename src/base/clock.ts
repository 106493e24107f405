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
