import { formatErrorForPeople, isLvsError, unreachable } from '../base/index.ts';
import type { Clock, ErrorCode, Logger, Timers } from '../base/index.ts';
import { confirmableMs, judgeAbsence } from './absence.ts';
import type { HeldAbsence } from './absence.ts';
import { Backoff } from './backoff.ts';
import type { KubeClient, ListOptions } from './client.ts';
import { isKubeError, KubeError, kubeTimeout } from './kube-error.ts';
import { apiVersionOf, isRecord, objectKey, readStoredMeta, resourcePath } from './kube-object.ts';
import type { KubeObject, ObjectKey, ResourceType, StoredMeta } from './kube-object.ts';
import { LineSplitter } from './line-splitter.ts';
import { isOlderVersion } from './store.ts';
import type { MalformedObject, Store, StoreEntry } from './store.ts';
import { pause } from './timers.ts';
import { parseWatchEvent } from './watch-event.ts';
import type { WatchEvent } from './watch-event.ts';
import { decideNext, firstState, mostStaleLists } from './watcher.ts';
import type { ListingState, WatcherOutcome, WatcherState } from './watcher.ts';

export interface ReflectorOptions<T, I extends string> extends ListOptions {
  readonly client: KubeClient;
  readonly type: ResourceType;
  /** Makes of an object what the store keeps. What it throws becomes one malformed object, and nothing else. */
  readonly parse: (object: KubeObject) => T;
  readonly store: Store<T, I>;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
  readonly logger: Logger;
  /** @default 500 */
  readonly pageSize?: number;
  /** Before the first list: there is other evidence of objects, so that an empty list needs a second one. */
  readonly expectsEntries?: () => boolean;
  /** Called when `health` has changed. */
  readonly onHealth?: (health: ReflectorHealth) => void;
}

/** Degraded: the store keeps what it last knew, and something is wrong since then. */
export type ReflectorHealth =
  | { readonly kind: 'starting' }
  | { readonly kind: 'healthy' }
  | {
      readonly kind: 'degraded';
      readonly error: string;
      /** Of the error, where it is one of ours: a kind that is not installed calls for another advice than silence. */
      readonly code: ErrorCode | undefined;
      readonly sinceMs: number;
    };

/** What happened since the start, as numbers that only grow. */
export interface ReflectorCounters {
  /** Complete lists that were taken in. */
  readonly lists: number;
  /** Watches that the API server agreed to. */
  readonly watches: number;
  /** Lists and watches that went wrong; a version that expired is none of them. */
  readonly failures: number;
  /** When anything last came, by the monotonic clock: a list, an event, a bookmark. Undefined before the first. */
  readonly heardMs: number | undefined;
}

/** As client-go and kube-rs do. */
const backoffLimits = { firstMs: 800, longestMs: 30_000, forgetMs: 120_000 };
/** The server ends a watch after this; random in between, so that clients spread over the API servers anew. */
const shortestWatchSeconds = 300;
const longestWatchSeconds = 600;
/** Later than the server should have ended it: the connection is dead and nobody told us. */
const watchGraceMs = 10_000;
/** A server that sends bookmarks sends one a minute. */
const silenceMs = 120_000;
/** A watch that ends sooner and brought nothing was as good as refused. */
const shortestUsefulWatchMs = 1000;
/** etcd takes 1.5 MiB; JSON with managed fields is a few times that. */
const longestLineBytes = 16 * 1024 * 1024;

/**
 * Keeps a store equal to the objects of one kind: lists, watches, resumes, and lists again only when it must.
 *
 * Guarantees: the store changes only by a complete list or a single event. A list that would remove most of the store
 * removes nothing before a second one agrees. A failure of any kind is followed by another attempt, with growing delays,
 * for as long as it runs. An object that cannot be parsed is one malformed entry.
 * Caveat: what the store holds is always a little old, and is as old as `health` says while degraded.
 */
export class Reflector<T, I extends string = never> {
  readonly #options: ReflectorOptions<T, I>;
  readonly #backoff: Backoff;
  readonly #operation: string;
  #life: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  #health: ReflectorHealth = { kind: 'starting' };
  #hasBookmarks = false;
  /** The newest version seen anywhere, to recognise a list that is older. */
  #newestVersion = '';
  #heldAbsence: HeldAbsence | undefined;
  #counters: ReflectorCounters = { lists: 0, watches: 0, failures: 0, heardMs: undefined };

