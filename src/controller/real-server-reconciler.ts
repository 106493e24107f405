import { apiVersion } from '../api/index.ts';
import type { Condition, RealServerResource, RealServerSliceSpec } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import { parserOf, realServerSliceType, realServerType } from '../cluster/index.ts';
import { isKubeError, objectKey, parseObjectKey, pause } from '../kube/index.ts';
import type { KubeClient, KubeObject, ObjectKey, StatusWriter, WorkResult } from '../kube/index.ts';
import type { Refusal } from '../plan/index.ts';
import type { EndpointPolicy } from './endpoint-policy.ts';
import type { EndpointStores } from './indexes.ts';
import { computeRealServerStatus } from './real-server-status.ts';
import type { RealServerStatusInput } from './real-server-status.ts';
import { keysBehind, watchRealServerTriggers } from './real-server-triggers.ts';
import { resolveEndpoints } from './resolve-endpoints.ts';
import type { Resolution } from './resolve-endpoints.ts';
import { SliceView } from './slice-view.ts';
import { isSameSliceSpec, labelsOf, planSliceWrites, sliceEntryOf, storedEntry } from './slice-writes.ts';
import type { SliceEntry, SliceOwner, SliceWrite, StoredSlice } from './slice-writes.ts';
import { confirmableMs, endpointName, judgeFirstComputation, judgeNextComputation } from './startup-hold.ts';
import type { RemovalCount, StartupHold } from './startup-hold.ts';
import { worldOf } from './store-world.ts';
import type { WeightLoop, WeightsOfRealServer } from './weight-loop.ts';

export interface RealServerReconcilerOptions {
  readonly stores: EndpointStores;
  /** Writes through it fail when this process does not lead. */
  readonly client: KubeClient;
  readonly statusWriter: StatusWriter;
  readonly fieldManager: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Who may receive traffic, as of now. When it changes, every RealServer is to be reconciled. */
  readonly policy: () => EndpointPolicy;
  /** What `plan` says of a RealServer (`namespace/name`); when it changes, that RealServer is to be reconciled. */
  readonly refusalsOf: (key: ObjectKey) => readonly Refusal[];
  /** How directors see a RealServer; when it changes, that RealServer is to be reconciled. @default nobody tells */
  readonly healthOf?: (key: ObjectKey) => Pick<RealServerStatusInput, 'health' | 'directors'>;
  /** Lists pods and EndpointSlices anew; resolves when both stores have taken in another complete list. */
  readonly relist: (signal: AbortSignal) => Promise<void>;
  /** Weights that follow the load; undefined: none do. */
  readonly weights?: Pick<WeightLoop, 'weigh' | 'forget'>;
  /** After a turn of conditions was written; for events. */
  readonly onStatus?: (realServer: RealServerResource, conditions: readonly Condition[]) => void;
}

/** Of a RealServer whose endpoints come and go all the time: its slices follow at once, its status at most so often. */
const statusIntervalMs = 1000;
/** A slice that others write at the same moment is read again and judged anew. */
const mostConflicts = 5;
const relistRetryMs = 5000;

/** What this process remembers of one RealServer; all of it can be lost. */
interface Memory {
  readonly uid: string;
  isServing: boolean;
  statusMs: number;
  conditions: readonly Condition[] | undefined;
}

/** The endpoints of a RealServer, and what is advised for them. */
interface Weighed {
  readonly resolution: Resolution;
  readonly weights: WeightsOfRealServer | undefined;
}

/**
 * Keeps the slices and the status of each RealServer what they should be.
 *
 * Flow of one key: resolve the endpoints from the stores; pack them into the slices that are there; write what differs,
 * gains first; then the status. Guarantees: the same stores give the same slices, whoever computes them and after
 * however many attempts; an endpoint that stays is at no moment in no slice; at rest nothing is written; nothing is
 * removed on the word of one list after a start (`startup-hold.ts`).
 * Assumes: it is called once the stores are synced, and never twice at once for one key (`WorkQueue`).
 */
export class RealServerReconciler {
  readonly #options: RealServerReconcilerOptions;
  readonly #slices: SliceView;
  readonly #memories = new Map<ObjectKey, Memory>();
  #hold: StartupHold | undefined;
  #enqueue: (key: ObjectKey) => void = () => {};

  constructor(options: RealServerReconcilerOptions) {
    this.#options = options;
    this.#slices = new SliceView(options.stores.realServerSlices);
  }

