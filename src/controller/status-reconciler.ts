import { apiVersion, followsLoad, readAddressPoolStatus } from '../api/index.ts';
import type {
  AddressPoolResource,
  Condition,
  ConditionVerdict,
  VirtualServiceResource,
} from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import { addressPoolType, virtualServiceType } from '../cluster/index.ts';
import { objectKey } from '../kube/index.ts';
import type { KubeObject, ObjectKey, ResourceType, StatusWriter, StoreEntry } from '../kube/index.ts';
import type { WeightVerdict } from '../weight/index.ts';
import { addressPoolStatus } from './address-pool-status.ts';
import { formatTime, mergeConditions } from './conditions.ts';
import type { ControllerKinds, UnreadableKinds } from './controller-stores.ts';
import type { Decisions } from './decide.ts';
import { poolHolds } from './grant.ts';
import { storedStatus } from './stored-status.ts';
import type { TurnEvents } from './turn-events.ts';
import { readStatus } from './unreadable-objects.ts';
import { virtualServiceStatus } from './virtual-service-status.ts';

export interface StatusReconcilerOptions {
  readonly kinds: Pick<ControllerKinds, 'virtualServices' | 'addressPools'>;
  readonly unreadable: UnreadableKinds;
  readonly statusWriter: StatusWriter;
  readonly events: TurnEvents;
  readonly clock: Clock;
  /** The newest; undefined before the first. */
  readonly decisions: () => Decisions | undefined;
  /** What the condition WeightsFromLoad is to say; undefined: what it says already. */
  readonly weightVerdict: (key: ObjectKey) => WeightVerdict | undefined;
}

function unreadableVerdicts(why: string): readonly Omit<ConditionVerdict, 'observedGeneration'>[] {
  const reason = 'Invalid';
  const message = `This version of lvs-operator cannot read it: ${why}`;
  return [
    { type: 'Ready', status: 'False', reason, message },
    { type: 'Accepted', status: 'False', reason, message },
    { type: 'Stalled', status: 'True', reason, message },
  ];
}

interface Written {
  readonly uid: string;
  /** The version that the store had when we wrote. */
  readonly basis: string;
  readonly conditions: readonly Condition[];
}

/** Makes stored statuses say what is decided, and tells people what has turned. */
export class StatusReconciler {
  readonly #options: StatusReconcilerOptions;
  /** What was written and may not have come back by the watch: the next transition is one from there. */
  readonly #written = new Map<string, Written>();

  constructor(options: StatusReconcilerOptions) {
    this.#options = options;
  }

