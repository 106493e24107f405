import { apiVersion, readRealServerStatus } from '../api/index.ts';
import type { AddressPoolResource } from '../api/index.ts';
import { assert } from '../base/index.ts';
import type { Clock, IpAddress, Logger, Timers } from '../base/index.ts';
import { observeWork } from '../cluster/index.ts';
import type { WatchedKind } from '../cluster/index.ts';
import { isEqualJson, WorkQueue } from '../kube/index.ts';
import type { EventRecorder, KubeClient, ObjectKey, StatusWriter, WorkResult } from '../kube/index.ts';
import type { PrometheusClient } from '../load/index.ts';
import type { Refusal } from '../plan/index.ts';
import type { ClusterView } from './cluster-view.ts';
import type { ControllerMetrics } from './controller-metrics.ts';
import { relist, whenKindsSynced } from './controller-stores.ts';
import type { ControllerKinds, UnreadableKinds } from './controller-stores.ts';
import { decide } from './decide.ts';
import type { Decisions } from './decide.ts';
import { DirectorGarbage } from './director-garbage.ts';
import { createEndpointPolicy } from './endpoint-policy.ts';
import type { EndpointPolicy } from './endpoint-policy.ts';
import { FailureReports } from './failure-reports.ts';
import { RealServerReconciler } from './real-server-reconciler.ts';
import { StatusReconciler } from './status-reconciler.ts';
import { beginTerm } from './term-memory.ts';
import type { TermMemory } from './term-memory.ts';
import { transitionNotes } from './transition-events.ts';
import { TurnEvents } from './turn-events.ts';
import { ViewBuilder } from './view-builder.ts';
import type { Urgency } from './view-builder.ts';
import type { WeightsExplanation } from './weight-explanation.ts';
import { WeightLoop } from './weight-loop.ts';
import type { WeightPool } from './weight-pool.ts';

export interface TermOptions {
  readonly kinds: ControllerKinds;
  readonly unreadable: UnreadableKinds;
  /** Fenced: who does not lead any more writes nothing. */
  readonly client: KubeClient;
  readonly statusWriter: StatusWriter;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
  readonly logger: Logger;
  /** Addresses by which we call the API server ourselves. */
  readonly apiServerAddresses: readonly IpAddress[];
  readonly fieldManager: string;
  /** The Authorization header for directors. */
  readonly authorization: () => Promise<string | undefined>;
  readonly prometheus: PrometheusClient | undefined;
  readonly metrics?: ControllerMetrics | undefined;
}

type PolicyView = Pick<ClusterView, 'facts' | 'addressPools' | 'namespaceLabels'>;

interface PolicyBasis extends Pick<ClusterView, 'facts' | 'namespaceLabels'> {
  readonly pools: readonly AddressPoolResource[];
}

export type QueueName = 'status' | 'endpoints';

const noRefusals: readonly Refusal[] = [];

/** Events come in bursts, and one decision judges them all. */
const gatherMs = 15;
/**
 * What turned out, and nobody asked for, waits longer: until what it is about has gone its way to the kernels, and for the
 * echo of our own writes. An endpoint that comes or goes makes four such changes, each of which would cost a decision.
 */
const gatherLaterMs = 60;
/** From the end of a decision to the next for such changes. */
const laterIntervalMs = 500;
/** The next one waits for so many times what the last one took: it must not cost more for being asked more often. */
const restFactor = 3;
/** A key that was given up is tried again: what was missing (a role, a definition) may be there by then. */
const resumeMs = 300_000;

/**
 * One time of leading: decides, and writes what differs.
 *
 *   store events ─► gather ─► decide ─► keys of what differs ─► queue ─► statuses and events
 *        └────────────────────────────► keys of RealServers ──► queue ─► slices, then their statuses
 *
 * Endpoints go their own way: where a pod is going, no decision about addresses is waited for, and a status that is slow
 * to write holds up no slice. Guarantees: nothing is decided before every store has been filled, and VirtualServices and
 * pools have been listed again since this process leads: what the leader before wrote last is known. What was decided is
 * remembered only for the term; the next one begins with what is stored.
 */
