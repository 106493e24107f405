import type { AddressPoolResource, RealServerResource, VirtualServiceResource } from '../api/index.ts';
import type { Clock, IpAddress, Timers } from '../base/index.ts';
import { computeClusterFacts } from '../cluster/index.ts';
import type { WatchedKind } from '../cluster/index.ts';
import { isEqualJson } from '../kube/index.ts';
import type { StoreChange } from '../kube/index.ts';
import { EffectiveVirtualServices } from '../plan/index.ts';
import type { ClusterFacts, NamespaceLabels, Resources } from '../plan/index.ts';
import { isRead, judgeClusterHealth } from './cluster-health.ts';
import type { KindHealth } from './cluster-health.ts';
import { clusterKindList } from './cluster-kinds.ts';
import type { ClusterKinds } from './cluster-kinds.ts';
import { describeClusterProblems } from './cluster-problems.ts';
import type { DesiredSource, DesiredView, OwnDirector } from './desired-source.ts';
import { KnownAddresses } from './known-addresses.ts';
import type { LastGood } from './last-good.ts';
import type { StoredDirector } from './own-director.ts';
import { formatTime } from './status.ts';

export interface KubeSourceOptions {
  readonly kinds: ClusterKinds;
  /** The Director of this node alone; its spec is a wish, and its status is our own. */
  readonly ownDirector: WatchedKind<StoredDirector>;
  /** What an earlier process served by; in force until the cluster was read. */
  readonly remembered: Pick<LastGood, 'resources' | 'cluster'>;
  /** `cluster, as node n1`. */
  readonly description: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** There is another view. */
  readonly onChange: () => void;
}

/** One update of many objects arrives as a burst of events; whoever waits for the first waits no longer than this. */
const burstMs = 3;
/**
 * Events that change nothing here (the status of somebody else's object) only move the versions that are reported. They
 * come right behind the events that matter, and must not be in the way of these.
 */
const echoMs = 100;
/** A watch that breaks is open again in less, and nobody needs to know. */
const patienceMs = 3000;

/**
 * The goal from the objects of a cluster. Until all kinds that make it were read once, what an earlier process served by
 * stands in for them as a whole: half of a new goal mixed with half of an old one would be neither. From then on the
 * stores are the goal, however old they become.
 */
export class KubeSource implements DesiredSource {
  readonly #options: KubeSourceOptions;
  readonly #effective = new EffectiveVirtualServices();
  readonly #knownAddresses: KnownAddresses;
  readonly #subscriptions: readonly (() => void)[];
  #serverAddresses: readonly IpAddress[] = [];
  #resources: Resources;
  #stored: readonly VirtualServiceResource[] = [];
  #facts: ClusterFacts;
  #labels: NamespaceLabels;
  #view: DesiredView;
  /** The view that `onChange` was last called for. */
  #told: DesiredView;
  #lists = 0;
  #readAt: string | undefined;
  #isStale = false;
  #areFactsStale = true;
  #areResourcesStale = true;
  /** Whoever waits for the first complete view. */
  readonly #waiters = new Set<() => void>();
  #burst: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  #cancelPatience: (() => void) | undefined;

