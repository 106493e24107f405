import { formatErrorForPeople } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import type { ClusterConnection } from '../cluster/index.ts';
import { EventRecorder, fencedTransport, KubeClient, LeaderElection, StatusWriter } from '../kube/index.ts';
import { PrometheusClient } from '../load/index.ts';
import type { PrometheusOptions } from '../load/index.ts';
import { provideControllerMetrics } from './controller-metrics.ts';
import type { ControllerMetrics } from './controller-metrics.ts';
import { areKindsSynced, startKinds, stopKinds, watchControllerKinds } from './controller-stores.ts';
import { Term } from './term.ts';
import type { WeightsExplanation } from './weight-explanation.ts';

export interface ControllerOptions {
  readonly connection: ClusterConnection;
  readonly logger: Logger;
  /** Where the lease is. */
  readonly namespace: string;
  /** Of this process and no other, ever. */
  readonly identity: string;
  readonly lease: LeaseSettings;
  /** Where queries of weight policies go; undefined: nowhere. */
  readonly prometheus?: PrometheusOptions | undefined;
  readonly metrics?: ControllerMetrics | undefined;
}

export interface LeaseSettings {
  /** @default lvs-operator-controller */
  readonly name?: string;
  /** @default 15 000 */
  readonly durationMs?: number;
  /** @default 10 000 */
  readonly renewDeadlineMs?: number;
  /** @default 2 000 */
  readonly retryPeriodMs?: number;
}

export interface Controller {
  readonly isLeading: boolean;
  /** Whether every resource was read: who follows could lead at once. */
  readonly isReady: boolean;
  /** When the election last did anything, by the monotonic clock: it does, whatever the API server says or not. */
  readonly electionMs: number;
  /**
   * What the weights of a VirtualService are made of. Only who leads knows.
   * @param key `namespace/name`
   * @returns undefined where this process computes no weights for it.
   */
  explainWeights(key: string): WeightsExplanation | undefined;
  /** Ends the work, gives the lease back and stops following. The connection is its opener's to close. */
  stop(): Promise<void>;
}

const fieldManager = 'lvs-controller';
export const defaultLeaseName = 'lvs-operator-controller';

/**
 * Follows the cluster, and leads while it holds the lease. Who stands by follows all the same, so that its first decision
 * after the leader's end needs no time for reading. Losing the lease is no end: the term is over, and the next may come.
 */
export async function runController(options: ControllerOptions): Promise<Controller> {
  const { connection, logger, namespace, identity, lease, metrics } = options;
  const { client, clock, timers, random } = connection;
  const time = { clock, timers, random };
  const { kinds, unreadable } = watchControllerKinds(connection, logger);
  const address = await connection.serverAddress();
  const apiServerAddresses = address === undefined ? [] : [address];
  const prometheus = options.prometheus && new PrometheusClient(options.prometheus);
  let current: { readonly term: Term; readonly recorder: EventRecorder } | undefined;
  let ended: Promise<unknown> = Promise.resolve();

  const begin = (signal: AbortSignal): void => {
    const fenced = new KubeClient(fencedTransport(client.transport, election));
    const recorder = new EventRecorder({
      client: fenced,
      reportingController: 'networking.lvs-operator.io/controller',
      reportingInstance: identity,
      ...time,
      logger,
      onOutcome: (outcome) => metrics?.count('lvs_controller_events_total', { outcome }),
    });
    const statusWriter = new StatusWriter({ client: fenced, fieldManager, ...time });
    const term = new Term({
      kinds,
      unreadable,
      client: fenced,
      statusWriter,
      recorder,
      ...time,
      logger,
      apiServerAddresses,
      fieldManager,
      authorization: () => connection.authorization(),
      prometheus,
      metrics,
    });
    metrics?.count('lvs_controller_terms_total', {});
    current = { term, recorder };
    signal.addEventListener('abort', end, { once: true });
    // The term before may still be winding up; its writes are fenced, but two must not decide at once.
    void ended
      .then(() => term.start())
      .catch((error: unknown) => {
        logger.error('the term could not begin', { reason: formatErrorForPeople(error) });
      });
  };
  const end = (): void => {
    if (current === undefined) return;
    const { term, recorder } = current;
    current = undefined;
    ended = Promise.all([ended, term.stop(), recorder.stop()]);
  };
  const election = new LeaderElection({
    client,
    namespace,
    name: lease.name ?? defaultLeaseName,
    identity,
    ...time,
    logger,
    ...leaseTimes(lease),
    onLeading: begin,
  });
  const controller: Controller = {
    get isLeading() {
      return election.isLeading;
    },
    get isReady() {
      return areKindsSynced(kinds);
    },
    get electionMs() {
      return election.attemptedMs;
    },
    explainWeights: (key) => current?.term.explainWeights(key),
    stop: async () => {
      end();
      await ended;
      await election.stop();
      end();
      await ended;
      await stopKinds(kinds);
      prometheus?.close();
    },
  };
  if (metrics !== undefined)
    provideControllerMetrics(metrics, {
      kinds,
      controller,
      clock,
      queues: () => current?.term.queues,
      weightPools: () => current?.term.weightPools,
    });
  startKinds(kinds);
  election.start();
  return controller;
}

/** Those that were chosen; the election has defaults for the others. */
function leaseTimes({ durationMs, renewDeadlineMs, retryPeriodMs }: ControllerOptions['lease']) {
  return {
    ...(durationMs === undefined ? {} : { leaseDurationMs: durationMs }),
    ...(renewDeadlineMs === undefined ? {} : { renewDeadlineMs }),
    ...(retryPeriodMs === undefined ? {} : { retryPeriodMs }),
  };
}
