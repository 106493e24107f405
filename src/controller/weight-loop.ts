import { followsLoad, refuseDynamicWeights } from '../api/index.ts';
import type { Endpoint, RealServerResource, VirtualServiceResource } from '../api/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import type { KubeTransport, ObjectKey } from '../kube/index.ts';
import { objectKey } from '../kube/index.ts';
import { DirectorPoller } from '../load/index.ts';
import type { CountersReport, PrometheusClient } from '../load/index.ts';
import type { WeightVerdict } from '../weight/index.ts';
import type { ControllerMetrics } from './controller-metrics.ts';
import type { ControllerKinds } from './controller-stores.ts';
import type { ResolvedEndpoint } from './resolve-endpoints.ts';
import { polledDirectors } from './polled-directors.ts';
import { explainPool } from './weight-explanation.ts';
import type { WeightsExplanation } from './weight-explanation.ts';
import { WeightMetrics } from './weight-metrics.ts';
import type { WeightSource } from './weight-metrics.ts';
import { WeightPool } from './weight-pool.ts';
import type { EndpointWeight, PoolServer } from './weight-pool.ts';
import { indexPools, readingsOf, reportedSamples } from './weight-readings.ts';
import type { PoolsByAddress } from './weight-readings.ts';

export interface WeightLoopOptions {
  readonly kinds: Pick<
    ControllerKinds,
    'virtualServices' | 'realServers' | 'realServerSlices' | 'pods' | 'directors' | 'nodes'
  >;
  readonly transport: Pick<KubeTransport, 'request'>;
  readonly authorization: () => Promise<string | undefined>;
  /** Undefined: queries have nobody to go to, and say so. */
  readonly prometheus: PrometheusClient | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Some of its weights are to be written. */
  readonly onRealServer: (key: ObjectKey) => void;
  /** Its condition WeightsFromLoad has turned. */
  readonly onVirtualService: (key: ObjectKey) => void;
  readonly metrics?: ControllerMetrics | undefined;
}

/** What a RealServer's slices and status are to say of weights. */
export interface WeightsOfRealServer {
  /** By address. */
  readonly weights: ReadonlyMap<string, EndpointWeight>;
  /** To be called when the slices hold them. */
  noteWritten(): void;
}

/** Directors are asked so often; the kernel's counters move every two seconds. */
const intervalMs = 1000;
/** A verdict of a pool that has just been begun is no news: a leader that takes over has to hear first. */
const firstVerdictMs = 60_000;
/** Reasons go back and forth; a status need not. */
const reasonIntervalMs = 10_000;

interface Published {
  verdict: WeightVerdict;
}

/**
 * Weights that follow the load, while this process leads.
 *
 *   directors /v1/counters, once a second ──► readings ─┐
 *   pod metrics, queries, servers' reports ─► samples ──┤► WeightPool of a VirtualService ─► RealServers to be written
 *   endpoints, as RealServers are reconciled ► servers ─┘
 *
 * Guarantees: nobody is asked for anything while no VirtualService wants it; weights are written by whoever writes the
 * slices, with whatever else changes there; a slice is the memory of its weights, so that the next leader goes on from
 * them; when nothing is heard, weights hold and in the end return to what people wrote.
 */
export class WeightLoop {
  readonly #options: WeightLoopOptions;
  readonly #poller: DirectorPoller;
  readonly #metrics: WeightMetrics;
  readonly #pools = new Map<ObjectKey, WeightPool>();
  /** Where the endpoints of a RealServer are. */
  readonly #homes = new Map<ObjectKey, WeightPool>();
  readonly #published = new Map<ObjectKey, Published>();
  /** What the status of a RealServer was last told, and when; the first time is early, and nobody counts it. */
  readonly #told = new Map<ObjectKey, { readonly reasons: string; readonly atMs: number | undefined }>();
  #index: PoolsByAddress | undefined;
  #cancel: () => void = () => {};
  #isOver = false;

