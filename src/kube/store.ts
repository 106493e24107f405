import type { ObjectKey } from './kube-object.ts';

/** One object as it was last believed. `object` is what the parser made of it, the same one until its version changes. */
export interface StoreEntry<T> {
  readonly key: ObjectKey;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly object: T;
}

/** An object that the parser could not take. Its last good form, if it had one, stays in the store. */
export interface MalformedObject {
  readonly key: ObjectKey;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly message: string;
}

/** What a list said. */
export interface ListedObjects<T> {
  readonly resourceVersion: string;
  readonly entries: ReadonlyMap<ObjectKey, StoreEntry<T>>;
  readonly malformed: ReadonlyMap<ObjectKey, MalformedObject>;
  /** False when something in the list could not even be named: then absence proves nothing, and nothing is removed. */
  readonly isComplete: boolean;
  /** Keys that the list lacks and that stay all the same, until a second list agrees. */
  readonly held?: ReadonlySet<ObjectKey>;
}

export type StoreChange<T> =
  | { readonly kind: 'added'; readonly key: ObjectKey; readonly after: T }
  | { readonly kind: 'changed'; readonly key: ObjectKey; readonly before: T; readonly after: T }
  | {
      readonly kind: 'removed';
      readonly key: ObjectKey;
      readonly before: T;
      /** Nobody said it was deleted: a list did not have it. A caller may want to see that twice. */
      readonly isByAbsence: boolean;
    }
  | { readonly kind: 'malformed'; readonly key: ObjectKey; readonly problem: MalformedObject }
  | { readonly kind: 'listed'; readonly resourceVersion: string };

/** Unsynced: nothing is known, and emptiness means nothing. Synced: at least one complete list has been taken in. */
export type StoreState =
  | { readonly kind: 'unsynced' }
  | { readonly kind: 'synced'; readonly resourceVersion: string; readonly lists: number };

/** The values under which an object is found; cheap, and of the object alone. */
export type IndexFunction<T> = (object: T) => readonly string[];

export interface StoreOptions<T, I extends string> {
  readonly indexes?: Readonly<Record<I, IndexFunction<T>>>;
  /** A listener threw; the store goes on. */
  readonly onListenerError: (error: unknown) => void;
}

/** What readers get: everything but the ways to change it. */
export interface ReadableStore<T, I extends string = never> {
  readonly state: StoreState;
  readonly size: number;
  get(key: ObjectKey): T | undefined;
  entry(key: ObjectKey): StoreEntry<T> | undefined;
  keys(): IterableIterator<ObjectKey>;
  values(): IterableIterator<T>;
  byIndex(index: I, value: string): readonly T[];
  readonly malformed: ReadonlyMap<ObjectKey, MalformedObject>;
  /** Objects that a list did not have, and that stay until a second list agrees. */
  readonly heldAbsences: ReadonlySet<ObjectKey>;
  /**
   * Everything that happened to objects of this kind up to this version has been taken in: by a list or by an event of
   * an object, never by a bookmark, so it stands still at rest. It also stands still while absences are held, since
   * the deletions behind them are not taken in. What is `malformed` was seen and is not what the store holds.
   */
  readonly observedVersion: string | undefined;
  subscribe(listener: (change: StoreChange<T>) => void): () => void;
  /** Resolves at the first complete list, or at once. @throws the signal's reason */
  whenSynced(signal?: AbortSignal): Promise<void>;
}

/**
 * The objects of one kind by key, and by whatever indexes were asked for.
 *
 * Guarantees: an object whose version did not change stays the same JavaScript object, through relists too, and causes
 * no change. A list is taken in whole before the first listener hears of it. An object that was deleted and made anew
 * between two lists (another uid) is removed and then added, never changed.
 */
