import type { Probe } from './question.ts';
import type { Beginning, Verdict, VerdictPolicy } from './verdict.ts';

/** What the two threads tell each other. Plain values: everything is copied on the way. */
export interface ProbeStart {
  readonly id: number;
  readonly probe: Probe;
  /** Of all probes that this process ever began; gives the phase. */
  readonly ordinal: number;
}

export interface JudgeOrder {
  readonly id: number;
  readonly probeId: number;
  readonly policy: VerdictPolicy;
  readonly beginning: Beginning;
}

/** From the main thread to the prober. */
export type ProberOrder =
  | {
      readonly type: 'update';
      readonly addedProbes: readonly ProbeStart[];
      readonly removedProbes: readonly number[];
      readonly addedJudges: readonly JudgeOrder[];
      readonly removedJudges: readonly number[];
    }
  | { readonly type: 'close' };

/** The last finished probe of a target. Times are of the clock that all threads share. */
export interface ProbeSample {
  readonly probeId: number;
  readonly atMs: number;
  readonly latencyMs: number;
  /** `passed`, or the reason of its failure or of its being void. */
  readonly outcome: string;
  readonly certificateEndsMs: number | undefined;
}

/** Of one type of probes, since the prober began. */
export interface ProbeTotals {
  /** The name of the check: `https` is another one than `http`. */
  readonly type: string;
  /** By `passed` or reason. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Passed and failed probes that took at most so many milliseconds, by `latencyBucketsMs`; the last is all. */
  readonly latency: readonly number[];
  readonly latencySumMs: number;
}

/** How punctual the prober is, since it began. */
export interface Punctuality {
  /** Over all probes, how late they began: other probes of the same target were under way, or there was no room or time. */
  readonly delayMs: number;
  /** Turns that were left out since the probe before had not ended, or the thread stood still. */
  readonly missed: number;
  /** How long the thread stood still while probes were under way. */
  readonly heldUpMs: number;
}

export const latencyBucketsMs = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, Infinity] as const;

/** From the prober to the main thread. */
export interface ProberReport {
  /** Verdicts that say something new, by judge. */
  readonly verdicts: readonly { readonly judgeId: number; readonly verdict: Verdict }[];
  /** Probes that finished since the last report of that kind; it comes twice a second. */
  readonly samples: readonly ProbeSample[];
  /** With samples only. */
  readonly totals: readonly ProbeTotals[] | undefined;
  /** With totals. */
  readonly punctuality?: Punctuality | undefined;
}
