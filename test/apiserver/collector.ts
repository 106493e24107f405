/**
 * The part of kube-controller-manager without which deletions do not end: dependents of deleted owners, the finalizers
 * of foreground and orphaning deletion, the content of namespaces.
 */
import type { KubeObject } from './objects.ts';
import { view } from './resources.ts';
import type { Resources } from './resources.ts';
import { storageOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';

export class Collector {
  readonly #resources: Resources;
  readonly #types: readonly ResourceType[];
  readonly #unsubscribe: () => void;
  #isDue = false;

  constructor(resources: Resources) {
    this.#resources = resources;
    this.#types = resources.types.filter((type) => type.storage === undefined);
    this.#unsubscribe = resources.store.subscribe((change) => {
      const isLeaving = change.object.metadata.deletionTimestamp !== undefined;
      if (change.type === 'DELETED' || isLeaving) this.#schedule();
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#collect();
    });
  }

  #all(): { type: ResourceType; object: KubeObject }[] {
    return this.#types.flatMap((type) =>
      (this.#resources.store.list(storageOf(type)) ?? []).map(([, stored]) => ({
        type,
        object: view(type, stored),
      })),
    );
  }

  #collect(): void {
    const all = this.#all();
    const alive = new Set(all.map(({ object }) => object.metadata.uid));
    const dependents = new Map<string, { type: ResourceType; object: KubeObject }[]>();
    for (const found of all) {
      const owners = found.object.metadata.ownerReferences ?? [];
      for (const { uid } of owners) dependents.set(uid, [...(dependents.get(uid) ?? []), found]);
      if (owners.length > 0 && owners.every(({ uid }) => !alive.has(uid))) this.#delete(found);
    }
    for (const { type, object } of all) {
      const { deletionTimestamp, finalizers = [], uid = '' } = object.metadata;
      if (deletionTimestamp === undefined) continue;
      const below = (dependents.get(uid) ?? []).filter((found) => this.#isThere(found));
      if (finalizers.includes('foregroundDeletion')) {
        for (const found of below) this.#delete(found);
        if (!below.some((found) => this.#isThere(found))) this.#finish(type, object, 'foregroundDeletion');
      } else if (finalizers.includes('orphan')) {
        for (const found of below) this.#disown(found, uid);
        this.#finish(type, object, 'orphan');
      }
      if (type.group === '' && type.plural === 'namespaces') this.#empty(type, object, all);
    }
  }

  #isThere({ type, object }: { type: ResourceType; object: KubeObject }): boolean {
    const { name, namespace = '', uid } = object.metadata;
    return this.#resources.find({ type, namespace, name })?.metadata.uid === uid;
  }

  #delete(found: { type: ResourceType; object: KubeObject }): void {
    if (!this.#isThere(found)) return;
    const { name, namespace = '' } = found.object.metadata;
    this.#resources.delete(
      { type: found.type, namespace, name },
      { propagation: 'Background', isDryRun: false },
    );
  }

  #disown({ type, object }: { type: ResourceType; object: KubeObject }, owner: string): void {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner);
    this.#resources.overwrite(type, { ...object, metadata: { ...object.metadata, ownerReferences } });
  }

  #finish(type: ResourceType, object: KubeObject, finalizer: string): void {
    const finalizers = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    this.#resources.overwrite(type, { ...object, metadata: { ...object.metadata, finalizers } });
  }

  #empty(type: ResourceType, namespace: KubeObject, all: { type: ResourceType; object: KubeObject }[]): void {
    const { name } = namespace.metadata;
    const content = all.filter(({ object }) => object.metadata.namespace === name);
    for (const found of content) this.#delete(found);
    if (!content.some((found) => this.#isThere(found))) this.#resources.store.delete(storageOf(type), name);
  }
}