  async virtualService(key: ObjectKey, signal: AbortSignal): Promise<void> {
    const { kinds, unreadable } = this.#options;
    const problem = kinds.virtualServices.store.malformed.get(key);
    if (problem !== undefined)
      return this.#unreadable(virtualServiceType, unreadable.virtualServices.get(problem), signal);
    const entry = this.#options.kinds.virtualServices.store.entry(key);
    const decision = this.#options.decisions()?.virtualServices.get(key);
    if (entry === undefined) return this.#forget(virtualServiceType, key);
    // Younger than the decision: another is on its way.
    if (decision?.uid !== entry.uid) return;
    await this.#secureQuarantine(entry, signal);
    const stored = storedStatus(entry.object).status;
    const conditions = this.#conditions(virtualServiceType, entry, stored.conditions);
    const weights = followsLoad(entry.object.spec)
      ? (this.#options.weightVerdict(key) ?? 'unknown')
      : undefined;
    const status = virtualServiceStatus(decision, { conditions }, this.#now, weights);
    await this.#write(virtualServiceType, entry, { before: conditions, status, signal });
  }

  async addressPool(name: string, signal: AbortSignal): Promise<void> {
    const { kinds, unreadable } = this.#options;
    const problem = kinds.addressPools.store.malformed.get(name);
    if (problem !== undefined)
      return this.#unreadable(addressPoolType, unreadable.addressPools.get(problem), signal);
    const entry = this.#options.kinds.addressPools.store.entry(name);
    const decision = this.#options.decisions()?.addressPools.get(name);
    if (entry === undefined) return this.#forget(addressPoolType, name);
    if (decision?.uid !== entry.uid) return;
    const stored = readAddressPoolStatus(entry.object);
    const conditions = this.#conditions(addressPoolType, entry, stored.conditions);
    const status = addressPoolStatus(decision, { conditions }, this.#now);
    await this.#write(addressPoolType, entry, { before: conditions, status, signal });
  }

  /**
   * An address that a status is about to drop is in the pool's status first. A controller that dies in between leaves an
   * address that is claimed and quarantined, and never one that is neither while a director still answers for it.
   */
  async #secureQuarantine(entry: StoreEntry<VirtualServiceResource>, signal: AbortSignal): Promise<void> {
    const decisions = this.#options.decisions();
    const decision = decisions?.virtualServices.get(entry.key);
    const kept = new Set<string>(decision?.grant?.addresses.map(({ ip }) => ip));
    const dropped = storedStatus(entry.object).status.addresses.filter(
      ({ ip }) => !kept.has(ip) && decisions?.memory.quarantine.has(ip) === true,
    );
    for (const pool of this.#options.kinds.addressPools.store.values()) {
      if (!dropped.some(({ ip }) => poolHolds(pool, ip))) continue;
      await this.addressPool(pool.metadata.name, signal);
    }
  }

  /**
   * Tells that this version cannot be read. What the last one that could be read has been granted stays in force, so all
   * else that the status says stays.
   */
  async #unreadable(type: ResourceType, object: KubeObject | undefined, signal: AbortSignal): Promise<void> {
    // There is a newer version by now, and an event to come.
    if (object === undefined) return;
    const { name, namespace, uid, resourceVersion, generation } = object.metadata;
    if (uid === undefined || resourceVersion === undefined) return;
    const { conditions: stored } = readStatus(object);
    const observed = typeof generation === 'number' ? { observedGeneration: generation } : {};
    const { store } = this.#options.kinds[type === virtualServiceType ? 'virtualServices' : 'addressPools'];
    const why = store.malformed.get(objectKey(object.metadata))?.message ?? '';
    const verdicts = unreadableVerdicts(why).map((verdict) => ({ ...verdict, ...observed }));
    const others = stored.filter(
      (condition) =>
        condition.type !== 'Reconciling' && !verdicts.some(({ type: own }) => own === condition.type),
    );
    const conditions = mergeConditions(stored, [...verdicts, ...others], this.#now);
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion };
    const status = { ...(object['status'] as object | undefined), ...observed, conditions };
    const subject = { type, metadata, status: object['status'] };
    await this.#options.statusWriter.write(subject, status, signal);
  }

  get #now(): string {
    return formatTime(this.#options.clock.wallMs());
  }

  #conditions(
    type: ResourceType,
    entry: StoreEntry<unknown>,
    stored: readonly Condition[],
  ): readonly Condition[] {
    const last = this.#written.get(`${type.plural}/${entry.key}`);
    return last?.uid === entry.uid && last.basis === entry.resourceVersion ? last.conditions : stored;
  }

  async #write(
    type: ResourceType,
    entry: StoreEntry<VirtualServiceResource | AddressPoolResource>,
    {
      before,
      status,
      signal,
    }: {
      readonly before: readonly Condition[];
      readonly status: { readonly conditions: readonly Condition[] };
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { key, uid, resourceVersion, object } = entry;
    const { name } = object.metadata;
    const namespace = 'namespace' in object.metadata ? { namespace: object.metadata.namespace } : {};
    const metadata = { name, ...namespace, uid, resourceVersion };
    const { statusWriter, events } = this.#options;
    const outcome = await statusWriter.write({ type, metadata, status: object.status }, status, signal);
    if (outcome !== 'written') return;
    this.#written.set(`${type.plural}/${key}`, {
      uid,
      basis: resourceVersion,
      conditions: status.conditions,
    });
    const regarding = { apiVersion, kind: type.kind, name, ...namespace, uid };
    events.tell(regarding, before, status.conditions);
  }

  #forget(type: ResourceType, key: ObjectKey): void {
    this.#written.delete(`${type.plural}/${key}`);
    this.#options.statusWriter.forget(type, key);
  }
}