  constructor(options: KubeSourceOptions) {
    this.#options = options;
    const { resources, cluster } = options.remembered;
    this.#knownAddresses = new KnownAddresses(resources.virtualServices);
    this.#facts = cluster ?? noFacts;
    this.#labels = resources.namespaceLabels ?? new Map();
    this.#resources = this.#rememberedResources();
    this.#view = this.#compute();
    this.#told = this.#view;
    const { nodes, namespaces, serviceCidrs, apiServerSlices } = options.kinds;
    const ofFacts = new Set<unknown>([nodes, namespaces, serviceCidrs, apiServerSlices]);
    this.#subscriptions = [
      ...clusterKindList(options.kinds).map((kind) =>
        kind.store.subscribe((change) => this.#note(change, ofFacts.has(kind))),
      ),
      options.ownDirector.store.subscribe(() => this.#noteOwn()),
    ];
  }

  current(): DesiredView {
    if (!this.#isStale) return this.#view;
    this.#isStale = false;
    const view = this.#compute();
    if (!isSameView(this.#view, view)) this.#view = view;
    return this.#view;
  }

  /** Objects of a cluster have names and no places. */
  locate(): undefined {
    return undefined;
  }

  fileOf(): undefined {
    return undefined;
  }

  /** A cluster is watched, and what a list lacks is asked for again by the watch itself. */
  refresh(): void {}

  /** What we call the API server by; not known before the credentials were read. */
  setServerAddresses(addresses: readonly IpAddress[]): void {
    this.#serverAddresses = addresses;
    this.#areFactsStale = true;
    this.#touch();
  }

  /** The health of a kind changed. Trouble is told once it has lasted. */
  noteHealth(): void {
    this.#touch();
    this.#cancelPatience?.();
    this.#cancelPatience = this.#options.timers.after(patienceMs, () => this.#touch());
  }

  /** Resolves when every kind was read once, or after that time. */
  async whenComplete(timeoutMs: number): Promise<void> {
    if (this.current().isComplete) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        this.#waiters.delete(end);
        resolve();
      };
      const cancel = this.#options.timers.after(timeoutMs, end);
      this.#waiters.add(end);
    });
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#burst?.cancel();
    this.#cancelPatience?.();
  }

  #note(change: StoreChange<unknown>, isOfFacts: boolean): void {
    const isEcho = change.kind === 'changed' && change.before === change.after;
    // A node says every few minutes that it is well, which is of no interest here.
    if (isOfFacts && isEcho) return;
    if (change.kind === 'listed') {
      this.#lists++;
      this.#readAt = formatTime(this.#options.clock.wallMs());
    }
    this.#areFactsStale ||= isOfFacts;
    this.#areResourcesStale ||= !isEcho;
    this.#touch(isEcho ? echoMs : burstMs);
  }

  /** Most of what happens to it is our own status coming back. */
  #noteOwn(): void {
    const { cluster } = this.#view;
    if (cluster === undefined || !isEqualJson(cluster.ownDirector, this.#readOwn())) this.#touch();
  }

  /** Undefined: not read yet, or nothing that can be read. */
  #readOwn(): OwnDirector | undefined {
    const { store } = this.#options.ownDirector;
    if (store.state.kind !== 'synced') return undefined;
    const [stored] = store.values();
    return stored === undefined ? noOwnDirector : stored.own;
  }

