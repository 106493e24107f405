/**
 * A cluster in memory that a controller decides about step by step: what tests of decisions are written in. Every change
 * gets the next resource version, as from an API server; statuses are stored when the test says so.
 */
import { parseResource, readVirtualServiceStatus } from '../../src/api/index.ts';
import type { ResourceKind } from '../../src/api/index.ts';
import { directorLabel, parserOf } from '../../src/cluster/index.ts';
import type { NodeRecord, ResourceOf } from '../../src/cluster/index.ts';
import type { IpAddress } from '../../src/base/index.ts';
import { addressPoolStatus } from '../../src/controller/address-pool-status.ts';
import { SpecForms } from '../../src/controller/cluster-view.ts';
import type { ClusterView } from '../../src/controller/cluster-view.ts';
import { formatTime } from '../../src/controller/conditions.ts';
import { decide } from '../../src/controller/decide.ts';
import type { Decisions } from '../../src/controller/decide.ts';
import { liveDirectors } from '../../src/controller/live-directors.ts';
import { beginTerm } from '../../src/controller/term-memory.ts';
import type { TermMemory } from '../../src/controller/term-memory.ts';
import { virtualServiceStatus } from '../../src/controller/virtual-service-status.ts';
import type { StoreEntry } from '../../src/kube/index.ts';

type Kind = 'VirtualService' | 'RealServer' | 'RealServerSlice' | 'AddressPool' | 'Director';
type Raw = Readonly<Record<string, unknown>>;

interface StoredObject {
  readonly kind: Kind;
  readonly key: string;
  readonly uid: string;
  readonly generation: number;
  readonly version: number;
  readonly createdMs: number;
  readonly spec: Raw;
  readonly status: Raw | undefined;
}

export interface DirectorReport {
  /** Default: everything up to now. */
  readonly through?: number | undefined;
  readonly releasing?: readonly string[];
  readonly releasingCount?: number;
  readonly refused?: readonly {
    readonly object: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly vips?: number;
}

export class History {
  readonly #objects = new Map<string, StoredObject>();
  readonly #entries = new Map<string, StoreEntry<unknown>>();
  readonly #nodes = new Map<string, NodeRecord>();
  #namespaces = new Map<string, Readonly<Record<string, string>>>();
  #version = 1;
  #observed = 1;
  #uids = 0;
  #memory: TermMemory | undefined;
  #forms = this.#newForms();
  readonly #unreadableVips = new Map<IpAddress, string>();
  nowMs = Date.UTC(2026, 0, 1);

  #newForms() {
    return {
      virtualServices: new SpecForms<ResourceOf<'VirtualService'>>(),
      realServers: new SpecForms<ResourceOf<'RealServer'>>(),
      addressPools: new SpecForms<ResourceOf<'AddressPool'>>(),
    };
  }

  get version(): number {
    return this.#version;
  }