export class Store<T, I extends string = never> implements ReadableStore<T, I> {
  readonly #options: StoreOptions<T, I>;
  readonly #entries = new Map<ObjectKey, StoreEntry<T>>();
  readonly #malformed = new Map<ObjectKey, MalformedObject>();
  readonly #indexes = new Map<string, { find: IndexFunction<T>; keys: Map<string, Set<ObjectKey>> }>();
  readonly #listeners = new Set<(change: StoreChange<T>) => void>();
  #state: StoreState = { kind: 'unsynced' };
  #heldAbsences = new Set<ObjectKey>();
  /** Of a list that was not complete: what it lacks may be gone, and nobody will say so before the next one. */
  #hasGap = false;
  #observedVersion: string | undefined;

  constructor(options: StoreOptions<T, I>) {
    this.#options = options;
    for (const [name, find] of Object.entries<IndexFunction<T>>(options.indexes ?? {}))
      this.#indexes.set(name, { find, keys: new Map() });
  }

  get state(): StoreState {
    return this.#state;
  }

  get size(): number {
    return this.#entries.size;
  }

  get malformed(): ReadonlyMap<ObjectKey, MalformedObject> {
    return this.#malformed;
  }

  get heldAbsences(): ReadonlySet<ObjectKey> {
    return this.#heldAbsences;
  }

  get observedVersion(): string | undefined {
    return this.#observedVersion;
  }

  get(key: ObjectKey): T | undefined {
    return this.#entries.get(key)?.object;
  }

  entry(key: ObjectKey): StoreEntry<T> | undefined {
    return this.#entries.get(key);
  }

  keys(): IterableIterator<ObjectKey> {
    return this.#entries.keys();
  }

