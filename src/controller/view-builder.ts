import type { AddressPoolResource, RealServerResource, VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { computeClusterFacts } from '../cluster/index.ts';
import type { WatchedKind } from '../cluster/index.ts';
import { isEqualJson } from '../kube/index.ts';
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
    onChange: (kind: keyof ControllerKinds) => void,
  ) {
    this.#kinds = kinds;
    this.#unreadable = unreadable;
    this.#apiServerAddresses = apiServerAddresses;
    this.#unsubscribe = viewed.map((name) => {
      const { store } = kinds[name] as WatchedKind<unknown>;
      return store.subscribe((change) => {
        // A heartbeat of a node is nothing to us.
        if (change.kind === 'changed' && name === 'nodes' && isEqualJson(change.before, change.after)) return;
        if (change.kind === 'listed' && !this.#isFirstList(name)) return;
        this.#changed.add(name);
        onChange(name);
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

function entriesOf<T, I extends string>({ store }: WatchedKind<T, I>) {
  return [...store.keys()].flatMap((key) => store.entry(key) ?? []);
}
