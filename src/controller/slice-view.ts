import type { RealServerSliceResource } from '../api/index.ts';
import { isOlderVersion, objectKey } from '../kube/index.ts';
import type { ObjectKey, StoreChange } from '../kube/index.ts';
import type { EndpointStores } from './indexes.ts';
import type { StoredSlice } from './slice-writes.ts';

/** The last thing that we did to a slice and that the store may not know yet. */
type OwnWrite =
  | { readonly kind: 'written'; readonly slice: StoredSlice }
  | { readonly kind: 'deleted'; readonly uid: string };

export interface OwnedSlices {
  /** They carry the uid of the RealServer. */
  readonly own: readonly StoredSlice[];
  /** They name the RealServer and carry another uid or none: of a namesake that is gone, or made by other hands. */
  readonly orphans: readonly StoredSlice[];
}

/**
 * Our slices as they are, as far as this process can know: what the watch brought, and what our own writes made since.
 * Without the second half, a pass that follows a write at once would act on the slice from before it, and make a new one
 * for endpoints that have a place.
 */
export class SliceView {
  readonly #store: EndpointStores['realServerSlices'];
  readonly #writes = new Map<ObjectKey, OwnWrite>();
  /** Keys of slices that were written and that the store has not, by the uid of their owner. */
  readonly #unseen = new Map<ObjectKey, string>();

  constructor(store: EndpointStores['realServerSlices']) {
    this.#store = store;
  }

  /**
   * Calls with the key of the RealServer when one of its slices was changed, made or removed by others than us.
   * @returns ends it.
   */
  watch(onForeignChange: (realServerKey: ObjectKey) => void): () => void {
    return this.#store.subscribe((change) => {
      const isEcho = this.#settle(change);
      if (isEcho || change.kind === 'listed') return;
      const resource =
        change.kind === 'removed'
          ? change.before
          : change.kind === 'malformed'
            ? this.#store.get(change.key)
            : change.after;
      if (resource === undefined) return;
      const { namespace, controller } = resource.metadata;
      onForeignChange(`${namespace}/${resource.spec.realServerName}`);
      if (controller !== undefined && controller.name !== resource.spec.realServerName)
        onForeignChange(`${namespace}/${controller.name}`);
    });
  }

  slicesOf(realServer: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  }): OwnedSlices {
    const keys = new Set<ObjectKey>();
    for (const resource of [
      ...this.#store.byIndex('realServer', objectKey(realServer)),
      ...this.#store.byIndex('owner', realServer.uid),
    ]) {
      keys.add(objectKey(resource.metadata));
    }
    for (const [key, owner] of this.#unseen) if (owner === realServer.uid) keys.add(key);
    const slices = [...keys].toSorted().flatMap((key) => this.get(key) ?? []);
    const isOwn = ({ resource }: StoredSlice): boolean =>
      resource.metadata.controller?.uid === realServer.uid;
    return { own: slices.filter(isOwn), orphans: slices.filter((slice) => !isOwn(slice)) };
  }

  /** Slices that name a RealServer which does not exist. */
  slicesNaming(realServerKey: ObjectKey): readonly StoredSlice[] {
    return this.#store
      .byIndex('realServer', realServerKey)
      .flatMap(({ metadata }) => this.get(objectKey(metadata)) ?? []);
  }

  get(key: ObjectKey): StoredSlice | undefined {
    const entry = this.#store.entry(key);
    const problem = this.#store.malformed.get(key);
    const seen: StoredSlice | undefined = entry && {
      resource: entry.object,
      uid: entry.uid,
      resourceVersion: problem?.resourceVersion ?? entry.resourceVersion,
      isUnreadable: problem !== undefined,
    };
    const write = this.#writes.get(key);
    if (write === undefined) return seen;
    if (write.kind === 'deleted') return seen?.uid === write.uid ? undefined : seen;
    return seen === undefined || isOlderVersion(seen.resourceVersion, write.slice.resourceVersion)
      ? write.slice
      : seen;
  }

  /** The answer to a write, or to a read that came after it. */
  recordWritten(slice: StoredSlice): void {
    const key = objectKey(slice.resource.metadata);
    const seen = this.#store.entry(key);
    if (seen?.uid === slice.uid && !isOlderVersion(seen.resourceVersion, slice.resourceVersion)) {
      return this.#forget(key);
    }
    this.#writes.set(key, { kind: 'written', slice });
    const owner = slice.resource.metadata.controller?.uid;
    if (owner !== undefined && seen?.uid !== slice.uid) this.#unseen.set(key, owner);
  }

  recordDeleted(key: ObjectKey, uid: string): void {
    this.#unseen.delete(key);
    if (this.#store.entry(key)?.uid === uid) this.#writes.set(key, { kind: 'deleted', uid });
    else this.#writes.delete(key);
  }

  /** Forgets what the store has caught up with. @returns whether the change was our own. */
  #settle(change: StoreChange<RealServerSliceResource>): boolean {
    if (change.kind === 'listed') {
      // A list without what we made before it: somebody has deleted it meanwhile, and no event will tell.
      for (const [key, write] of this.#writes) {
        const isKnown = this.#store.entry(key) !== undefined;
        if (!isKnown && write.kind === 'written') {
          if (!isOlderVersion(change.resourceVersion, write.slice.resourceVersion)) this.#forget(key);
        }
      }
      return false;
    }
    const { key } = change;
    const write = this.#writes.get(key);
    if (write === undefined) return false;
    if (change.kind === 'removed') {
      const uid = change.before.metadata.uid;
      const isOurs = write.kind === 'deleted' && write.uid === uid;
      if (isOurs || (write.kind === 'written' && write.slice.uid === uid)) this.#forget(key);
      return isOurs;
    }
    const seen = this.#store.malformed.get(key) ?? this.#store.entry(key);
    if (seen === undefined || write.kind === 'deleted') return false;
    if (seen.uid === write.slice.uid) this.#unseen.delete(key);
    if (isOlderVersion(seen.resourceVersion, write.slice.resourceVersion)) return true;
    this.#forget(key);
    return seen.uid === write.slice.uid && seen.resourceVersion === write.slice.resourceVersion;
  }

  #forget(key: ObjectKey): void {
    this.#writes.delete(key);
    this.#unseen.delete(key);
  }
}