  constructor(options: ReflectorOptions<T, I>) {
    this.#options = options;
    this.#backoff = new Backoff({ ...backoffLimits, random: options.random });
    this.#operation = `WATCH ${resourcePath(options.type, { namespace: options.namespace })}`;
  }

  get health(): ReflectorHealth {
    return this.#health;
  }

  get counters(): ReflectorCounters {
    return this.#counters;
  }

  /** Objects that the last list lacked and that stay until a second one agrees. */
  get heldAbsences(): number {
    return this.#options.store.heldAbsences.size;
  }

  /** Begins; a reflector that runs already goes on. */
  start(): void {
    if (this.#life !== undefined) return;
    const stop = new AbortController();
    this.#life = { stop, ended: this.#run(stop.signal) };
  }

  /** Resolves when nothing runs any more and the store no longer changes. */
  async stop(): Promise<void> {
    const life = this.#life;
    life?.stop.abort();
    await life?.ended;
    this.#life = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let state: WatcherState = firstState;
    while (!signal.aborted) {
      const outcome = await this.#attempt(state, signal);
      if (signal.aborted) return;
      this.#judgeHealth(outcome);
      const { next, isDelayed } = decideNext(state, outcome);
      state = next;
      if (!isDelayed) continue;
      const delayMs = this.#backoff.nextDelayMs(this.#options.clock.monotonicMs());
      await pause(this.#options.timers, Math.max(delayMs, leastDelayMs(outcome)), signal);
    }
  }

  /** One list or one watch. Never rejects. */
  async #attempt(state: WatcherState, signal: AbortSignal): Promise<WatcherOutcome> {
    switch (state.kind) {
      case 'listing':
        return this.#list(state, signal).catch((error: unknown) => ({ kind: 'failed', error }) as const);
      case 'watching':
        return this.#watch(state.resourceVersion, signal);
      default:
        return unreachable(state);
    }
  }

  async #list(state: ListingState, signal: AbortSignal): Promise<WatcherOutcome> {
    const { client, type, clock, pageSize = 500 } = this.#options;
    const askedMs = clock.monotonicMs();
    const items: unknown[] = [];
    let continueToken: string | undefined;
    let resourceVersion: string;
    do {
      const limit = state.isPaged ? { limit: pageSize } : {};
      try {
        const page = await client.listPage(type, this.#options, { ...limit, continueToken, signal });
        this.#hear();
        for (const item of page.items) items.push(item);
        ({ continueToken, resourceVersion } = page);
      } catch (error) {
        if (continueToken !== undefined && isKubeError(error, 'LVS_KUBE_EXPIRED'))
          return { kind: 'token-expired' };
        throw error;
      }
    } while (continueToken !== undefined);
    if (signal.aborted) return { kind: 'ended', resourceVersion, isAtOnce: true };
    if (isOlderVersion(resourceVersion, this.#newestVersion) && state.staleLists < mostStaleLists) {
      return { kind: 'stale-list' };
    }
    this.#newestVersion = resourceVersion;
    return this.#takeList({ resourceVersion, items, askedMs });
  }

  #takeList(list: {
    readonly resourceVersion: string;
    readonly items: readonly unknown[];
    readonly askedMs: number;
  }): WatcherOutcome {
    const { store, clock } = this.#options;
    const { resourceVersion, items, askedMs } = list;
    const entries = new Map<ObjectKey, StoreEntry<T>>();
    const malformed = new Map<ObjectKey, MalformedObject>();
    let isComplete = true;
    for (const item of items) {
      const meta = readStoredMeta(item);
      if (meta === undefined || !isRecord(item)) {
        isComplete = false;
        this.#warn('a listed object has no metadata; nothing is removed by this list', {});
        continue;
      }
      const found = this.#parse(meta, item);
      if (found.kind === 'good') entries.set(found.entry.key, found.entry);
      else malformed.set(found.problem.key, found.problem);
    }
    const absent = [...store.keys()].filter((key) => !entries.has(key) && !malformed.has(key));
    // An incomplete list says nothing about absence: it neither begins a wait nor ends one.
    if (isComplete) this.#judgeAbsence(new Set(absent), items.length, askedMs);
    const held = this.#heldAbsence;
    if (held !== undefined && store.state.kind === 'unsynced')
      return { kind: 'unconfirmed', afterMs: confirmableMs(held) - clock.monotonicMs() };
    store.replace({ resourceVersion, entries, malformed, isComplete, ...(held && { held: held.keys }) });
    return { kind: 'listed', resourceVersion };
  }

