/** The endpoint half of the controller on an API server: stores that follow it, the reconciler, and a queue or none. */
import { after } from 'node:test';
import type { RealServerStatus } from '../../src/api/index.ts';
import {
  endpointSliceIndexes,
  endpointSliceType,
  livePods,
  parseEndpointSlice,
  nodeType,
  parseNode,
  parserOf,
  podIndexes,
  podParser,
  podType,
  realServerSliceType,
  realServerType,
  virtualServiceType,
  watchKind,
} from '../../src/cluster/index.ts';
import { realServerIndexes, realServerSliceIndexes } from '../../src/controller/indexes.ts';
import { RealServerReconciler } from '../../src/controller/real-server-reconciler.ts';
import type { EndpointPolicy } from '../../src/controller/endpoint-policy.ts';
import type { EndpointStores } from '../../src/controller/indexes.ts';
import { KubeClient, StatusWriter, systemTimers, WorkQueue } from '../../src/kube/index.ts';
import type { KubeObject, KubeTransport, ResourceType, WorkResult } from '../../src/kube/index.ts';
import type { Refusal } from '../../src/plan/index.ts';
import type { Environment } from '../apiserver/environment.ts';
import { ask, crdBase } from '../apiserver/client.ts';
import { RecordingLogger } from '../kube/objects.ts';

const time = {
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  timers: systemTimers,
  random: () => 0,
};

export interface RigOptions {
  readonly policy?: EndpointPolicy;
  readonly refusalsOf?: (key: string) => readonly Refusal[];
  /** Goes before every write, and may throw instead. */
  readonly beforeWrite?: (number: number) => void;
  /** Goes after every write that was done, and may throw instead of telling that. */
  readonly afterWrite?: (number: number) => void;
}

export interface Rig {
  readonly stores: EndpointStores;
  readonly reconciler: RealServerReconciler;
  readonly logger: RecordingLogger;
  /** Works on one key, and fails where it fails. */
  reconcile(key: string): Promise<WorkResult>;
  /** Follows the stores from now on, as the controller does. */
  start(): void;
  /** Work that failed in the queue. */
  readonly failures: readonly string[];
  /** Resolves when the queue has nothing to do that is due. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const allowAll: EndpointPolicy = { judge: () => undefined };

export async function openRig(
  environment: Environment,
  namespace: string,
  options: RigOptions = {},
): Promise<Rig> {
  const { policy = allowAll, refusalsOf = () => [] } = options;
  const reader = environment.connect();
  const client = new KubeClient(countingTransport(environment.connect().transport, options));
  const logger = new RecordingLogger();
  const connection = { client: reader, ...time };
  const kinds = {
    pods: watchKind({
      connection,
      type: podType,
      parse: podParser(),
      indexes: podIndexes,
      logger,
      namespace,
      ...livePods,
    }),
    endpointSlices: watchKind({
      connection,
      type: endpointSliceType,
      parse: parseEndpointSlice,
      indexes: endpointSliceIndexes,
      logger,
      namespace,
    }),
    realServers: watchKind({
      connection,
      type: realServerType,
      parse: parserOf('RealServer'),
      indexes: realServerIndexes,
      logger,
      namespace,
    }),
    realServerSlices: watchKind({
      connection,
      type: realServerSliceType,
      parse: parserOf('RealServerSlice'),
      indexes: realServerSliceIndexes,
      logger,
      namespace,
    }),
    nodes: watchKind({ connection, type: nodeType, parse: parseNode, logger }),
    virtualServices: watchKind({
      connection,
      type: virtualServiceType,
      parse: parserOf('VirtualService'),
      logger,
      namespace,
    }),
  };
  const stores: EndpointStores = {
    pods: kinds.pods.store,
    endpointSlices: kinds.endpointSlices.store,
    realServers: kinds.realServers.store,
    realServerSlices: kinds.realServerSlices.store,
    virtualServices: kinds.virtualServices.store,
    nodes: kinds.nodes.store,
  };
  const all = Object.values(kinds);
  for (const kind of all) kind.start();
  await Promise.all(Object.values(stores).map((store) => store.whenSynced()));

  const relist = async (): Promise<void> => {
    await Promise.all(
      [kinds.pods, kinds.endpointSlices].map(async (kind) => {
        await kind.stop();
        const listed = new Promise<void>((resolve) => {
          const end = kind.store.subscribe((change) => {
            if (change.kind !== 'listed') return;
            end();
            resolve();
          });
        });
        kind.start();
        await listed;
      }),
    );
  };
  const reconciler = new RealServerReconciler({
    stores,
    client,
    statusWriter: new StatusWriter({ client, fieldManager: 'lvs-controller', ...time }),
    fieldManager: 'lvs-controller',
    clock: time.clock,
    timers: time.timers,
    logger,
    policy: () => policy,
    refusalsOf,
    relist,
  });
  const failures: string[] = [];
  const queue = new WorkQueue({
    work: (key, signal) => reconciler.reconcile(key, signal),
    ...time,
    onFailure: (key, error) => failures.push(`${key}: ${String(error)}`),
  });
  const life = new AbortController();
  let endFollowing = (): void => {};
  const stop = async (): Promise<void> => {
    endFollowing();
    life.abort();
    await queue.stop();
    await Promise.all(all.map((kind) => kind.stop()));
  };
  after(stop);
  return {
    stores,
    reconciler,
    logger,
    failures,
    reconcile: (key) => reconciler.reconcile(key, life.signal),
    start: () => {
      reconciler.begin(life.signal);
      endFollowing = reconciler.follow((key) => queue.add(key));
      queue.start();
    },
    idle: async () => {
      while (queue.running > 0 || queue.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    stop,
  };
}

/** Passes on what is asked, and tells of every write. */
function countingTransport(
  transport: KubeTransport,
  { beforeWrite = () => {}, afterWrite = () => {} }: RigOptions,
): KubeTransport {
  let writes = 0;
  return {
    request: async (request) => {
      if (request.method === 'GET') return transport.request(request);
      const number = ++writes;
      beforeWrite(number);
      const answer = await transport.request(request);
      afterWrite(number);
      return answer;
    },
    stream: (request) => transport.stream(request),
    close: () => transport.close(),
  };
}

const ours = 'networking.lvs-operator.io/v1alpha1';

/** A namespace and what a person, kubelet and kube-controller-manager would do in it. */
export class Shop {
  readonly namespace: string;
  readonly #environment: Environment;
  readonly #client: KubeClient;

