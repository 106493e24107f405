import type {
  AddressPoolResource,
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { ObjectKey, StoreEntry } from '../kube/index.ts';
import type { DirectorFacts, NamespaceLabels } from '../plan/index.ts';
import type { LiveDirector } from './live-directors.ts';

/** An object of ours as it is stored, and what of it is judged. */
export interface Seen<R> {
  /** As stored, with its status. */
  readonly entry: StoreEntry<R>;
  /** Without its status. Stays the same object while the spec does, however often the status is written. */
  readonly form: R;
  /** Version with which this spec was first seen. */
  readonly specVersion: string;
}

/** The cluster as one decision sees it. Lists stay the same lists while nothing in them changes. */
export interface ClusterView {
  readonly virtualServices: readonly Seen<VirtualServiceResource>[];
  readonly realServers: readonly Seen<RealServerResource>[];
  readonly addressPools: readonly Seen<AddressPoolResource>[];
  readonly realServerSlices: readonly StoreEntry<RealServerSliceResource>[];
  /** Of the directors only those that should be serving. */
  readonly directors: readonly LiveDirector[];
  readonly namespaceLabels: NamespaceLabels;
  readonly facts: DirectorFacts;
  /** Everything that happened to VirtualServices up to this version is in here; undefined: not known. */
  readonly version: string | undefined;
  /** Addresses granted to VirtualServices of which no version could be read, and whose they are. */
  readonly unreadableVips: ReadonlyMap<IpAddress, ObjectKey>;
}

/** Keeps the judged form of each object of a kind from view to view. */
export class SpecForms<
  R extends { readonly metadata: { readonly generation?: number }; readonly status?: unknown },
> {
  #last = new Map<ObjectKey, Seen<R>>();

  take(entries: Iterable<StoreEntry<R>>): readonly Seen<R>[] {
    const next = new Map<ObjectKey, Seen<R>>();
    for (const entry of entries) next.set(entry.key, this.#see(entry));
    this.#last = next;
    return [...next.values()];
  }

  #see(entry: StoreEntry<R>): Seen<R> {
    const last = this.#last.get(entry.key);
    if (last?.entry === entry) return last;
    const { generation } = entry.object.metadata;
    const isSameSpec =
      last?.entry.uid === entry.uid &&
      generation !== undefined &&
      last.entry.object.metadata.generation === generation;
    if (isSameSpec) return { entry, form: last.form, specVersion: last.specVersion };
    const { status: _written, ...form } = entry.object;
    return { entry, form: form as unknown as R, specVersion: entry.resourceVersion };
  }
}
