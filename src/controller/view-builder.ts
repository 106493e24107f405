import type { AddressPoolResource, RealServerResource, VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { computeClusterFacts } from '../cluster/index.ts';
import type { WatchedKind } from '../cluster/index.ts';
import { isEqualJson } from '../kube/index.ts';
import type { StoreChange } from '../kube/index.ts';
import type { DirectorFacts } from '../plan/index.ts';
import { SpecForms } from './cluster-view.ts';
import type { ClusterView } from './cluster-view.ts';
import type { ControllerKinds, UnreadableKinds } from './controller-stores.ts';
import { liveDirectors } from './live-directors.ts';

export interface ViewBuilderOptions {
  readonly kinds: ControllerKinds;
  readonly unreadable: UnreadableKinds;
  /** Addresses by which we call the API server ourselves. */
  readonly apiServerAddresses: readonly IpAddress[];
}

/**
 * How soon a decision should follow a change. `soon`: somebody asked for something. `later`: something turned out, such as
 * a slice that was written or a director that reports; it is for statuses only, and much of it is the echo of our own writes.
 */
export type Urgency = 'soon' | 'later';

/**
 * Makes of the stores what a decision sees. A part whose stores did not change since the last view is the same object
 * again, so that one event costs what it changes.
 */
export class ViewBuilder {
  readonly #kinds: ControllerKinds;
  readonly #unreadable: UnreadableKinds;
  readonly #apiServerAddresses: readonly IpAddress[];
  readonly #virtualServiceForms = new SpecForms<VirtualServiceResource>();
  readonly #realServerForms = new SpecForms<RealServerResource>();
  readonly #addressPoolForms = new SpecForms<AddressPoolResource>();
  readonly #changed = new Set<keyof ControllerKinds>();
  readonly #unsubscribe: readonly (() => void)[];
  #last: ClusterView | undefined;

  /** @param onChange something that a view shows has changed */
  constructor(
    { kinds, unreadable, apiServerAddresses }: ViewBuilderOptions,
    onChange: (urgency: Urgency) => void,
  ) {
    this.#kinds = kinds;
    this.#unreadable = unreadable;
    this.#apiServerAddresses = apiServerAddresses;
    this.#unsubscribe = viewed.map((name) => {
      const { store } = kinds[name] as WatchedKind<unknown>;
      return store.subscribe((change) => {
        if (change.kind === 'listed' && !this.#isFirstList(name)) return;
        const urgency = urgencyOf(name, change);
        if (urgency === undefined) return;
        this.#changed.add(name);
        onChange(urgency);
      });
    });
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  build(): ClusterView {
    const kinds = this.#kinds;
    const last = this.#last;
    const isSame = (...names: (keyof ControllerKinds)[]) => !names.some((name) => this.#changed.has(name));
    const keep = <Key extends keyof ClusterView>(
      key: Key,
      names: readonly (keyof ControllerKinds)[],
      make: () => ClusterView[Key],
    ): ClusterView[Key] => (last !== undefined && isSame(...names) ? last[key] : make());
    const view: ClusterView = {
      virtualServices: keep('virtualServices', ['virtualServices'], () =>
        this.#virtualServiceForms.take(entriesOf(kinds.virtualServices)),
      ),
      realServers: keep('realServers', ['realServers'], () =>
        this.#realServerForms.take(entriesOf(kinds.realServers)),
      ),
      addressPools: keep('addressPools', ['addressPools'], () =>
        this.#addressPoolForms.take(entriesOf(kinds.addressPools)),
      ),
      realServerSlices: keep('realServerSlices', ['realServerSlices'], () =>
        entriesOf(kinds.realServerSlices),
      ),
      directors: keep('directors', ['directors', 'nodes'], () =>
        liveDirectors(kinds.directors.store.values(), kinds.nodes.store),
      ),
      namespaceLabels: keep(
        'namespaceLabels',
        ['namespaces'],
        () => new Map([...kinds.namespaces.store.values()].map(({ name, labels }) => [name, labels])),
      ),
      facts: keep('facts', ['nodes', 'serviceCidrs', 'apiServerSlices'], () => this.#facts(last?.facts)),
      version: kinds.virtualServices.store.observedVersion,
      unreadableVips: keep('unreadableVips', ['virtualServices'], () =>
        this.#unreadable.virtualServices.grantedVips(kinds.virtualServices.store),
      ),
    };
    this.#changed.clear();
    this.#last = view;
    return view;
  }

  /** Equal facts stay the same object: `plan` remembers by them. */
  #facts(last: DirectorFacts | undefined): DirectorFacts {
    const cluster = computeClusterFacts({
      nodes: this.#kinds.nodes.store.values(),
      serviceCidrs: this.#kinds.serviceCidrs.store.values(),
      apiServerSlices: this.#kinds.apiServerSlices.store.values(),
      apiServerAddresses: this.#apiServerAddresses,
    });
    if (last !== undefined && isEqualJson(last.cluster, cluster)) return last;
    // What is true of one host (its uplinks, its modules) is for the director there to judge.
    return { ownAddresses: [], uplinks: [], unavailableSchedulers: [], reservedCidrs: [], cluster };
  }

  #isFirstList(name: keyof ControllerKinds): boolean {
    const { state } = this.#kinds[name].store;
    return state.kind === 'synced' && state.lists === 1;
  }
}

/** The kinds that a view shows. */
const viewed = [
  'virtualServices',
  'realServers',
  'realServerSlices',
  'addressPools',
  'directors',
  'nodes',
  'namespaces',
  'serviceCidrs',
  'apiServerSlices',
] as const satisfies readonly (keyof ControllerKinds)[];

/** Undefined: nothing that a view shows. */
function urgencyOf(name: (typeof viewed)[number], change: StoreChange<unknown>): Urgency | undefined {
  switch (name) {
    case 'realServerSlices':
    case 'directors':
      return 'later';
    case 'virtualServices':
    case 'addressPools':
      return isStatusOnly(change) ? 'later' : 'soon';
    case 'realServers':
      // Its status is written beside decisions, and is nothing to them.
      return isStatusOnly(change) ? undefined : 'soon';
    case 'nodes':
      // A heartbeat is nothing to us.
      return change.kind === 'changed' && isEqualJson(change.before, change.after) ? undefined : 'soon';
    case 'namespaces':
    case 'serviceCidrs':
    case 'apiServerSlices':
      return 'soon';
  }
}

/** The API server counts the generations of a spec. */
function isStatusOnly(change: StoreChange<unknown>): boolean {
  if (change.kind !== 'changed') return false;
  const { before, after } = change as { readonly before: Counted; readonly after: Counted };
  const { generation } = after.metadata;
  return generation !== undefined && generation === before.metadata.generation;
}

interface Counted {
  readonly metadata: { readonly generation?: number };
}

function entriesOf<T, I extends string>({ store }: WatchedKind<T, I>) {
  return [...store.keys()].flatMap((key) => store.entry(key) ?? []);
}
