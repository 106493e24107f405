import type { KubeObject } from './objects.ts';

export interface StoredChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** Where it happened: `group/plural`. */
  readonly storage: string;
  readonly key: string;
  /** After the change; of a deletion, the last state with the revision of the deletion. */
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
  readonly revision: number;
}

/**
 * Objects by kind and key with one revision for all, and the changes of a window behind it: the part of etcd and of the
 * watch cache that clients can see.
 */
export class Store {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #listeners = new Set<(change: StoredChange) => void>();
  readonly #window: number;
  #changes: StoredChange[] = [];
  #revision = 1;
  #compacted = 1;

  /** @param window how many changes can be asked for again */
  constructor(window: number) {
    this.#window = window;
  }

  /** The newest. */
  get revision(): number {
    return this.#revision;
  }

  /** The oldest from which a watch or a list can go on. */
  get oldestRevision(): number {
    return this.#compacted;
  }

  get(storage: string, key: string): KubeObject | undefined {
    return this.#objects.get(storage)?.get(key);
  }

  /**
   * In the order of keys, now or at a revision inside the window.
   * @returns undefined where that revision is forgotten
   */
  list(storage: string, revision = this.#revision): (readonly [string, KubeObject])[] | undefined {
    if (revision < this.#compacted) return undefined;
    const objects = new Map(this.#objects.get(storage));
    for (const change of this.#changes.toReversed()) {
      if (change.revision <= revision) break;
      if (change.storage !== storage) continue;
      if (change.previous === undefined) objects.delete(change.key);
      else objects.set(change.key, change.previous);
    }
    return [...objects].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Stores the object under the next revision. */
  put(storage: string, key: string, object: KubeObject): KubeObject {
    const previous = this.get(storage, key);
    const revision = ++this.#revision;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    let objects = this.#objects.get(storage);
    if (objects === undefined) this.#objects.set(storage, (objects = new Map()));
    objects.set(key, stored);
    const type = previous === undefined ? 'ADDED' : 'MODIFIED';
    this.#record({ type, storage, key, object: stored, previous, revision });
    return stored;
  }

  /** @returns the last state with the revision of the deletion */
  delete(storage: string, key: string): KubeObject | undefined {
    const previous = this.get(storage, key);
    if (previous === undefined) return undefined;
    const revision = ++this.#revision;
    const object = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } };
    this.#objects.get(storage)?.delete(key);
    this.#record({ type: 'DELETED', storage, key, object, previous, revision });
    return object;
  }

  /** Changes after the revision. @returns undefined where some of them are forgotten */
  since(storage: string, revision: number): StoredChange[] | undefined {
    if (revision < this.#compacted) return undefined;
    return this.#changes.filter((change) => change.revision > revision && change.storage === storage);
  }

  /** Forgets every change so far: older watches and continue tokens expire. */
  compact(): void {
    this.#changes = [];
    this.#compacted = this.#revision;
  }

  /** @returns how to stop listening */
  subscribe(listener: (change: StoredChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #record(change: StoredChange): void {
    this.#changes.push(change);
    if (this.#changes.length > this.#window) {
      this.#compacted = this.#changes.shift()?.revision ?? this.#compacted;
    }
    for (const listener of this.#listeners) listener(change);
  }
}