  constructor(environment: Environment, namespace: string) {
    this.#environment = environment;
    this.namespace = namespace;
    this.#client = environment.connect();
  }

  async virtualService(spec: object = {}, name = 'web'): Promise<void> {
    await this.#apply(virtualServiceType, {
      apiVersion: ours,
      kind: 'VirtualService',
      metadata: { name, namespace: this.namespace },
      spec: { addresses: [{ ip: '192.0.2.10' }], ports: [{ port: 80 }], ...spec },
    });
  }

  async realServer(spec: object, name = 'pods'): Promise<void> {
    await this.#apply(realServerType, {
      apiVersion: ours,
      kind: 'RealServer',
      metadata: { name, namespace: this.namespace },
      spec: { virtualServiceRef: { name: 'web' }, ...spec },
    });
  }

  async pod(
    name: string,
    ip: string,
    options: { isReady?: boolean; finalizers?: string[] } = {},
  ): Promise<string> {
    const { isReady = true, finalizers = [] } = options;
    const made = await this.#client.create(podType, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: this.namespace, labels: { app: 'web' }, finalizers },
      spec: { nodeName: 'node-1', containers: [{ name: 'web', image: 'web' }] },
    });
    await this.podStatus(name, ip, isReady);
    return made.metadata.uid ?? '';
  }

  async podStatus(name: string, ip: string, isReady: boolean): Promise<void> {
    await this.#ask('PATCH', `/api/v1/namespaces/${this.namespace}/pods/${name}/status`, {
      status: {
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      },
    });
  }

  /** Marks it as ending; a finalizer of the pod keeps it there. */
  async endPod(name: string): Promise<void> {
    await this.#ask('DELETE', `/api/v1/namespaces/${this.namespace}/pods/${name}`);
  }

  /** Takes it away at once. */
  async removePod(name: string): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/pods/${name}`;
    await this.#ask('PATCH', path, { metadata: { finalizers: null } });
    await this.#ask('DELETE', path, { gracePeriodSeconds: 0 });
  }

  async endpointSlice(name: string, endpoints: readonly object[]): Promise<void> {
    await this.#apply(endpointSliceType, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace: this.namespace, labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
      endpoints,
    });
  }

  async delete(kind: 'realservers' | 'realserverslices' | 'virtualservices', name: string): Promise<void> {
    await this.#ask('DELETE', `${crdBase}/namespaces/${this.namespace}/${kind}/${name}`);
  }

  async patchSlice(name: string, patch: object): Promise<void> {
    await this.#ask('PATCH', `${crdBase}/namespaces/${this.namespace}/realserverslices/${name}`, patch);
  }

  async slices(): Promise<readonly StoredSlice[]> {
    const { body } = await ask(
      this.#environment,
      'GET',
      `${crdBase}/namespaces/${this.namespace}/realserverslices`,
    );
    return body.items as unknown as readonly StoredSlice[];
  }

  /** `10.0.0.1 Serving`, sorted, of all slices. */
  async endpoints(): Promise<readonly string[]> {
    const slices = await this.slices();
    return slices
      .flatMap(({ spec }) => spec.endpoints.map(({ address, phase }) => `${address} ${phase}`))
      .toSorted();
  }

  /** `Ready=True Serving` by type. */
  async conditions(name = 'pods'): Promise<Readonly<Record<string, string>>> {
    const { status } = await this.status(name);
    return Object.fromEntries(
      (status?.conditions ?? []).map(({ type, status: holds, reason }) => [type, `${holds} ${reason}`]),
    );
  }

  async status(name = 'pods'): Promise<{ readonly status?: RealServerStatus }> {
    const path = `${crdBase}/namespaces/${this.namespace}/realservers/${name}`;
    return (await ask(this.#environment, 'GET', path)).body as { readonly status?: RealServerStatus };
  }

  async #apply(type: ResourceType, object: KubeObject): Promise<void> {
    await this.#client.apply(type, object, { fieldManager: 'suite' });
  }

  async #ask(method: string, path: string, body?: object): Promise<void> {
    const { status, body: answer } = await ask(
      this.#environment,
      method,
      path,
      body,
      method === 'PATCH' ? 'merge' : 'plain',
    );
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${answer.message}`);
  }
}

export interface StoredSlice {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly object[];
  };
  readonly spec: {
    readonly virtualServiceName: string;
    readonly realServerName: string;
    readonly ports: readonly object[];
    readonly endpoints: readonly {
      readonly address: string;
      readonly phase: string;
      readonly deadline?: string;
      readonly podUID?: string;
      readonly nodeName?: string;
    }[];
  };
}