  #touch(delayMs = burstMs): void {
    const { clock, timers } = this.#options;
    this.#isStale = true;
    const dueMs = clock.monotonicMs() + delayMs;
    if (this.#burst !== undefined && this.#burst.dueMs <= dueMs) return;
    this.#burst?.cancel();
    const cancel = timers.after(delayMs, () => {
      this.#burst = undefined;
      const view = this.current();
      if (view.isComplete) for (const end of this.#waiters) end();
      if (view === this.#told) return;
      this.#told = view;
      this.#options.onChange();
    });
    this.#burst = { dueMs, cancel };
  }

  #compute(): DesiredView {
    const { kinds, clock, description } = this.#options;
    const { virtualServices, realServers, realServerSlices, addressPools } = kinds;
    const goal = [virtualServices, realServers, realServerSlices, addressPools] as const;
    const isLive = goal.every(isSynced);
    if (this.#areFactsStale) this.#computeFacts();
    this.#resources = isLive ? this.#storedResources() : this.#resources;
    const health = this.#kindHealths();
    const isComplete = health.every(isRead);
    return {
      resources: this.#resources,
      problems: describeClusterProblems(goal),
      status: { description, listNumber: this.#lists, isComplete, readAt: this.#readAt },
      condition: judgeClusterHealth({
        kinds: health,
        nowMs: clock.monotonicMs(),
        wallMs: clock.wallMs(),
        patienceMs,
      }),
      listNumber: this.#lists,
      isComplete,
      isAbsenceConfirmed: true,
      cluster: {
        facts: this.#facts,
        versions: isLive
          ? {
              virtualServices: virtualServices.store.observedVersion,
              realServers: realServers.store.observedVersion,
              realServerSlices: realServerSlices.store.observedVersion,
              addressPools: addressPools.store.observedVersion,
            }
          : {},
        ownDirector: this.#readOwn(),
      },
    };
  }

  #rememberedResources(): Resources {
    const { resources } = this.#options.remembered;
    return {
      ...this.#effective.take(resources.virtualServices),
      realServers: resources.realServers,
      addressPools: resources.addressPools,
      realServerSlices: resources.realServerSlices ?? [],
      namespaceLabels: this.#labels,
    };
  }

  /** The same object, and the same lists in it, as long as they hold the same. */
  #storedResources(): Resources {
    const { kinds } = this.#options;
    const last = this.#resources;
    if (!this.#areResourcesStale) return last;
    this.#areResourcesStale = false;
    this.#stored = sameOr(this.#stored, this.#knownAddresses.take([...kinds.virtualServices.store.values()]));
    const resources: Resources = {
      ...this.#effective.take(this.#stored),
      realServers: sameOr<RealServerResource>(last.realServers, [...kinds.realServers.store.values()]),
      addressPools: sameOr<AddressPoolResource>(last.addressPools, [...kinds.addressPools.store.values()]),
      realServerSlices: sameOr(last.realServerSlices ?? [], [...kinds.realServerSlices.store.values()]),
      namespaceLabels: this.#labels,
    };
    const names = Object.keys(resources) as (keyof Resources)[];
    return names.every((name) => last[name] === resources[name]) ? last : resources;
  }

  /** Each kind counts from when it was read; before that, what was known of it stands. */
  #computeFacts(): void {
    this.#areFactsStale = false;
    const { nodes, serviceCidrs, apiServerSlices, namespaces } = this.#options.kinds;
    const known = this.#options.remembered.cluster ?? noFacts;
    const read = computeClusterFacts({
      nodes: nodes.store.values(),
      serviceCidrs: serviceCidrs.store.values(),
      apiServerSlices: apiServerSlices.store.values(),
      apiServerAddresses: this.#serverAddresses,
    });
    const facts: ClusterFacts = {
      nodeAddresses: isSynced(nodes) ? read.nodeAddresses : known.nodeAddresses,
      podCidrs: isSynced(nodes) ? read.podCidrs : known.podCidrs,
      serviceCidrs: isSynced(serviceCidrs) ? read.serviceCidrs : known.serviceCidrs,
      apiServerAddresses: isSynced(apiServerSlices)
        ? read.apiServerAddresses
        : [...new Set([...known.apiServerAddresses, ...read.apiServerAddresses])],
    };
    if (!isEqualJson(facts, this.#facts)) this.#facts = facts;
    if (!isSynced(namespaces)) return;
    const labels = new Map([...namespaces.store.values()].map(({ name, labels: of }) => [name, of]));
    if (!isEqualJson([...labels], [...this.#labels])) this.#labels = labels;
  }

  #kindHealths(): readonly KindHealth[] {
    const { kinds, ownDirector } = this.#options;
    return [...clusterKindList(kinds), ownDirector].map((kind) => ({
      type: kind.type,
      health: kind.health,
      isSynced: isSynced(kind),
    }));
  }
}

const noOwnDirector: OwnDirector = { generation: undefined, maintenance: undefined };

const noFacts: ClusterFacts = { nodeAddresses: [], podCidrs: [], serviceCidrs: [], apiServerAddresses: [] };

function isSynced({ store }: Pick<WatchedKind<unknown>, 'store'>): boolean {
  return store.state.kind === 'synced';
}

/** The list before, when it holds the same objects. */
function sameOr<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  return before.length === after.length && before.every((item, index) => item === after[index])
    ? before
    : after;
}

function isSameView(a: DesiredView, b: DesiredView): boolean {
  return (
    a.resources === b.resources &&
    a.cluster?.facts === b.cluster?.facts &&
    isEqualJson(a.cluster?.versions, b.cluster?.versions) &&
    isEqualJson(a.cluster?.ownDirector, b.cluster?.ownDirector) &&
    isEqualJson(a.condition, b.condition) &&
    isEqualJson(a.problems, b.problems) &&
    isEqualJson(a.status, b.status)
  );
}