  constructor(options: WeightLoopOptions) {
    this.#options = options;
    const { clock, logger, authorization, transport, prometheus, metrics } = options;
    const onFailure = (source: WeightSource): void =>
      metrics?.count('lvs_controller_weight_source_errors_total', { source });
    this.#poller = new DirectorPoller({
      clock,
      logger,
      authorization,
      onReport: (report) => this.#hear(report),
      onFailure: () => onFailure('Directors'),
    });
    this.#metrics = new WeightMetrics({ transport, prometheus, clock, logger, onFailure });
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel();
    this.#poller.close();
    this.#metrics.close();
  }

  /** Every pool that there is; for those who explain and count. */
  get pools(): ReadonlyMap<ObjectKey, WeightPool> {
    return this.#pools;
  }

  /** @param key of a VirtualService @returns undefined where weights are as they are written */
  explain(key: ObjectKey): WeightsExplanation | undefined {
    const pool = this.#pools.get(key);
    if (pool === undefined) return undefined;
    const { directors, failures } = this.#poller;
    return explainPool(
      pool,
      directors.map((name) => ({ name, failure: failures.get(name) })),
    );
  }

  /** What the condition WeightsFromLoad says; undefined: what is stored stays. */
  verdictOf(key: ObjectKey): WeightVerdict | undefined {
    return this.#published.get(key)?.verdict;
  }

  /**
   * The weights of the endpoints of a RealServer at this moment. Endpoints that are new get theirs with their first write.
   * @returns undefined where weights are as they are written.
   */
  weigh(
    realServer: RealServerResource,
    endpoints: readonly ResolvedEndpoint[],
    stored: ReadonlyMap<string, Endpoint>,
  ): WeightsOfRealServer | undefined {
    const { namespace } = realServer.metadata;
    const pool = this.#poolOf(`${namespace}/${realServer.spec.virtualServiceRef.name}`);
    const key = objectKey(realServer.metadata);
    const last = this.#homes.get(key);
    if (last !== undefined && last !== pool) this.#setServers(last, key, []);
    if (pool === undefined) return undefined;
    const servers = endpoints.map((endpoint) =>
      this.#serverOf(realServer, endpoint, stored.get(endpoint.address)),
    );
    this.#setServers(pool, key, servers);
    this.#tick(pool, this.#options.clock.wallMs());
    const atMs = this.#told.has(key) ? this.#options.clock.monotonicMs() : undefined;
    this.#told.set(key, { reasons: reasonsOf(pool, key), atMs });
    return { weights: pool.weightsOf(key), noteWritten: () => this.#noteWritten(pool, key) };
  }

  /** A RealServer that is gone. */
  forget(realServerKey: ObjectKey): void {
    this.#told.delete(realServerKey);
    const pool = this.#homes.get(realServerKey);
    if (pool !== undefined) this.#setServers(pool, realServerKey, []);
  }

  #setServers(pool: WeightPool, key: ObjectKey, servers: readonly PoolServer[]): void {
    if (servers.length === 0) this.#homes.delete(key);
    else this.#homes.set(key, pool);
    if (pool.setServers(key, servers)) this.#index = undefined;
  }

  #schedule(): void {
    if (this.#isOver) return;
    this.#cancel = this.#options.timers.after(intervalMs, () => {
      this.#turn();
      this.#schedule();
    });
  }

  #turn(): void {
    const { kinds, clock, onRealServer, onVirtualService } = this.#options;
    const nowMs = clock.wallMs();
    for (const key of this.#pools.keys()) this.#poolOf(key);
    const pools = [...this.#pools.values()];
    this.#poller.ask(pools.length === 0 ? [] : polledDirectors(kinds.directors.store, kinds.nodes.store));
    this.#metrics.ask(pools);
    for (const pool of pools) {
      this.#tick(pool, nowMs);
      for (const key of pool.changedRealServers()) onRealServer(key);
      for (const key of pool.realServerKeys) if (this.#hasNewReasons(pool, key)) onRealServer(key);
      if (this.#publish(pool, nowMs)) onVirtualService(pool.key);
    }
  }

  #tick(pool: WeightPool, nowMs: number): void {
    for (const [reason, count] of pool.tick(nowMs).leftOut)
      this.#options.metrics?.count('lvs_controller_weight_inputs_left_out_total', { reason }, count);
  }

  #noteWritten(pool: WeightPool, key: ObjectKey): void {
    for (const reason of pool.noteWritten(key))
      this.#options.metrics?.count('lvs_controller_weight_writes_total', { reason });
  }

  #hasNewReasons(pool: WeightPool, key: ObjectKey): boolean {
    const told = this.#told.get(key);
    if (told === undefined || told.reasons === reasonsOf(pool, key)) return false;
    return told.atMs === undefined || this.#options.clock.monotonicMs() - told.atMs >= reasonIntervalMs;
  }

  /** @returns whether the condition is to be written. */
  #publish(pool: WeightPool, nowMs: number): boolean {
    const { verdict } = pool;
    const last = this.#published.get(pool.key)?.verdict;
    if (verdict === undefined) return false;
    if (last?.isFromLoad === verdict.isFromLoad && last.reason === verdict.reason) return false;
    if (last === undefined && !verdict.isFromLoad && nowMs - pool.createdMs < firstVerdictMs) return false;
    this.#published.set(pool.key, { verdict });
    return true;
  }

  #hear(report: CountersReport): void {
    this.#index ??= indexPools(this.#pools.values());
    for (const [pool, readings] of readingsOf(report, this.#index)) pool.observeConnections(readings);
    if (report.document.reports.length === 0) return;
    for (const pool of this.#pools.values()) pool.observeMetrics(reportedSamples(report, pool));
  }

  /** The pool of a VirtualService as it is now: made, made anew or given up where its policy says so. */
  #poolOf(key: ObjectKey): WeightPool | undefined {
    const virtualService = this.#options.kinds.virtualServices.store.get(key);
    const known = this.#pools.get(key);
    if (virtualService === undefined || !isAdaptive(virtualService)) {
      if (known !== undefined) this.#give(key);
      return undefined;
    }
    if (known?.fits(virtualService.spec) === true) return known;
    const pool = new WeightPool(key, virtualService.spec, this.#options.clock.wallMs());
    this.#pools.set(key, pool);
    this.#index = undefined;
    this.#fill(pool);
    return pool;
  }

  #give(key: ObjectKey): void {
    this.#pools.delete(key);
    this.#published.delete(key);
    this.#index = undefined;
  }

  /** With what the slices hold, until each RealServer is reconciled: nobody is to be taken for new. */
  #fill(pool: WeightPool): void {
    const { realServers, realServerSlices } = this.#options.kinds;
    for (const realServer of realServers.store.byIndex('virtualService', pool.key)) {
      const key = objectKey(realServer.metadata);
      const servers = realServerSlices.store
        .byIndex('realServer', key)
        .flatMap(({ spec }) =>
          spec.endpoints.map((endpoint) =>
            this.#serverOf(
              realServer,
              { address: endpoint.address, phase: endpoint.phase, pod: podOf(endpoint) },
              endpoint,
            ),
          ),
        );
      this.#setServers(pool, key, servers);
    }
  }

  #serverOf(
    { metadata, spec }: RealServerResource,
    { address, phase, pod }: Pick<ResolvedEndpoint, 'address' | 'phase' | 'pod'>,
    stored: Endpoint | undefined,
  ): PoolServer {
    const { pods } = this.#options.kinds;
    const record =
      pod === undefined
        ? undefined
        : pods.store
            .byIndex('address', address)
            .find(({ uid, namespace }) => uid === pod.uid && namespace === metadata.namespace);
    return {
      address,
      name: pod?.uid ?? address,
      podName: record?.name,
      resources: record?.resources,
      isServing: phase === 'Serving' && spec.state === 'Enabled',
      configuredWeight: spec.weight,
      sliceWeight: stored?.weight,
      isKnown: stored !== undefined,
      isShared: record?.isHostNetwork === true,
    };
  }
}

function isAdaptive({ spec }: VirtualServiceResource): boolean {
  return followsLoad(spec) && refuseDynamicWeights(spec.scheduler) === undefined;
}

function podOf({ podUID }: Endpoint): ResolvedEndpoint['pod'] {
  return podUID === undefined ? undefined : { name: '', uid: podUID };
}

function reasonsOf(pool: WeightPool, key: ObjectKey): string {
  return [...pool.weightsOf(key).values()].map(({ reason }) => reason).join();
}