  put(kind: Kind, key: string, spec: Raw): void {
    const id = `${kind} ${key}`;
    const last = this.#objects.get(id);
    this.#store({
      kind,
      key,
      uid: last?.uid ?? `uid-${++this.#uids}`,
      generation: (last?.generation ?? 0) + 1,
      version: 0,
      createdMs: last?.createdMs ?? this.nowMs,
      spec,
      status: last?.status,
    });
  }

  setStatus(kind: Kind, key: string, status: Raw): void {
    const object = this.#objects.get(`${kind} ${key}`);
    if (object === undefined) throw new Error(`there is no ${kind} ${key}`);
    this.#store({ ...object, status: JSON.parse(JSON.stringify(status)) as Raw });
  }

  /** A new version of a VirtualService that no parser takes, for a process that never saw another. */
  makeUnreadable(name: string, namespace = 'shop'): void {
    const key = `${namespace}/${name}`;
    for (const ip of this.vips(name, namespace)) this.#unreadableVips.set(ip as IpAddress, key);
    this.#entries.delete(`VirtualService ${key}`);
    this.#observed = ++this.#version;
  }

  makeReadable(name: string, spec: Raw, namespace = 'shop'): void {
    this.#unreadableVips.clear();
    this.service(name, spec, namespace);
  }

  remove(kind: Kind, key: string): void {
    this.#version++;
    if (kind === 'VirtualService') this.#observed = this.#version;
    this.#objects.delete(`${kind} ${key}`);
    this.#entries.delete(`${kind} ${key}`);
  }

  pool(name: string, addresses: readonly string[], more: Raw = { namespaces: ['*'], default: true }): void {
    this.put('AddressPool', name, { addresses, realServerCIDRs: ['10.9.0.0/16'], ...more });
  }

  /** With one port 80 unless the spec says otherwise. */
  service(name: string, spec: Raw = {}, namespace = 'shop'): void {
    this.put('VirtualService', `${namespace}/${name}`, { ports: [{ port: 80 }], ...spec });
  }

  /** A RealServer with a slice of pods that serve, and some that drain. */
  realServer(name: string, service: string, serving: number, draining = 0, namespace = 'shop'): void {
    const id = `${namespace}/${name}`;
    if (!this.#objects.has(`RealServer ${id}`))
      this.put('RealServer', id, {
        virtualServiceRef: { name: service },
        podSelector: { matchLabels: { app: name } },
      });
    const endpoints = Array.from({ length: serving + draining }, (_, i) => ({
      address: `10.8.0.${i + 1}`,
      phase: i < serving ? 'Serving' : 'Draining',
      podUID: `pod-${i}`,
    }));
    this.put('RealServerSlice', `${id}-1`, {
      virtualServiceName: service,
      realServerName: name,
      ports: [],
      endpoints,
    });
  }

  /** A director on a node that is ready, and what it reports. */
  director(name: string, report: DirectorReport = {}): void {
    if (!this.#nodes.has(name)) this.node(name);
    if (!this.#objects.has(`Director ${name}`)) this.put('Director', name, {});
    const through = String(report.through ?? this.#version);
    const { releasing = [], refused = [] } = report;
    this.setStatus('Director', name, {
      nodeName: name,
      programmedThrough: {
        virtualServices: through,
        realServers: through,
        realServerSlices: through,
        addressPools: through,
      },
      releasing,
      refused,
      counts: {
        virtualServices: 0,
        services: 0,
        realServers: 0,
        vips: report.vips ?? 1,
        releasing: report.releasingCount ?? releasing.length,
        drains: 0,
        refused: refused.length,
      },
    });
  }

  node(name: string, isReady = true): void {
    this.#nodes.set(name, {
      name,
      uid: `node-${name}`,
      addresses: [],
      internalAddress: undefined,
      podCidrs: [],
      isReady,
      isUnschedulable: false,
      isDraining: false,
      labels: { [directorLabel]: '' },
    });
  }

  removeNode(name: string): void {
    this.#nodes.delete(name);
  }

  namespaceLabels(namespace: string, labels: Readonly<Record<string, string>>): void {
    this.#namespaces = new Map(this.#namespaces).set(namespace, labels);
  }

  /** Another process leads: it knows what is stored, and nothing else. */
  failOver(): void {
    this.#memory = undefined;
    this.#forms = this.#newForms();
  }

  /** Decides once and stores nothing. */
  decide(): Decisions {
    const view = this.#view();
    const decisions = decide(view, this.#memory ?? beginTerm(view, this.nowMs), this.nowMs);
    this.#memory = decisions.memory;
    return decisions;
  }

  /** Stores the statuses of a decision: of all objects, or of some. @returns how many were not so before. */
  write(decisions: Decisions, isWritten: (id: string) => boolean = () => true): number {
    let writes = 0;
    const now = formatTime(this.nowMs);
    // As the shell does it: an address is in quarantine before a status drops it.
    for (const [name, decision] of decisions.addressPools) {
      const stored = parserOf('AddressPool')(this.#raw('AddressPool', name)).status;
      const conditions = (stored?.['conditions'] ?? []) as never;
      if (isWritten(`AddressPool ${name}`))
        writes += this.#writeStatus('AddressPool', name, addressPoolStatus(decision, { conditions }, now));
    }
    for (const [key, decision] of decisions.virtualServices) {
      const stored = readVirtualServiceStatus(parserOf('VirtualService')(this.#raw('VirtualService', key)));
      if (isWritten(`VirtualService ${key}`))
        writes += this.#writeStatus('VirtualService', key, virtualServiceStatus(decision, stored, now));
    }
    return writes;
  }

  /** Decides and writes until nothing changes any more, with every director following at once. */
  settle({ directors = [] }: { readonly directors?: readonly string[] } = {}): Decisions {
    for (let round = 0; round < 20; round++) {
      for (const name of directors) this.director(name);
      const decisions = this.decide();
      const writes = this.write(decisions);
      if (writes === 0 && decisions.wakeAtMs !== this.nowMs) return this.decide();
    }
    throw new Error('does not settle');
  }

  /** The status as it is stored. */
  status(name: string, namespace = 'shop') {
    return readVirtualServiceStatus(
      parserOf('VirtualService')(this.#raw('VirtualService', `${namespace}/${name}`)),
    );
  }

  poolStatus(name: string): Raw {
    return this.#objects.get(`AddressPool ${name}`)?.status ?? {};
  }

  /** `True Ready`, by type; what is not there is undefined. */
  condition(name: string, type: string, namespace = 'shop'): string | undefined {
    const found = this.status(name, namespace).conditions.find((condition) => condition.type === type);
    return found && `${found.status} ${found.reason}`;
  }

  vips(name: string, namespace = 'shop'): readonly string[] {
    return this.status(name, namespace).addresses.map(({ ip }) => ip);
  }

  #writeStatus(kind: Kind, key: string, status: object): number {
    const plain = JSON.parse(JSON.stringify(status)) as Raw;
    if (JSON.stringify(this.#objects.get(`${kind} ${key}`)?.status) === JSON.stringify(plain)) return 0;
    this.setStatus(kind, key, plain);
    return 1;
  }

  #store(object: StoredObject): void {
    const id = `${object.kind} ${object.key}`;
    const stored = { ...object, version: ++this.#version };
    if (object.kind === 'VirtualService') this.#observed = this.#version;
    this.#objects.set(id, stored);
    const raw = this.#raw(object.kind, object.key);
    const parsed = parseResource(raw);
    if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '));
    this.#entries.set(id, {
      key: object.key,
      uid: object.uid,
      resourceVersion: String(this.#version),
      object: parsed.resource,
    });
  }

  #raw(kind: Kind, key: string) {
    const object = this.#objects.get(`${kind} ${key}`);
    if (object === undefined) throw new Error(`there is no ${kind} ${key}`);
    const [namespace, name] = key.includes('/') ? key.split('/') : [undefined, key];
    return {
      apiVersion: 'networking.lvs-operator.io/v1alpha1',
      kind,
      metadata: {
        name: name ?? '',
        ...(namespace === undefined ? {} : { namespace }),
        uid: object.uid,
        generation: object.generation,
        creationTimestamp: formatTime(object.createdMs),
      },
      spec: object.spec,
      ...(object.status === undefined ? {} : { status: object.status }),
    };
  }

  #of<K extends Kind & ResourceKind>(kind: K): StoreEntry<ResourceOf<K>>[] {
    return [...this.#entries]
      .filter(([id]) => id.startsWith(`${kind} `))
      .map(([, entry]) => entry as StoreEntry<ResourceOf<K>>);
  }

  #view(): ClusterView {
    return {
      virtualServices: this.#forms.virtualServices.take(this.#of('VirtualService')),
      realServers: this.#forms.realServers.take(this.#of('RealServer')),
      addressPools: this.#forms.addressPools.take(this.#of('AddressPool')),
      realServerSlices: this.#of('RealServerSlice'),
      directors: liveDirectors(
        this.#of('Director').map(({ object }) => object),
        this.#nodes,
      ),
      namespaceLabels: this.#namespaces,
      facts,
      version: String(this.#observed),
      unreadableVips: this.#unreadableVips,
    };
  }
}

const facts: ClusterView['facts'] = {
  ownAddresses: [],
  uplinks: [],
  unavailableSchedulers: [],
  reservedCidrs: [],
};
