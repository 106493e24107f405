import { apiVersion } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import { directorType } from '../cluster/index.ts';
import type { ClusterConnection, WatchedKind } from '../cluster/index.ts';
import { isKubeError, StatusWriter, WorkQueue } from '../kube/index.ts';
import type { ReflectorHealth, WorkQueueOptions, WorkResult } from '../kube/index.ts';
import { carryConditions } from './director-report.ts';
import type { DirectorReport } from './director-report.ts';
import type { StoredDirector } from './own-director.ts';

export interface DirectorObjectOptions {
  readonly connection: ClusterConnection;
  readonly nodeName: string;
  readonly logger: Logger;
  /** Followed from `start` to `stop`. */
  readonly own: WatchedKind<StoredDirector>;
  readonly onWork?: WorkQueueOptions['onWork'];
}

const leastIntervalMs = 1000;

/**
 * The Director object of this node: made when it is missing, and its status kept equal to the newest report. At most one
 * write a second, and none when nothing is new. An API server that is away is asked again for as long as it takes, and
 * gets the newest report then.
 */
export class DirectorObject {
  readonly #options: DirectorObjectOptions;
  readonly #own: WatchedKind<StoredDirector>;
  readonly #queue: WorkQueue;
  readonly #writer: StatusWriter;
  #report: DirectorReport | undefined;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #lastFailure: string | undefined;

  constructor(options: DirectorObjectOptions) {
    this.#options = options;
    const { connection, nodeName } = options;
    this.#own = options.own;
    const { client, clock, timers, random } = connection;
    this.#writer = new StatusWriter({
      client,
      fieldManager: `lvs-director-${nodeName}`.slice(0, longestFieldManager),
      clock,
      timers,
      random,
    });
    this.#queue = new WorkQueue({
      work: (_key, signal) => this.#write(signal),
      clock,
      timers,
      random,
      workers: 1,
      onWork: options.onWork,
      retries: Number.POSITIVE_INFINITY,
      longestDelayMs: 30_000,
      onFailure: (_key, error) => this.#note(error),
    });
    // Somebody may delete or edit it.
    this.#own.store.subscribe(() => this.#ask());
  }

  get queue(): Pick<WorkQueue, 'size' | 'running' | 'added'> {
    return this.#queue;
  }

  start(): void {
    this.#own.start();
    this.#queue.start();
  }

  /** What could not be written may be written now. */
  noteHealth({ kind }: ReflectorHealth): void {
    if (kind === 'healthy') this.#ask();
  }

  /** What is to be said from now on. */
  publish(report: DirectorReport): void {
    this.#report = report;
    this.#ask();
  }

  /** Says what is left to say, if the API server takes it in that time. */
  async stop(timeoutMs: number): Promise<void> {
    const { timers } = this.#options.connection;
    await this.#queue.stop();
    const late = new AbortController();
    const cancel = timers.after(timeoutMs, () => late.abort());
    await this.#write(late.signal).catch((error: unknown) => this.#note(error));
    cancel();
    await this.#own.stop();
  }

  #ask(): void {
    const nowMs = this.#options.connection.clock.monotonicMs();
    this.#queue.add(this.#options.nodeName, {
      delayMs: Math.max(0, this.#lastWriteMs + leastIntervalMs - nowMs),
    });
  }

  async #write(signal: AbortSignal): Promise<WorkResult> {
    const { connection, nodeName, logger } = this.#options;
    const report = this.#report;
    // What is not listed yet may be there: its first event asks again.
    if (report === undefined || this.#own.store.state.kind === 'unsynced') return { kind: 'done' };
    const stored = this.#own.store.get(nodeName);
    this.#lastWriteMs = connection.clock.monotonicMs();
    if (stored === undefined) {
      await this.#create(signal);
      logger.info('director object made', { director: nodeName });
      return { kind: 'done' };
    }
    const { metadata, status } = stored;
    const { uid = '', resourceVersion = '' } = metadata;
    const generation = report.observedGeneration ?? stored.own?.generation;
    const conditions = carryConditions(stored.conditions, report.conditions, generation);
    const observed = generation === undefined ? {} : { observedGeneration: generation };
    const outcome = await this.#writer.write(
      { type: directorType, metadata: { name: nodeName, uid, resourceVersion }, status },
      { ...report, conditions, ...observed },
      signal,
    );
    if (this.#lastFailure !== undefined)
      logger.info('director object is written again', { director: nodeName });
    this.#lastFailure = undefined;
    return outcome === 'gone' ? { kind: 'again', afterMs: leastIntervalMs } : { kind: 'done' };
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { connection, nodeName } = this.#options;
    const object = { apiVersion, kind: 'Director', metadata: { name: nodeName }, spec: {} };
    try {
      await connection.client.create(directorType, object, { signal });
    } catch (error) {
      if (!isKubeError(error, 'LVS_KUBE_CONFLICT')) throw error;
    }
  }

  /** Once for each kind of failure: it is tried again all the time. */
  #note(error: unknown): void {
    const failure = isKubeError(error) ? error.code : formatErrorForPeople(error);
    if (failure === this.#lastFailure) return;
    this.#lastFailure = failure;
    this.#options.logger.warn('director object not written', { director: this.#options.nodeName, error });
  }
}

/** The API server takes no longer ones. */
const longestFieldManager = 128;
