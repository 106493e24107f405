import {
  directorLabel,
  isDirectorNode,
  observeWork,
  provideQueueMetrics,
  provideWatchMetrics,
} from '../cluster/index.ts';
import type { ClusterConnection, ClusterMetrics } from '../cluster/index.ts';
import { CheckReferences } from './check-references.ts';
import { cleanUpLocked } from './clean-up.ts';
import { HealthAdvice } from './cluster-health.ts';
import { clusterKindList, watchClusterKinds } from './cluster-kinds.ts';
import type { ClusterKinds } from './cluster-kinds.ts';
import type { DirectorMetrics } from './director-metrics.ts';
import { DirectorObject } from './director-object.ts';
import { computeDirectorReport, retiredReport } from './director-report.ts';
import type { DirectorIdentity, DirectorReport, ReportInput } from './director-report.ts';
import { KubeSource } from './kube-source.ts';
import { LastGoodStore } from './last-good.ts';
import { readLedgerOnly } from './ledger.ts';
import { watchOwnDirector } from './own-director.ts';
import { askForOwnNode } from './own-node.ts';
import { openServing } from './serving.ts';
import type { DirectorOptions, Serving } from './serving.ts';

export interface ClusterDirectorOptions extends DirectorOptions {
  readonly nodeName: string;
  readonly connection: ClusterConnection;
  readonly metrics: DirectorMetrics & ClusterMetrics;
  /** Where others find this director over HTTP; undefined: nowhere. */
  readonly endpoint?: DirectorIdentity['endpoint'];
}

/**
 * Serving: the kernel is held equal to the objects. Retired: the node is no director, and nothing of ours is left on it,
 * or soon will be.
 */
type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'serving'; readonly serving: Serving }
  | { readonly kind: 'retired'; readonly isClean: boolean };

/** Name of the queue that writes the Director, in metrics. */
const directorQueue = 'director';
/** A start waits no longer than this for the API server before it serves what it served last. */
const startPatienceMs = 2000;
/** An end waits no longer than this for its answers. */
const stopPatienceMs = 1500;
const askTimeoutMs = 5000;
/** A question that got no answer, and a retirement that could not be finished, are tried again this often. */
const retryMs = 10_000;

/**
 * A director in a cluster. It serves as long as its Node has the label of directors, or nobody can tell; when the API
 * server says that the label is gone, it withdraws its virtual addresses, then its services, and waits for the label to
 * come back. It never withdraws because the API server is away.
 */
export class ClusterDirector {
  readonly #options: ClusterDirectorOptions;
  readonly #kinds: ClusterKinds;
  readonly #source: KubeSource;
  readonly #object: DirectorObject;
  #state: State = { kind: 'idle' };
  /** Changes of state, one after the other. */
  #transition: Promise<void> = Promise.resolve();
  #identity: DirectorIdentity | undefined;
  #programmedThrough: ReportInput['programmedThrough'] = {};
  #report: DirectorReport | undefined;
  #cancelRetry: (() => void) | undefined;
  #isStopping = false;

