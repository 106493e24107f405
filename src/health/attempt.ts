import type { Timers } from '../base/index.ts';
import type { Libc } from '../netlink/index.ts';
import type { EchoSockets } from './echo-sockets.ts';
import type { FailureReason, ProbeOutcome } from './outcome.ts';
import type { Target } from './question.ts';

/** One probe under way. */
export interface Attempt {
  /**
   * Ends it where it stands, without an outcome, and frees everything that it holds. Does nothing once it has settled.
   * @returns what it was waiting for, as the reason of a timeout
   */
  abandon(): FailureReason;
}

/** Called at most once per attempt; afterwards the attempt holds nothing any more. */
export type Settle = (outcome: ProbeOutcome) => void;

/**
 * Asks once. The total deadline is kept by the caller, who abandons the attempt; `timeoutMs` only paces repetitions
 * within it. `settle` may be called before this returns.
 */
export type Ask = (target: Target, timeoutMs: number, settle: Settle) => Attempt;

/** What probes need of the world. */
export interface ProbeEnvironment {
  readonly timers: Timers;
  /** In [0, 1). */
  readonly chance: () => number;
  /** Loaded at the first use: only marked routes and pings need the C library. */
  readonly libc: () => Libc;
  readonly echoSockets: EchoSockets;
}

/** An attempt that was over before it began. */
export const settledAttempt: Attempt = { abandon: () => 'ConnectFailed' };
