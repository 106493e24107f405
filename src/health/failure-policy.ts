import type { SchedulerName } from '../api/index.ts';

/** What becomes of a server that is down. */
export type FailureStep = 'Quiesce' | 'QuiesceWithFallback' | 'Remove';

export interface FailureContext {
  readonly scheduler: SchedulerName;
  readonly onFailure: 'Quiesce' | 'Remove';
  /** Since when the server is down. */
  readonly downSinceMs: number;
  /** How long a quiesced server keeps its place, and with it its connections. */
  readonly removeAfterMs: number;
  readonly nowMs: number;
}

/**
 * The step for a server that is down. Quiescing (weight 0) keeps live connections and is the kinder way, but each
 * scheduler reads weight 0 in its own manner:
 *
 * - `dh` refuses every client that it hashes to a server at weight 0 (ip_vs_dh_schedule): only removal helps.
 * - `sh` and `mh` do so too unless their fallback flag is set (ip_vs_sh_get_fallback, ip_vs_mh_get_fallback).
 * - all others pass a server at weight 0 over.
 */
export function failureStep(context: FailureContext): FailureStep {
  const { scheduler, onFailure, downSinceMs, removeAfterMs, nowMs } = context;
  if (onFailure === 'Remove' || scheduler === 'dh' || nowMs - downSinceMs >= removeAfterMs) return 'Remove';
  return scheduler === 'sh' || scheduler === 'mh' ? 'QuiesceWithFallback' : 'Quiesce';
}