  #judgeAbsence(absent: ReadonlySet<ObjectKey>, listedCount: number, askedMs: number): void {
    const { store, clock, expectsEntries } = this.#options;
    const last = this.#heldAbsence;
    const isExpected = store.state.kind === 'unsynced' && expectsEntries?.() === true;
    const knownCount = store.size;
    const nowMs = clock.monotonicMs();
    this.#heldAbsence = judgeAbsence(
      { absent, knownCount, listedCount, isExpected, askedMs, nowMs },
      last && { ...last, keys: store.state.kind === 'synced' ? store.heldAbsences : last.keys },
    );
    const counts = { known: knownCount, absent: absent.size };
    if (last === undefined && this.#heldAbsence !== undefined)
      this.#warn('a list lacks most of what is known; nothing goes before a second list agrees', counts);
    if (last !== undefined && this.#heldAbsence === undefined)
      this.#options.logger.info('a second list tells what is gone', { ...this.#logKeys(), ...counts });
  }

  /** Parses, unless the store has that very version. */
  #parse(
    meta: StoredMeta,
    object: Readonly<Record<string, unknown>>,
  ):
    | { readonly kind: 'good'; readonly entry: StoreEntry<T> }
    | { readonly kind: 'bad'; readonly problem: MalformedObject } {
    const { type, store, parse } = this.#options;
    const { uid, resourceVersion } = meta;
    const key = objectKey(meta);
    const known = store.entry(key);
    if (known?.uid === uid && known.resourceVersion === resourceVersion)
      return { kind: 'good', entry: known };
    try {
      // The items of a list do not repeat what the list is a list of.
      const whole = { apiVersion: apiVersionOf(type), kind: type.kind, ...object, metadata: meta };
      return { kind: 'good', entry: { key, uid, resourceVersion, object: parse(whole) } };
    } catch (error) {
      const problem = { key, uid, resourceVersion, message: formatErrorForPeople(error) };
      this.#warn('an object cannot be read; its last good form stays', { key, reason: problem.message });
      return { kind: 'bad', problem };
    }
  }

  async #watch(from: string, signal: AbortSignal): Promise<WatcherOutcome> {
    const { client, type, clock, timers, random } = this.#options;
    const timeoutSeconds =
      shortestWatchSeconds + Math.floor(random() * (longestWatchSeconds - shortestWatchSeconds));
    const startMs = clock.monotonicMs();
    const dead = new AbortController();
    const giveUp = (afterMs: number) => (): void => dead.abort(kubeTimeout(this.#operation, afterMs));
    const deadlineMs = timeoutSeconds * 1000 + watchGraceMs;
    const cancelDeadline = timers.after(deadlineMs, giveUp(deadlineMs));
    const confirmation = this.#whenConfirmable();
    let cancelSilence = (): void => {};
    const progress = { resourceVersion: from, events: 0 };
    try {
      const life = AbortSignal.any([signal, dead.signal, confirmation.signal]);
      const stream = await client.watch(type, this.#options, {
        resourceVersion: from,
        timeoutSeconds,
        signal: life,
      });
      this.#becomeHealthy();
      this.#counters = { ...this.#counters, watches: this.#counters.watches + 1 };
      const splitter = new LineSplitter(longestLineBytes);
      const listen = (): void => {
        cancelSilence();
        if (this.#hasBookmarks) cancelSilence = timers.after(silenceMs, giveUp(silenceMs));
      };
      listen();
      for await (const chunk of stream) {
        if (life.aborted) break;
        this.#hear();
        for (const line of splitter.push(chunk)) {
          const event: WatchEvent =
            line.kind === 'line'
              ? parseWatchEvent(this.#operation, line.text)
              : { kind: 'unreadable', message: `a line of ${line.bytes} bytes` };
          const end = this.#take(event, progress);
          if (end !== undefined) return end;
        }
        listen();
      }
      life.throwIfAborted();
    } catch (error) {
      if (confirmation.signal.aborted) return { kind: 'unconfirmed', afterMs: 0 };
      return { kind: 'failed', error, resourceVersion: progress.resourceVersion };
    } finally {
      cancelDeadline();
      cancelSilence();
      confirmation.cancel();
    }
    const isAtOnce = progress.events === 0 && clock.monotonicMs() - startMs < shortestUsefulWatchMs;
    return { kind: 'ended', resourceVersion: progress.resourceVersion, isAtOnce };
  }

  /** Aborts when what the last list lacked may be asked for again: watching ends then, and a list follows. */
  #whenConfirmable(): { readonly signal: AbortSignal; readonly cancel: () => void } {
    const { clock, timers } = this.#options;
    const confirm = new AbortController();
    const held = this.#heldAbsence;
    if (held === undefined) return { signal: confirm.signal, cancel: () => {} };
    const waitMs = Math.max(confirmableMs(held) - clock.monotonicMs(), 0);
    return { signal: confirm.signal, cancel: timers.after(waitMs, () => confirm.abort()) };
  }

  /** Takes in one event. @returns the outcome when the watch is over with it. */
  #take(
    event: WatchEvent,
    progress: { resourceVersion: string; events: number },
  ): WatcherOutcome | undefined {
    progress.events++;
    switch (event.kind) {
      case 'put': {
        const found = this.#parse(event.meta, event.object);
        if (found.kind === 'good') this.#options.store.put(found.entry);
        else this.#options.store.putMalformed(found.problem);
        this.#advance(progress, event.meta.resourceVersion);
        return undefined;
      }
      case 'deleted':
        this.#options.store.remove(objectKey(event.meta), event.meta.uid, event.meta.resourceVersion);
        this.#advance(progress, event.meta.resourceVersion);
        return undefined;
      case 'bookmark':
        this.#hasBookmarks = true;
        this.#advance(progress, event.resourceVersion);
        return undefined;
      case 'error':
        // Not an event of the kind that makes a watch useful: a server that only sends errors is refusing.
        progress.events--;
        return { kind: 'failed', error: event.error, resourceVersion: progress.resourceVersion };
      case 'unreadable':
        this.#warn('a watch event cannot be read; listing again', { reason: event.message });
        return { kind: 'lost' };
      default:
        return unreachable(event);
    }
  }

  #advance(progress: { resourceVersion: string }, version: string): void {
    if (isOlderVersion(version, progress.resourceVersion)) return;
    progress.resourceVersion = version;
    this.#newestVersion = version;
  }

  #judgeHealth(outcome: WatcherOutcome): void {
    switch (outcome.kind) {
      case 'listed':
        this.#counters = { ...this.#counters, lists: this.#counters.lists + 1 };
        return this.#becomeHealthy();
      case 'failed': {
        // A version that expired is the ordinary end of a long silence.
        const isOrdinary = isKubeError(outcome.error, 'LVS_KUBE_EXPIRED');
        return this.#becomeDegraded(outcome.error, !isOrdinary);
      }
      case 'stale-list':
        return this.#becomeDegraded('the API server answered with an older list than before', true);
      case 'token-expired':
      case 'ended':
      case 'unconfirmed':
      case 'lost':
        return;
      default:
        unreachable(outcome);
    }
  }

  #hear(): void {
    this.#counters = { ...this.#counters, heardMs: this.#options.clock.monotonicMs() };
  }

  #becomeHealthy(): void {
    if (this.#health.kind === 'healthy') return;
    if (this.#health.kind === 'degraded') this.#options.logger.info('watching again', this.#logKeys());
    this.#health = { kind: 'healthy' };
    this.#options.onHealth?.(this.#health);
  }

  #becomeDegraded(cause: unknown, isNews: boolean): void {
    const last = this.#health;
    const error = formatErrorForPeople(cause);
    const sinceMs = last.kind === 'degraded' ? last.sinceMs : this.#options.clock.monotonicMs();
    if (isNews) this.#counters = { ...this.#counters, failures: this.#counters.failures + 1 };
    this.#health = { kind: 'degraded', error, code: isLvsError(cause) ? cause.code : undefined, sinceMs };
    if (last.kind !== 'degraded' || last.error !== error) this.#options.onHealth?.(this.#health);
    if (isNews && (last.kind !== 'degraded' || last.error !== error)) {
      this.#warn('cannot follow the API server; what was known stays', { reason: error });
    }
  }

  #warn(message: string, keys: Readonly<Record<string, unknown>>): void {
    this.#options.logger.warn(message, { ...this.#logKeys(), ...keys });
  }

  #logKeys(): Record<string, unknown> {
    return { kind: this.#options.type.kind };
  }
}

/** What the server or the wait for a second list asks for, beyond the backoff. */
function leastDelayMs(outcome: WatcherOutcome): number {
  if (outcome.kind === 'unconfirmed') return outcome.afterMs;
  return outcome.kind === 'failed' && outcome.error instanceof KubeError
    ? (outcome.error.retryAfterMs ?? 0)
    : 0;
}