  *values(): IterableIterator<T> {
    for (const { object } of this.#entries.values()) yield object;
  }

  byIndex(index: I, value: string): readonly T[] {
    const keys = this.#indexes.get(index)?.keys.get(value) ?? [];
    return [...keys].flatMap((key) => {
      const entry = this.#entries.get(key);
      return entry === undefined ? [] : [entry.object];
    });
  }

  subscribe(listener: (change: StoreChange<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  whenSynced(signal?: AbortSignal): Promise<void> {
    if (this.#state.kind === 'synced') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const abort = (): void => end(() => reject(signal?.reason));
      const unsubscribe = this.subscribe((change) => {
        if (change.kind === 'listed') end(resolve);
      });
      const end = (settle: () => void): void => {
        unsubscribe();
        signal?.removeEventListener('abort', abort);
        settle();
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Takes in a whole list. What it does not have is gone, unless it is held or the list is incomplete. */
  replace(list: ListedObjects<T>): void {
    const changes: StoreChange<T>[] = [];
    for (const entry of list.entries.values()) changes.push(...this.#set(entry));
    for (const problem of list.malformed.values()) changes.push(...this.#setMalformed(problem));
    const isGone = (key: ObjectKey): boolean =>
      !list.entries.has(key) && !list.malformed.has(key) && list.held?.has(key) !== true;
    if (list.isComplete) {
      for (const key of [...this.#malformed.keys()].filter(isGone)) this.#malformed.delete(key);
      for (const key of [...this.#entries.keys()].filter(isGone)) changes.push(...this.#unset(key, true));
      this.#heldAbsences = new Set(list.held);
    }
    this.#hasGap = !list.isComplete;
    if (this.#isWhole) this.#observedVersion = list.resourceVersion;
    const lists = this.#state.kind === 'synced' ? this.#state.lists : 0;
    this.#state = { kind: 'synced', resourceVersion: list.resourceVersion, lists: lists + 1 };
    for (const change of changes) this.#tell(change);
    this.#tell({ kind: 'listed', resourceVersion: list.resourceVersion });
  }

  /** Takes in one new version. An older version of the same object, a late echo, changes nothing. */
  put(entry: StoreEntry<T>): void {
    if (this.#isEcho(entry)) return;
    const changes = this.#set(entry);
    this.#observe(entry.key, entry.resourceVersion);
    for (const change of changes) this.#tell(change);
  }

  /** Remembers a version that could not be parsed. */
  putMalformed(problem: MalformedObject): void {
    if (this.#isEcho(problem)) return;
    const changes = this.#setMalformed(problem);
    this.#observe(problem.key, problem.resourceVersion);
    for (const change of changes) this.#tell(change);
  }

  /**
   * Takes in a deletion. One of a namesake with another uid is an echo from before our object was made.
   *
   * @param resourceVersion of the deletion
   */
  remove(key: ObjectKey, uid: string, resourceVersion: string): void {
    const isEcho = this.#entries.has(key) && this.#entries.get(key)?.uid !== uid;
    if (this.#malformed.get(key)?.uid === uid) this.#malformed.delete(key);
    const changes = isEcho ? [] : this.#unset(key, false);
    if (!isEcho) this.#observe(key, resourceVersion);
    for (const change of changes) this.#tell(change);
  }

  /** Nothing that happened is missing here: what lists lacked is gone. */
  get #isWhole(): boolean {
    return this.#heldAbsences.size === 0 && !this.#hasGap;
  }

  /** An event settles whether its object is there. */
  #observe(key: ObjectKey, version: string): void {
    this.#heldAbsences.delete(key);
    const last = this.#observedVersion;
    if (last !== undefined && this.#isWhole && isOlderVersion(last, version)) this.#observedVersion = version;
  }

  #isEcho({ key, uid, resourceVersion }: StoreEntry<T> | MalformedObject): boolean {
    const known = this.#malformed.get(key) ?? this.#entries.get(key);
    return known?.uid === uid && isOlderVersion(resourceVersion, known.resourceVersion);
  }

  #set(entry: StoreEntry<T>): StoreChange<T>[] {
    const { key, object } = entry;
    const last = this.#entries.get(key);
    this.#malformed.delete(key);
    if (last?.uid === entry.uid && last.resourceVersion === entry.resourceVersion) return [];
    const removed = last !== undefined && last.uid !== entry.uid ? this.#unset(key, false) : [];
    const before = this.#entries.get(key);
    if (before !== undefined) this.#unindex(key, before.object);
    this.#entries.set(key, entry);
    this.#index(key, object);
    const change: StoreChange<T> =
      before === undefined
        ? { kind: 'added', key, after: object }
        : { kind: 'changed', key, before: before.object, after: object };
    return [...removed, change];
  }

  #setMalformed(problem: MalformedObject): StoreChange<T>[] {
    const { key, uid, resourceVersion } = problem;
    const last = this.#malformed.get(key);
    if (last?.uid === uid && last.resourceVersion === resourceVersion) return [];
    const good = this.#entries.get(key);
    const removed = good !== undefined && good.uid !== uid ? this.#unset(key, false) : [];
    this.#malformed.set(key, problem);
    return [...removed, { kind: 'malformed', key, problem }];
  }

  #unset(key: ObjectKey, isByAbsence: boolean): StoreChange<T>[] {
    const last = this.#entries.get(key);
    if (last === undefined) return [];
    this.#unindex(key, last.object);
    this.#entries.delete(key);
    return [{ kind: 'removed', key, before: last.object, isByAbsence }];
  }

  #index(key: ObjectKey, object: T): void {
    for (const { find, keys } of this.#indexes.values()) {
      for (const value of find(object)) {
        const found = keys.get(value);
        if (found === undefined) keys.set(value, new Set([key]));
        else found.add(key);
      }
    }
  }

  #unindex(key: ObjectKey, object: T): void {
    for (const { find, keys } of this.#indexes.values()) {
      for (const value of find(object)) {
        const found = keys.get(value);
        found?.delete(key);
        if (found?.size === 0) keys.delete(value);
      }
    }
  }

  #tell(change: StoreChange<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#options.onListenerError(error);
      }
    }
  }
}

/**
 * Resource versions are decimal numbers that grow (promised since Kubernetes 1.35, KEP-5504, and true before). Where
 * one is anything else, nothing is known about age, and the answer is no.
 */
export function isOlderVersion(version: string, than: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return false;
  return BigInt(version) < BigInt(than);
}
