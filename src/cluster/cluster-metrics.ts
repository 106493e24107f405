import type { Clock } from '../base/index.ts';
import type { ApiAnswer, FinishedWork, WorkQueue } from '../kube/index.ts';
import { labels } from '../metrics/index.ts';
import type { Metrics, clusterMetrics } from '../metrics/index.ts';
import type { WatchedKind } from './watch-kind.ts';

export type ClusterMetrics = Metrics<typeof clusterMetrics>;

type Watched = Pick<WatchedKind<unknown>, 'store' | 'health' | 'counters'>;

/** For `connectCluster`: counts every request. */
export function countAnswers(metrics: ClusterMetrics): (answer: ApiAnswer) => void {
  return ({ verb, code, tookMs }) => {
    metrics.count('lvs_operator_api_requests_total', { verb, code: String(code) });
    metrics.observe('lvs_operator_api_request_duration_seconds', { verb }, tookMs / 1000);
  };
}

/** Tells of watches, by a name for each. */
export function provideWatchMetrics(
  metrics: ClusterMetrics,
  watches: Readonly<Record<string, Watched>>,
  clock: Pick<Clock, 'monotonicMs'>,
): void {
  const named = Object.entries(watches).map(([watch, kind]) => ({ text: labels({ watch }), kind }));
  const provide = (
    name: Parameters<ClusterMetrics['provide']>[0],
    value: (kind: Watched) => number | undefined,
  ): void =>
    metrics.provide(name, function* () {
      for (const { text, kind } of named) {
        const now = value(kind);
        if (now !== undefined) yield [text, now];
      }
    });
  provide('lvs_operator_watch_synced', ({ store }) => (store.state.kind === 'synced' ? 1 : 0));
  provide('lvs_operator_watch_objects', ({ store }) => store.size);
  provide('lvs_operator_watch_unreadable_objects', ({ store }) => store.malformed.size);
  provide('lvs_operator_watch_held_absences', ({ store }) => store.heldAbsences.size);
  provide('lvs_operator_watch_stale_seconds', ({ health }) =>
    health.kind === 'degraded' ? (clock.monotonicMs() - health.sinceMs) / 1000 : 0,
  );
  provide('lvs_operator_watch_silence_seconds', ({ counters: { heardMs } }) =>
    heardMs === undefined ? undefined : (clock.monotonicMs() - heardMs) / 1000,
  );
  provide('lvs_operator_watch_lists_total', ({ counters }) => counters.lists);
  provide('lvs_operator_watch_starts_total', ({ counters }) => counters.watches);
  provide('lvs_operator_watch_errors_total', ({ counters }) => counters.failures);
}

/** For a queue of that name: observes every attempt. */
export function observeWork(metrics: ClusterMetrics, queue: string): (work: FinishedWork) => void {
  return ({ waitedMs, workedMs, isFailed }) => {
    metrics.observe('lvs_operator_queue_wait_seconds', { queue }, waitedMs / 1000);
    metrics.observe('lvs_operator_queue_work_seconds', { queue }, workedMs / 1000);
    metrics.count('lvs_operator_queue_retries_total', { queue }, isFailed ? 1 : 0);
  };
}

/** Tells of a queue, as long as there is one. */
export function provideQueueMetrics(
  metrics: ClusterMetrics,
  queue: string,
  current: () => Pick<WorkQueue, 'size' | 'running' | 'added'> | undefined,
): void {
  const text = labels({ queue });
  metrics.provide('lvs_operator_queue_depth', () => [[text, current()?.size ?? 0]]);
  metrics.provide('lvs_operator_queue_adds_total', () => [[text, current()?.added ?? 0]]);
  metrics.provide('lvs_operator_queue_running', () => [[text, current()?.running ?? 0]]);
}