  /**
   * Calls with the key of every RealServer that a change of a store may concern, and with all of them now.
   * @returns ends it.
   */
  follow(enqueue: (key: ObjectKey) => void): () => void {
    this.#enqueue = enqueue;
    const endSlices = this.#slices.watch(enqueue);
    const endOthers = watchRealServerTriggers(this.#options.stores, enqueue);
    for (const { metadata, spec } of this.#options.stores.realServerSlices.values())
      enqueue(`${metadata.namespace}/${spec.realServerName}`);
    return () => {
      endSlices();
      endOthers();
      this.#enqueue = () => {};
    };
  }

  /**
   * To be called when the stores are synced, before the first key is reconciled: looks at what all of them together
   * would remove, and holds it back if that is much. Until the signal aborts it goes on asking for lists that confirm.
   */
  begin(signal: AbortSignal): void {
    const { clock, logger } = this.#options;
    const count = this.#countRemovals();
    this.#hold = judgeFirstComputation(count, clock.monotonicMs());
    if (this.#hold === undefined) return;
    logger.warn('much would be removed after the start; nothing goes before a second list agrees', {
      endpoints: count.existing,
      removed: count.removed.size,
    });
    this.#confirm(signal).catch((error: unknown) => {
      if (!signal.aborted) logger.error('a hold was not ended', { error: formatErrorForPeople(error) });
    });
  }

  /** @param key `namespace/name` of a RealServer, whether it exists or not. */
  async reconcile(key: ObjectKey, signal: AbortSignal): Promise<WorkResult> {
    const { realServers } = this.#options.stores;
    const entry = realServers.entry(key);
    if (entry === undefined) {
      this.#memories.delete(key);
      this.#options.weights?.forget(key);
      this.#options.statusWriter.forget(realServerType, key);
      return realServers.malformed.has(key) ? done : this.#cleanUp(key, signal);
    }
    const realServer = entry.object;
    // Its slices go with it, by the garbage collector.
    if (realServer.metadata.deletionTimestamp !== undefined) return done;
    const memory = this.#memoryOf(key, entry.uid);
    const resolution = this.#resolve(realServer);
    this.#noteServing(realServer, memory, resolution);
    const owner: SliceOwner = {
      namespace: realServer.metadata.namespace,
      name: realServer.metadata.name,
      uid: entry.uid,
      virtualServiceName: realServer.spec.virtualServiceRef.name,
    };
    const weights = this.#weigh(realServer, entry.uid, resolution);
    await this.#writeSlices(owner, { resolution, weights }, signal);
    weights?.noteWritten();
    return this.#writeStatus(key, { resolution, weights }, memory, signal);
  }

  #weigh(
    realServer: RealServerResource,
    uid: string,
    { endpoints }: Resolution,
  ): WeightsOfRealServer | undefined {
    const { weights } = this.#options;
    if (weights === undefined) return undefined;
    const { own } = this.#slices.slicesOf({ ...realServer.metadata, uid });
    const stored = new Map(
      own.flatMap(({ resource }) => resource.spec.endpoints.map((endpoint) => [endpoint.address, endpoint])),
    );
    return weights.weigh(realServer, endpoints, stored);
  }

  #resolve(realServer: RealServerResource): Resolution {
    const { stores, policy } = this.#options;
    return resolveEndpoints(
      realServer,
      worldOf(realServer, stores, policy(), (key) => this.#isServing(key)),
    );
  }