export class Term {
  readonly #options: TermOptions;
  readonly #stop = new AbortController();
  readonly #queue: WorkQueue;
  readonly #realServerQueue: WorkQueue;
  readonly #realServers: RealServerReconciler;
  readonly #failures: FailureReports;
  readonly #garbage: DirectorGarbage;
  readonly #events: TurnEvents;
  readonly #statuses: StatusReconciler;
  readonly #weights: WeightLoop;
  #view: ViewBuilder | undefined;
  #memory: TermMemory | undefined;
  #decisions: Decisions | undefined;
  #policy: { readonly basis: PolicyBasis; readonly policy: EndpointPolicy } | undefined;
  #unfollow: () => void = () => {};
  #restUntilMs = 0;
  #decidedMs = Number.NEGATIVE_INFINITY;
  #pending: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  /** The stored entries that the last decision was about: a status that others wrote is looked at again. */
  #judged = new Map<string, unknown>();

  constructor(options: TermOptions) {
    const { kinds, unreadable, client, statusWriter, recorder, clock, timers, logger } = options;
    this.#options = options;
    this.#failures = new FailureReports(logger);
    this.#garbage = new DirectorGarbage({
      directors: kinds.directors.store,
      nodes: kinds.nodes.store,
      client,
      clock,
      onDeleted: (director) => logger.info('a Director was deleted, as its node is gone', { director }),
    });
    this.#weights = this.#openWeights();
    this.#events = new TurnEvents(recorder, timers);
    this.#statuses = new StatusReconciler({
      kinds,
      unreadable,
      statusWriter,
      events: this.#events,
      clock,
      decisions: () => this.#decisions,
      weightVerdict: (key) => this.#weights.verdictOf(key),
    });
    this.#realServers = this.#openRealServers();
    this.#queue = this.#openQueue('status');
    this.#realServerQueue = this.#openQueue('endpoints');
  }

  /** Keys of statuses, and of RealServers: what waits, and what is worked on. */
  get queues(): Readonly<Record<QueueName, Pick<WorkQueue, 'size' | 'running' | 'added'>>> {
    return { status: this.#queue, endpoints: this.#realServerQueue };
  }

  /** The pools of those VirtualServices whose weights follow the load. */
  get weightPools(): ReadonlyMap<ObjectKey, WeightPool> {
    return this.#weights.pools;
  }

  /** @returns undefined where weights are as they are written, or nothing is known of the VirtualService yet */
  explainWeights(key: ObjectKey): WeightsExplanation | undefined {
    return this.#weights.explain(key);
  }

  #openQueue(name: QueueName): WorkQueue {
    const { clock, timers, random, metrics } = this.#options;
    const queue: WorkQueue = new WorkQueue({
      work: (key, signal) => this.#work(key, signal),
      clock,
      timers,
      random,
      onWork: metrics && observeWork(metrics, name),
      onFailure: (key, error, isGivenUp) => {
        this.#failures.failed(key, error);
        metrics?.count('lvs_controller_reconcile_errors_total', { kind: key.slice(0, key.indexOf(' ')) });
        if (isGivenUp) queue.add(key, { delayMs: resumeMs });
      },
    });
    return queue;
  }

  #openWeights(): WeightLoop {
    const { kinds, client, authorization, prometheus, clock, timers, logger, metrics } = this.#options;
    return new WeightLoop({
      kinds,
      transport: client.transport,
      authorization,
      prometheus,
      clock,
      timers,
      logger,
      metrics,
      onRealServer: (key) => this.#addRealServer(key),
      onVirtualService: (key) => this.#queue.add(`VirtualService ${key}`),
    });
  }

  #openRealServers(): RealServerReconciler {
    const { kinds, client, statusWriter, recorder, clock, timers, logger, fieldManager } = this.#options;
    return new RealServerReconciler({
      stores: {
        pods: kinds.pods.store,
        endpointSlices: kinds.endpointSlices.store,
        realServers: kinds.realServers.store,
        realServerSlices: kinds.realServerSlices.store,
        virtualServices: kinds.virtualServices.store,
        nodes: kinds.nodes.store,
      },
      client,
      statusWriter,
      fieldManager,
      clock,
      timers,
      logger,
      policy: () => this.#currentPolicy(),
      weights: this.#weights,
      refusalsOf: (key) => this.#decisions?.realServers.get(key)?.refusals ?? noRefusals,
      healthOf: (key) => ({
        health: this.#decisions?.health.realServerOf(key),
        directors: this.#decisions?.health.directors ?? 0,
      }),
      relist: (signal) => relist([kinds.pods, kinds.endpointSlices] as WatchedKind<unknown>[], signal),
      onStatus: (realServer, conditions) => {
        const { name, namespace, uid = '' } = realServer.metadata;
        const regarding = { apiVersion, kind: realServer.kind, name, namespace, uid };
        const before = readRealServerStatus(realServer).conditions;
        for (const note of transitionNotes(before, conditions)) recorder.record({ regarding, ...note });
      },
    });
  }

  /** Resolves when the first decision was made, or when the term is over before. */
  async start(): Promise<void> {
    const { kinds } = this.#options;
    const { signal } = this.#stop;
    try {
      await whenKindsSynced(kinds, signal);
      await relist([kinds.virtualServices, kinds.addressPools] as WatchedKind<unknown>[], signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (signal.aborted) return;
    this.#view = new ViewBuilder(this.#options, (urgency) => this.#follow(urgency));
    this.#decide();
    this.#realServers.begin(signal);
    this.#unfollow = this.#realServers.follow((key) => this.#addRealServer(key));
    this.#realServerQueue.start();
    this.#queue.start();
    this.#weights.start();
  }

  /** Resolves when nothing runs any more. Without waiting for anything, nothing new begins. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#pending?.cancel();
    this.#view?.close();
    this.#unfollow();
    this.#weights.stop();
    await Promise.all([this.#queue.stop(), this.#realServerQueue.stop()]);
    this.#events.stop();
  }

  #addRealServer(key: ObjectKey): void {
    this.#realServerQueue.add(`RealServer ${key}`);
  }

  #follow(urgency: Urgency): void {
    const sinceMs = this.#options.clock.monotonicMs() - this.#decidedMs;
    this.#wake(urgency === 'soon' ? gatherMs : Math.max(gatherLaterMs, laterIntervalMs - sinceMs));
  }

  #wake(delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    const nowMs = this.#options.clock.monotonicMs();
    const dueMs = Math.max(nowMs + delayMs, this.#restUntilMs);
    if (this.#pending !== undefined && this.#pending.dueMs <= dueMs) return;
    this.#pending?.cancel();
    const cancel = this.#options.timers.after(dueMs - nowMs, () => {
      this.#pending = undefined;
      const beganMs = this.#options.clock.monotonicMs();
      this.#decide();
      const endedMs = this.#options.clock.monotonicMs();
      this.#decidedMs = endedMs;
      this.#restUntilMs = Math.max(this.#restUntilMs, endedMs + (endedMs - beganMs) * restFactor);
    });
    this.#pending = { dueMs, cancel };
  }

  #decide(): void {
    const { clock, metrics } = this.#options;
    const beganMs = clock.monotonicMs();
    const view = this.#view?.build();
    if (view === undefined) return;
    const nowMs = this.#options.clock.wallMs();
    const last = this.#decisions;
    const next = decide(view, this.#memory ?? beginTerm(view, nowMs), nowMs);
    this.#memory = next.memory;
    this.#decisions = next;
    this.#enqueueStatuses(view, last, next);
    this.#enqueueRealServers(view, last, next);
    for (const director of this.#options.kinds.directors.store.values())
      if (this.#garbage.isSuspect(director)) this.#queue.add(`Director ${director.metadata.name}`);
    if (next.wakeAtMs !== undefined) this.#wake(Math.max(next.wakeAtMs - nowMs, 0));
    metrics?.count('lvs_controller_decisions_total', {});
    metrics?.observe('lvs_controller_decision_duration_seconds', {}, (clock.monotonicMs() - beganMs) / 1000);
  }

  /** Of what is decided otherwise than before, and of what somebody wrote meanwhile. */
  #enqueueStatuses(view: ClusterView, last: Decisions | undefined, next: Decisions): void {
    const judged = new Map<string, unknown>();
    const judge = (key: string, entry: unknown, before: unknown, now: unknown): void => {
      judged.set(key, entry);
      if (this.#judged.get(key) !== entry || !isEqualJson(before, now)) this.#queue.add(key);
    };
    const { virtualServices, addressPools } = this.#options.kinds;
    // A version that cannot be read takes the place of the last one that could.
    for (const [key, problem] of virtualServices.store.malformed)
      judge(`VirtualService ${key}`, problem, undefined, undefined);
    for (const [key, problem] of addressPools.store.malformed)
      judge(`AddressPool ${key}`, problem, undefined, undefined);
    for (const { entry } of view.virtualServices) {
      const { key } = entry;
      if (virtualServices.store.malformed.has(key)) continue;
      const before = last?.virtualServices.get(key);
      judge(`VirtualService ${key}`, entry, before, next.virtualServices.get(key));
    }
    for (const { entry } of view.addressPools) {
      const { key } = entry;
      if (addressPools.store.malformed.has(key)) continue;
      judge(`AddressPool ${key}`, entry, last?.addressPools.get(key), next.addressPools.get(key));
    }
    for (const key of this.#judged.keys()) if (!judged.has(key)) this.#queue.add(key);
    this.#judged = judged;
  }

  /** Of those about which something else is said than before; of all, when the rules have changed. */
  #enqueueRealServers(view: ClusterView, last: Decisions | undefined, next: Decisions): void {
    const before = this.#policy?.policy;
    if (this.#policyOf(view) !== before && before !== undefined)
      for (const key of this.#options.kinds.realServers.store.keys()) this.#addRealServer(key);
    for (const [key, { refusals }] of next.realServers) {
      const known = last?.realServers.get(key)?.refusals ?? noRefusals;
      if (known !== refusals && !isEqualJson(known, refusals)) this.#addRealServer(key);
    }
    this.#enqueueByHealth(last, next);
    for (const [key, { refusals }] of last?.realServers ?? [])
      if (refusals.length > 0 && !next.realServers.has(key)) this.#addRealServer(key);
  }

  /** Of those that directors see otherwise than before; of all, when the first director reports or the last one goes. */
  #enqueueByHealth(last: Decisions | undefined, next: Decisions): void {
    const directors = next.health.directors;
    const before = last?.health.directors ?? directors;
    if ((before === 0) !== (directors === 0))
      for (const key of this.#options.kinds.realServers.store.keys()) this.#addRealServer(key);
    for (const [key, health] of next.health.realServers())
      if (before !== directors || !isEqualJson(last?.health.realServerOf(key), health))
        this.#addRealServer(key);
    for (const key of last?.health.realServers().keys() ?? [])
      if (next.health.realServerOf(key) === undefined) this.#addRealServer(key);
  }

  #currentPolicy(): EndpointPolicy {
    // A term decides before its first RealServer is reconciled.
    assert(this.#policy !== undefined, 'there is a decision');
    return this.#policy.policy;
  }

  /** The rules for endpoints as of a decision; the same object while they are the same. */
  #policyOf({ facts, addressPools, namespaceLabels }: PolicyView): EndpointPolicy {
    const pools = addressPools.map(({ form }) => form);
    const known = this.#policy;
    const isSame =
      known?.basis.facts === facts &&
      known.basis.namespaceLabels === namespaceLabels &&
      known.basis.pools.length === pools.length &&
      known.basis.pools.every((pool, index) => pool === pools[index]);
    if (known !== undefined && isSame) return known.policy;
    const policy = createEndpointPolicy({ facts, addressPools: pools, namespaceLabels });
    this.#policy = { basis: { facts, namespaceLabels, pools }, policy };
    return policy;
  }

  async #work(key: string, signal: AbortSignal): Promise<WorkResult> {
    const result = await this.#reconcile(key, signal);
    this.#failures.succeeded(key);
    return result;
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const space = key.indexOf(' ');
    const name: ObjectKey = key.slice(space + 1);
    switch (key.slice(0, space)) {
      case 'VirtualService':
        await this.#statuses.virtualService(name, signal);
        return { kind: 'done' };
      case 'AddressPool':
        await this.#statuses.addressPool(name, signal);
        return { kind: 'done' };
      case 'RealServer':
        return this.#realServers.reconcile(name, signal);
      default:
        return this.#garbage.collect(name);
    }
  }
}
