import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import type { KubeClient } from './client.ts';
import { isKubeError, KubeError } from './kube-error.ts';
import { apiVersionOf, isRecord } from './kube-object.ts';
import type { KubeObject, ResourceType } from './kube-object.ts';
import { pause } from './timers.ts';
import type { KubeTransport } from './transport.ts';

export const leaseType: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  isNamespaced: true,
};

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of this process and no other, ever: two with one identity would both believe that they lead. */
  readonly identity: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
  readonly logger: Logger;
  /** How long a silent leader is waited for by the others. @default 15 000 */
  readonly leaseDurationMs?: number;
  /** How long after its last renewal a leader stops by itself. @default 10 000 */
  readonly renewDeadlineMs?: number;
  /** @default 2 000 */
  readonly retryPeriodMs?: number;
  /** We lead from now on, until the signal aborts. */
  readonly onLeading: (term: AbortSignal) => void;
}

/** Leading lasts until `fenceMs` by our own clock, whatever else happens or fails to happen. */
type ElectionState =
  | { readonly kind: 'following' }
  | {
      readonly kind: 'leading';
      readonly term: AbortController;
      /** When the last renewal that succeeded was sent, not when it was answered. */
      readonly renewedMs: number;
      readonly cancelFence: () => void;
    };

/** A version of the lease and since when we know it. */
interface ObservedLease {
  readonly object: KubeObject;
  readonly holder: string;
  readonly durationMs: number;
  readonly sinceMs: number;
}

/**
 * Election of one leader by a Lease object, as client-go does it, with a fence.
 *
 * Flow: whoever finds the lease without a holder, or unchanged for its duration by its own monotonic clock, writes its
 * name into it; the resource version lets one writer win. The leader renews every retry period. It stops leading when
 * it has not renewed for the renew deadline, or when it sees another holder.
 * Guarantees: with clocks that run at about the same speed no two processes believe that they lead, however long one
 * of them was paused: it sees by the clock that its time is over before it does anything else. Times written into the
 * lease are for people; nobody decides by them.
 * Caveat: a write that was sent in time may arrive late. So writes carry resource versions or uids, and
 * `fencedTransport` gives them no longer than the lease lasts.
 */