  /** Whether a RealServer takes new connections: as last resolved here, or as a process before us has written. */
  #isServing(key: ObjectKey): boolean {
    const memory = this.#memories.get(key);
    if (memory !== undefined) return memory.isServing;
    return this.#options.stores.realServerSlices
      .byIndex('realServer', key)
      .some(({ spec }) => spec.endpoints.some(({ phase }) => phase === 'Serving'));
  }

  #memoryOf(key: ObjectKey, uid: string): Memory {
    const known = this.#memories.get(key);
    if (known?.uid === uid) return known;
    const isServing = this.#isServing(key);
    const memory = { uid, isServing, statusMs: Number.NEGATIVE_INFINITY, conditions: undefined };
    this.#memories.set(key, memory);
    return memory;
  }

  /** The others behind a VirtualService have to know who serves: the last resort depends on it. */
  #noteServing(realServer: RealServerResource, memory: Memory, { endpoints }: Resolution): void {
    const isServing = endpoints.some(({ phase, reason }) => phase === 'Serving' && reason === undefined);
    if (memory.isServing === isServing) return;
    memory.isServing = isServing;
    const { namespace, name } = realServer.metadata;
    const behind = `${namespace}/${realServer.spec.virtualServiceRef.name}`;
    for (const sibling of keysBehind(this.#options.stores, behind))
      if (sibling !== `${namespace}/${name}`) this.#enqueue(sibling);
  }

  async #writeSlices(
    owner: SliceOwner,
    { resolution, weights }: Weighed,
    signal: AbortSignal,
  ): Promise<void> {
    const found = resolution.endpoints.map((endpoint) =>
      sliceEntryOf(endpoint, weights?.weights.get(endpoint.address)?.advisedWeight),
    );
    for (let conflicts = 0; ; conflicts++) {
      const { own, orphans } = this.#slices.slicesOf(owner);
      const entries = this.#withHeld(owner, own, found);
      const writes = planSliceWrites({ owner, own, orphans, entries });
      const conflicting = await this.#perform(owner, writes, signal);
      if (conflicting === undefined) return;
      if (conflicts === mostConflicts) throw conflicting.error;
      await this.#readAgain(owner.namespace, conflicting.write, signal);
    }
  }

  /** @returns the first write that found another version than expected; undefined: all are done. */
  async #perform(
    owner: SliceOwner,
    writes: readonly SliceWrite[],
    signal: AbortSignal,
  ): Promise<{ readonly write: SliceWrite; readonly error: unknown } | undefined> {
    for (const write of writes) {
      signal.throwIfAborted();
      try {
        if (write.kind === 'apply') await this.#apply(owner, write, signal);
        else await this.#delete(owner.namespace, write);
      } catch (error) {
        if (!isKubeError(error, 'LVS_KUBE_CONFLICT')) throw error;
        return { write, error };
      }
    }
    return undefined;
  }

  async #apply(
    owner: SliceOwner,
    { name, spec, replaces }: Extract<SliceWrite, { readonly kind: 'apply' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, fieldManager } = this.#options;
    const object: KubeObject = {
      apiVersion,
      kind: realServerSliceType.kind,
      metadata: {
        name,
        namespace: owner.namespace,
        // What has changed meanwhile, or is gone, is not overwritten unread.
        ...(replaces && { uid: replaces.uid, resourceVersion: replaces.resourceVersion }),
        labels: labelsOf(owner),
        ownerReferences: [
          { apiVersion, kind: realServerType.kind, name: owner.name, uid: owner.uid, controller: true },
        ],
      },
      spec,
    };
    const written = await client.apply(realServerSliceType, object, { fieldManager, signal });
    const stored = this.#record(written);
    if (stored !== undefined && !isSameSliceSpec(stored.resource.spec, spec)) {
      await this.#takeBack(written, spec, signal);
    }
  }

  /** What other hands added to the lists of a slice belongs to them, and an apply leaves it there. */
  async #takeBack(written: KubeObject, spec: RealServerSliceSpec, signal: AbortSignal): Promise<void> {
    const { client, logger } = this.#options;
    logger.warn('somebody else wrote into a slice of ours', { slice: objectKey(written.metadata) });
    this.#record(await client.update(realServerSliceType, { ...written, spec }, { signal }));
  }

  async #delete(
    namespace: string,
    { name, uid }: Extract<SliceWrite, { readonly kind: 'delete' }>,
  ): Promise<void> {
    try {
      await this.#options.client.delete(realServerSliceType, { namespace, name }, uid);
    } catch (error) {
      // Gone, or made anew by others: either way, what we meant is no more.
      if (!isKubeError(error, 'LVS_KUBE_NOT_FOUND') && !isKubeError(error, 'LVS_KUBE_CONFLICT')) throw error;
    }
    this.#slices.recordDeleted(`${namespace}/${name}`, uid);
  }

  async #readAgain(namespace: string, write: SliceWrite, signal: AbortSignal): Promise<void> {
    const { name } = write;
    try {
      const current = await this.#options.client.get(realServerSliceType, { namespace, name }, { signal });
      this.#record(current);
    } catch (error) {
      if (!isKubeError(error, 'LVS_KUBE_NOT_FOUND')) throw error;
      const uid = write.kind === 'delete' ? write.uid : write.replaces?.uid;
      if (uid !== undefined) this.#slices.recordDeleted(`${namespace}/${name}`, uid);
    }
  }

  /** @returns undefined where the API server's answer cannot be read; the watch will bring what it holds. */
  #record(object: KubeObject): StoredSlice | undefined {
    const { uid, resourceVersion } = object.metadata;
    if (uid === undefined || resourceVersion === undefined) return undefined;
    try {
      const slice = { resource: parseSlice(object), uid, resourceVersion, isUnreadable: false };
      this.#slices.recordWritten(slice);
      return slice;
    } catch {
      return undefined;
    }
  }

  /** Slices of a RealServer that is gone. The garbage collector takes them, too; where it is slow, nobody waits for it. */
  async #cleanUp(key: ObjectKey, signal: AbortSignal): Promise<WorkResult> {
    const slices = this.#slices.slicesNaming(key);
    if (slices.length === 0) return done;
    try {
      await this.#options.client.get(realServerType, parseObjectKey(key), { signal });
      // The store lags behind, or a list lacked it: then its slices are nobody's to delete.
      return { kind: 'again', afterMs: 5000 };
    } catch (error) {
      if (!isKubeError(error, 'LVS_KUBE_NOT_FOUND')) throw error;
    }
    for (const { resource, uid } of slices) {
      signal.throwIfAborted();
      const { namespace, name } = resource.metadata;
      await this.#delete(namespace, { kind: 'delete', name, uid });
    }
    return done;
  }

  async #writeStatus(
    key: ObjectKey,
    { resolution, weights }: Weighed,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<WorkResult> {
    const { stores, statusWriter, clock, refusalsOf, onStatus } = this.#options;
    const entry = stores.realServers.entry(key);
    if (entry === undefined || entry.uid !== memory.uid) return done;
    const realServer = entry.object;
    const { namespace, name } = realServer.metadata;
    const status = computeRealServerStatus({
      realServer,
      virtualService: stores.virtualServices.get(`${namespace}/${realServer.spec.virtualServiceRef.name}`),
      resolution,
      weights: weights?.weights,
      refusals: refusalsOf(key),
      ...(this.#options.healthOf?.(key) ?? { health: undefined, directors: 0 }),
      lastConditions: memory.conditions,
      now: new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z'),
    });
    const subject = {
      type: realServerType,
      metadata: { name, namespace, uid: entry.uid, resourceVersion: entry.resourceVersion },
      status: realServer.status,
    };
    const nowMs = clock.monotonicMs();
    const waitMs = memory.statusMs + statusIntervalMs - nowMs;
    if (waitMs > 0) return { kind: 'again', afterMs: waitMs };
    const outcome = await statusWriter.write(subject, status, signal);
    if (outcome !== 'written') return done;
    memory.statusMs = nowMs;
    if (memory.conditions !== status.conditions) onStatus?.(realServer, status.conditions);
    memory.conditions = status.conditions;
    return done;
  }

  /** Endpoints that are not found any more and stay as they are stored, until a second list agrees. */
  #withHeld(
    owner: SliceOwner,
    own: readonly StoredSlice[],
    entries: readonly SliceEntry[],
  ): readonly SliceEntry[] {
    const hold = this.#hold;
    if (hold === undefined) return entries;
    const found = new Set(entries.map(({ address }) => address));
    const kept = own.flatMap(({ resource: { spec } }) =>
      spec.endpoints
        .filter(
          ({ address }) => !found.has(address) && hold.endpoints.has(endpointName(objectKey(owner), address)),
        )
        .map((entry) => storedEntry(spec.ports, entry)),
    );
    return [...entries, ...kept];
  }

  async #confirm(signal: AbortSignal): Promise<void> {
    const { clock, timers, logger, relist } = this.#options;
    while (this.#hold !== undefined && !signal.aborted) {
      await pause(timers, confirmableMs(this.#hold) - clock.monotonicMs(), signal);
      if (signal.aborted) return;
      const askedMs = clock.monotonicMs();
      try {
        await relist(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('no second list yet', { error: formatErrorForPeople(error) });
        await pause(timers, relistRetryMs, signal);
        continue;
      }
      const held = this.#hold;
      this.#hold = judgeNextComputation(held, this.#countRemovals(), {
        askedMs,
        nowMs: clock.monotonicMs(),
      });
      if (this.#hold === undefined) {
        logger.info('a second list tells what is gone');
        for (const name of held.endpoints) this.#enqueue(name.slice(0, name.indexOf(' ')));
      }
    }
  }

  /** What all RealServers together would remove, from what is in the stores. */
  #countRemovals(): RemovalCount {
    const { realServers } = this.#options.stores;
    const removed = new Set<string>();
    let existing = 0;
    for (const key of realServers.keys()) {
      const entry = realServers.entry(key);
      if (entry === undefined || entry.object.metadata.deletionTimestamp !== undefined) continue;
      const { namespace, name } = entry.object.metadata;
      const { own } = this.#slices.slicesOf({ namespace, name, uid: entry.uid });
      const stored = new Set(
        own.flatMap(({ resource }) => resource.spec.endpoints.map(({ address }) => address)),
      );
      existing += stored.size;
      if (stored.size === 0) continue;
      const found = new Set(this.#resolve(entry.object).endpoints.map(({ address }) => address));
      for (const address of stored) if (!found.has(address)) removed.add(endpointName(key, address));
    }
    return { existing, removed };
  }
}

const done: WorkResult = { kind: 'done' };
const parseSlice = parserOf('RealServerSlice');