  constructor(options: ClusterDirectorOptions) {
    this.#options = options;
    const { connection, nodeName, clock, timers, logger } = options;
    const remembered = new LastGoodStore(options.stateDirectory, logger).load();
    const advice = new HealthAdvice(logger);
    this.#kinds = watchClusterKinds({
      connection,
      logger,
      remembered,
      onHealth: (type, health) => {
        advice.give(type, health);
        this.#source.noteHealth();
      },
    });
    const own = watchOwnDirector({
      connection,
      nodeName,
      logger,
      onHealth: (health) => {
        advice.give(own.type, health);
        this.#source.noteHealth();
        this.#object.noteHealth(health);
      },
      wasThere: readLedgerOnly(options.stateDirectory).maintenance !== undefined,
    });
    this.#source = new KubeSource({
      kinds: this.#kinds,
      ownDirector: own,
      remembered,
      description: `cluster, as node ${nodeName}`,
      clock,
      timers,
      onChange: () => {
        if (this.#state.kind === 'serving') this.#state.serving.wake();
      },
    });
    this.#object = new DirectorObject({
      connection,
      nodeName,
      logger,
      own,
      onWork: observeWork(options.metrics, directorQueue),
    });
    provideWatchMetrics(options.metrics, { ...this.#kinds, ownDirector: own }, clock);
    provideQueueMetrics(options.metrics, directorQueue, () => this.#object.queue);
    this.#kinds.nodes.store.subscribe((change) => {
      if (change.kind === 'listed' || ('key' in change && change.key === nodeName)) this.#watchLabel();
    });
  }

  /** Returns after the first pass, or when it is clear that there is nothing to do here. */
  async start(): Promise<void> {
    const { connection, nodeName, logger } = this.#options;
    for (const kind of clusterKindList(this.#kinds)) kind.start();
    this.#object.start();
    void connection.serverAddress().then(
      (address) => this.#source.setServerAddresses(address === undefined ? [] : [address]),
      (error: unknown) => logger.error('no credentials for the API server', { error }),
    );
    const [verdict] = await Promise.all([
      askForOwnNode(connection, nodeName, startPatienceMs),
      this.#source.whenComplete(startPatienceMs),
    ]);
    if (verdict === 'NotFound') {
      logger.warn('there is no Node of this name; serving all the same', { node: nodeName });
    }
    if (!this.#source.current().isComplete) {
      logger.warn('the cluster is not read yet; serving the last good state', {
        reason: this.#source.current().condition.message,
      });
    }
    await this.#change(() => (verdict === 'NoDirector' ? this.#retire() : this.#serve()));
    this.#watchLabel();
  }

  /** Undefined while nothing is served, as on a node that is no director. */
  get serving(): Serving | undefined {
    return this.#state.kind === 'serving' ? this.#state.serving : undefined;
  }

  /** All that is to be done here was done once. */
  get isReady(): boolean {
    return this.#state.kind === 'retired' ? this.#state.isClean : this.serving?.hasServedWhole === true;
  }

  reload(): void {
    if (this.#state.kind === 'serving') this.#state.serving.wake();
  }

  /** The kernel keeps serving, unless the API server says that this node is no director any more. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#change(async () => {
      if (this.#state.kind !== 'serving') return;
      const verdict = await askForOwnNode(this.#options.connection, this.#options.nodeName, stopPatienceMs);
      if (verdict === 'NoDirector') await this.#retire();
      else await this.#state.serving.stop();
    });
    await this.close();
  }

  /** Ends what runs beside the serving. */
  async close(): Promise<void> {
    this.#cancelRetry?.();
    this.#source.close();
    await Promise.all([
      this.#object.stop(stopPatienceMs),
      ...clusterKindList(this.#kinds).map((kind) => kind.stop()),
    ]);
    await this.#options.connection.close();
  }

  /** Steps never overlap, and one that fails does not keep the next from its turn. */
  #change(step: () => Promise<void>): Promise<void> {
    const done = this.#transition.then(step);
    this.#transition = done.catch(() => {});
    return done;
  }

  /** Asks the API server itself before anything is withdrawn or taken up: a store may be old. */
  #watchLabel(): void {
    const node = this.#kinds.nodes.store.get(this.#options.nodeName);
    const mayServe = node === undefined || isDirectorNode(node);
    const isDone = mayServe
      ? this.#state.kind === 'serving'
      : this.#state.kind === 'retired' && this.#state.isClean;
    if (node === undefined || isDone || this.#state.kind === 'idle' || this.#isStopping) return;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    void this.#change(() => this.#followLabel()).catch((error: unknown) => {
      this.#options.logger.error('the change of this node could not be followed yet', { error });
      this.#retryLater();
    });
  }

  async #followLabel(): Promise<void> {
    if (this.#isStopping) return;
    const verdict = await askForOwnNode(this.#options.connection, this.#options.nodeName, askTimeoutMs);
    if (verdict === 'NoDirector') await this.#retire();
    else if (verdict === 'Director' && this.#state.kind === 'retired') await this.#serve();
    else if (verdict === 'Unknown') this.#retryLater();
  }

  #retryLater(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#options.timers.after(retryMs, () => {
      this.#cancelRetry = undefined;
      this.#watchLabel();
    });
  }

  async #serve(): Promise<void> {
    const { logger, stateDirectory, version, nodeName, endpoint, connection, timers } = this.#options;
    const { client, random } = connection;
    const references = new CheckReferences({
      client,
      random,
      timers,
      logger,
      onChange: () => serving.wake(),
    });
    const serving: Serving = openServing({
      ...this.#options,
      source: this.#source,
      lastGood: new LastGoodStore(stateDirectory, logger),
      references,
      board: {
        tell: (round, conditions) => this.#tell(round, conditions),
        answersForObjects: false,
      },
    });
    this.#identity = { version, nodeName, kernel: serving.kernel, schedulers: [], endpoint };
    this.#state = { kind: 'serving', serving };
    await serving.start();
    // Whatever came during the first pass.
    serving.wake();
    this.#identity = { ...this.#identity, schedulers: serving.listSchedulers() };
    if (this.#report !== undefined) {
      this.#publish({ ...this.#report, schedulers: this.#identity.schedulers });
    }
  }

  async #retire(): Promise<void> {
    const { logger, nodeName, clock } = this.#options;
    if (this.#state.kind === 'retired' && this.#state.isClean) return;
    if (this.#state.kind !== 'retired') {
      logger.warn('this node is no director (any more): virtual addresses and services are withdrawn', {
        node: nodeName,
        hint: `To serve here again: kubectl label node ${nodeName} ${directorLabel}=`,
      });
    }
    if (this.#state.kind === 'serving') await this.#state.serving.stop();
    this.#state = { kind: 'retired', isClean: false };
    const isClean = await cleanUpLocked({
      ...this.#options,
      isDryRun: false,
      report: (step) => logger.info(step),
    });
    this.#state = { kind: 'retired', isClean };
    if (!isClean) this.#retryLater();
    else if (this.#identity !== undefined) this.#publish(retiredReport(this.#identity, clock.wallMs()));
  }

  #tell(round: ReportInput['round'], conditions: ReportInput['conditions']): void {
    if (this.#identity === undefined) return;
    const { programmedThrough, ...report } = computeDirectorReport({
      round,
      conditions,
      identity: this.#identity,
      programmedThrough: this.#programmedThrough,
    });
    this.#programmedThrough = programmedThrough ?? {};
    this.#publish({ ...report, programmedThrough: this.#programmedThrough });
  }

  #publish(report: DirectorReport): void {
    this.#report = report;
    this.#object.publish(report);
  }
}