export class LeaderElection {
  readonly leaseDurationMs: number;
  readonly #options: LeaderElectionOptions;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  #state: ElectionState = { kind: 'following' };
  #observed: ObservedLease | undefined;
  #life: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  #lastFailure = '';
  #attemptedMs: number;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2000;
    this.#attemptedMs = options.clock.monotonicMs();
  }

  /** By the clock, now: true only while nobody else can have taken over. */
  get isLeading(): boolean {
    return this.msSinceRenewal < this.#renewDeadlineMs;
  }

  /** Infinity for who does not lead. */
  get msSinceRenewal(): number {
    return this.#state.kind === 'leading'
      ? this.#options.clock.monotonicMs() - this.#state.renewedMs
      : Number.POSITIVE_INFINITY;
  }

  /** When an attempt last ended, well or not. One that the API server leaves without an answer ends by our own clock. */
  get attemptedMs(): number {
    return this.#attemptedMs;
  }

  /** Who leads as far as we know; empty: nobody. */
  get holder(): string {
    return this.#observed?.holder ?? '';
  }

  start(): void {
    if (this.#life !== undefined) return;
    const stop = new AbortController();
    this.#life = { stop, ended: this.#run(stop.signal) };
  }

  /**
   * Ends the term and gives the lease back, so that another replica leads within a retry period. Call it when the work
   * of the term has ended: from the release on, others may begin theirs.
   */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    life.stop.abort();
    // A request under way may still win the lease.
    await life.ended;
    this.#life = undefined;
    const wasLeading = this.isLeading;
    this.#endTerm('stopped');
    if (wasLeading) await this.#release();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#attempt();
        this.#lastFailure = '';
      } catch (error) {
        this.#reportFailure(error);
      }
      this.#attemptedMs = this.#options.clock.monotonicMs();
      // Followers spread; a leader must not be late.
      const spread = this.#state.kind === 'leading' ? 1 : 1 + this.#options.random() * 0.2;
      await pause(this.#options.timers, this.#retryPeriodMs * spread, signal);
    }
  }

  async #attempt(): Promise<void> {
    // After a pause of the process this is where it learns that its time is over.
    if (this.#state.kind === 'leading' && !this.isLeading) this.#endTerm('not renewed in time');
    if (this.#state.kind === 'leading' && this.#observed !== undefined) {
      await this.#renew(this.#observed);
      return;
    }
    const observed = await this.#observe();
    if (observed === undefined) await this.#create();
    else if (this.#isFree(observed)) await this.#take(observed);
  }

  async #renew(observed: ObservedLease): Promise<void> {
    try {
      await this.#write(observed.object, 'keep');
    } catch (error) {
      if (!isKubeError(error, 'LVS_KUBE_CONFLICT') && !isKubeError(error, 'LVS_KUBE_NOT_FOUND')) throw error;
      // Somebody wrote it: another holder, a person, or we, and the answer was lost.
      const current = await this.#observe();
      if (current?.holder === this.#options.identity) await this.#write(current.object, 'keep');
      else
        this.#endTerm(current === undefined ? 'the lease was deleted' : `${current.holder} holds the lease`);
    }
  }

  /** Reads the lease. A version that we have not seen restarts the wait for its holder. */
  async #observe(): Promise<ObservedLease | undefined> {
    const { client, namespace, name, clock } = this.#options;
    let object: KubeObject;
    try {
      object = await client.get(leaseType, { namespace, name }, this.#callOptions);
    } catch (error) {
      if (!isKubeError(error, 'LVS_KUBE_NOT_FOUND')) throw error;
      this.#observed = undefined;
      return undefined;
    }
    const isKnown = this.#observed?.object.metadata.resourceVersion === object.metadata.resourceVersion;
    if (!isKnown) this.#observed = this.#asObserved(object, clock.monotonicMs());
    return this.#observed;
  }

  #asObserved(object: KubeObject, sinceMs: number): ObservedLease {
    const spec = isRecord(object['spec']) ? object['spec'] : {};
    const { holderIdentity, leaseDurationSeconds } = spec;
    return {
      object,
      holder: typeof holderIdentity === 'string' ? holderIdentity : '',
      durationMs:
        typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds * 1000 : this.leaseDurationMs,
      sinceMs,
    };
  }

  #isFree({ holder, durationMs, sinceMs }: ObservedLease): boolean {
    if (holder === '' || holder === this.#options.identity) return true;
    const silentMs = this.#options.clock.monotonicMs() - sinceMs;
    return silentMs >= Math.max(durationMs, this.leaseDurationMs);
  }

  async #create(): Promise<void> {
    const { namespace, name } = this.#options;
    const empty = {
      apiVersion: apiVersionOf(leaseType),
      kind: leaseType.kind,
      metadata: { namespace, name },
    };
    await this.#write(empty, 'take').catch(ignoreConflict);
  }

  async #take(observed: ObservedLease): Promise<void> {
    await this.#write(observed.object, 'take').catch(ignoreConflict);
  }

  /** Writes our name and the time. The lease is ours, or still ours, as of the moment before the write. */
  async #write(last: KubeObject, purpose: 'take' | 'keep'): Promise<void> {
    const { client, identity, clock } = this.#options;
    const spec = isRecord(last['spec']) ? last['spec'] : {};
    const now = formatMicroTime(clock.wallMs());
    const transitions = typeof spec['leaseTransitions'] === 'number' ? spec['leaseTransitions'] : -1;
    const isTakenOver = purpose === 'take' && spec['holderIdentity'] !== identity;
    const next: KubeObject = {
      ...last,
      spec: {
        ...spec,
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(this.leaseDurationMs / 1000),
        renewTime: now,
        ...(isTakenOver ? { acquireTime: now, leaseTransitions: transitions + 1 } : {}),
      },
    };
    const sentMs = clock.monotonicMs();
    const isNew = last.metadata.resourceVersion === undefined;
    const written = isNew
      ? await client.create(leaseType, next, this.#callOptions)
      : await client.update(leaseType, next, this.#callOptions);
    this.#observed = this.#asObserved(written, sentMs);
    this.#lead(sentMs);
  }

  /** Two attempts fit into the time that a leader has. */
  get #callOptions(): { readonly timeoutMs: number } {
    return { timeoutMs: Math.ceil(this.#renewDeadlineMs / 2) };
  }

  #lead(renewedMs: number): void {
    const { clock, timers, logger, onLeading } = this.#options;
    const last = this.#state;
    const leftMs = renewedMs + this.#renewDeadlineMs - clock.monotonicMs();
    // The answer came so late that the term it grants is over.
    if (leftMs <= 0) return this.#endTerm('renewed too late');
    if (last.kind === 'leading') last.cancelFence();
    const term = last.kind === 'leading' ? last.term : new AbortController();
    const cancelFence = timers.after(leftMs, () => this.#endTerm('not renewed in time'));
    this.#state = { kind: 'leading', term, renewedMs, cancelFence };
    if (last.kind === 'leading') return;
    logger.info('leading', { lease: this.#options.name, identity: this.#options.identity });
    onLeading(term.signal);
  }

  #endTerm(reason: string): void {
    if (this.#state.kind !== 'leading') return;
    const { term, cancelFence } = this.#state;
    cancelFence();
    this.#state = { kind: 'following' };
    this.#options.logger.info('leading no more', { lease: this.#options.name, reason });
    term.abort(notLeader('the term', reason));
  }

  async #release(): Promise<void> {
    const { client, clock } = this.#options;
    const last = this.#observed?.object;
    if (last === undefined) return;
    const spec = isRecord(last['spec']) ? last['spec'] : {};
    const renewTime = formatMicroTime(clock.wallMs());
    const released = { ...last, spec: { ...spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime } };
    try {
      await client.update(leaseType, released, this.#callOptions);
    } catch (error) {
      // The others wait for the lease to run out, as after a crash.
      this.#reportFailure(error);
    }
  }

  #reportFailure(error: unknown): void {
    const reason = formatErrorForPeople(error);
    if (reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    this.#options.logger.warn('lease request failed', { lease: this.#options.name, reason });
  }
}

/**
 * The transport of a leader: refuses to write for who does not lead, and gives no write more time than the lease lasts.
 * Reads pass.
 */
export function fencedTransport(transport: KubeTransport, election: LeaderElection): KubeTransport {
  return {
    async request(request) {
      if (request.method === 'GET') return transport.request(request);
      if (!election.isLeading)
        throw notLeader(`${request.method} ${request.path}`, 'another replica may lead');
      const lastsMs = Math.ceil(election.leaseDurationMs - election.msSinceRenewal);
      return transport.request({ ...request, timeoutMs: Math.min(request.timeoutMs ?? lastsMs, lastsMs) });
    },
    stream: (request) => transport.stream(request),
    close: () => transport.close(),
  };
}

function notLeader(operation: string, reason: string): KubeError {
  return new KubeError('LVS_KUBE_NOT_LEADER', `${operation}: ${reason}`, { operation });
}

function ignoreConflict(error: unknown): void {
  // Somebody was faster.
  if (!isKubeError(error, 'LVS_KUBE_CONFLICT')) throw error;
}

/** metav1.MicroTime. */
export function formatMicroTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
