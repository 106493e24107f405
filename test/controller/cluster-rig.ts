/**
 * A controller in the process of a test, against any API server, and the hands that a cluster has beside it: people who
 * write objects, kubelets that report nodes and pods, directors that report what they program.
 */
import { apiVersion } from '../../src/api/index.ts';
import {
  addressPoolType,
  connectCluster,
  directorLabel,
  directorType,
  nodeType,
  podType,
  realServerSliceType,
  realServerType,
  virtualServiceType,
} from '../../src/cluster/index.ts';
import type { ClusterConnection } from '../../src/cluster/index.ts';
import { runController } from '../../src/controller/index.ts';
import type { Controller, ControllerMetrics } from '../../src/controller/index.ts';
import { isKubeError, systemTimers } from '../../src/kube/index.ts';
import type { KubeClient, KubeObject, KubeRequest, ResourceType } from '../../src/kube/index.ts';
import type { PrometheusOptions } from '../../src/load/index.ts';
import { until } from '../apiserver/environment.ts';
import type { Environment } from '../apiserver/environment.ts';
import { RecordingLogger } from '../kube/objects.ts';

export type Raw = Readonly<Record<string, unknown>>;

const eventType: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  isNamespaced: true,
};

const realTime = {
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  timers: systemTimers,
};

/** Short, so that a test sees a takeover; the proportions are those of the defaults. */
export const quickLease = { durationMs: 1500, renewDeadlineMs: 1000, retryPeriodMs: 200 };

/** Of a director that has only just begun. */
const noCounts = {
  virtualServices: 0,
  services: 0,
  realServers: 0,
  vips: 0,
  releasing: 0,
  drains: 0,
  refused: 0,
};

export interface RunningController {
  readonly controller: Controller;
  readonly logger: RecordingLogger;
  /** Its own connection ends: as good as a process that is killed. */
  kill(): Promise<void>;
  /** As SIGTERM does it. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly identity?: string;
  /** Sees every write before it is sent; what it throws is what the controller gets. */
  readonly onWrite?: (request: KubeRequest) => void | Promise<void>;
  /** Sees every request. */
  readonly onRequest?: (request: KubeRequest) => void | Promise<void>;
  readonly time?: Pick<ClusterConnection, 'clock' | 'timers'>;
  /** Whose rights it has. @default an administrator's */
  readonly kubeconfigFile?: string;
  /** Where queries of weight policies go. */
  readonly prometheus?: PrometheusOptions;
  readonly metrics?: ControllerMetrics;
  /** @default one that sees a takeover within seconds */
  readonly lease?: typeof quickLease;
  /** Where its lease is. @default the namespace of the suite */
  readonly leaseNamespace?: string;
}

export class ClusterRig {
  readonly environment: Environment;
  readonly client: KubeClient;
  readonly namespace: string;
  readonly #running = new Set<RunningController>();
  #identities = 0;

  constructor(environment: Environment) {
    this.environment = environment;
    this.client = environment.connect();
    this.namespace = environment.namespace;
  }

  async start(options: StartOptions = {}): Promise<RunningController> {
    const { identity, onWrite, onRequest, time = realTime } = options;
    const logger = new RecordingLogger();
    const opened = connectCluster({
      kubeconfig: { file: options.kubeconfigFile ?? this.environment.kubeconfigFile },
      userAgent: 'lvs-controller/test',
      random: Math.random,
      ...time,
    });
    const { transport } = opened.client;
    const send = transport.request.bind(transport);
    transport.request = async (request) => {
      await onRequest?.(request);
      if (request.method !== 'GET' && !request.path.includes('/leases')) await onWrite?.(request);
      return send(request);
    };
    const controller = await runController({
      connection: opened,
      logger,
      namespace: options.leaseNamespace ?? this.namespace,
      identity: identity ?? `controller-${++this.#identities}`,
      lease: options.lease ?? quickLease,
      prometheus: options.prometheus,
      metrics: options.metrics,
    });
    let isOver = false;
    const end = async (isKilled: boolean): Promise<void> => {
      if (isOver) return;
      isOver = true;
      this.#running.delete(running);
      // Nothing gets out any more, not even the release of the lease.
      if (isKilled) transport.request = async () => Promise.reject(new Error('killed'));
      if (isKilled) await opened.close();
      await controller.stop();
      await opened.close();
    };
    const running: RunningController = {
      controller,
      logger,
      kill: () => end(true),
      stop: () => end(false),
    };
    this.#running.add(running);
    return running;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.stop()));
  }

  stopLeader(): Promise<void> {
    return this.#leader.stop();
  }

  killLeader(): Promise<void> {
    return this.#leader.kill();
  }

  async restart(options: StartOptions = {}): Promise<RunningController> {
    await this.close();
    return this.start(options);
  }

  get #leader(): RunningController {
    const leader = [...this.#running].find(({ controller }) => controller.isLeading);
    if (leader === undefined) throw new Error('nobody leads');
    return leader;
  }

  // ---- people -----------------------------------------------------------------------------------------------------

  pool(name: string, spec: Raw): Promise<KubeObject> {
    return this.put(addressPoolType, this.environment.clusterName(name), {
      namespaces: [this.namespace],
      ...spec,
    });
  }

  virtualService(name: string, spec: Raw = {}): Promise<KubeObject> {
    return this.put(virtualServiceType, name, { ports: [{ port: 80 }], ...spec });
  }

  realServer(name: string, virtualService: string, spec: Raw = {}): Promise<KubeObject> {
    return this.put(realServerType, name, {
      virtualServiceRef: { name: virtualService },
      podSelector: { matchLabels: { app: name } },
      ...spec,
    });
  }

  /** Makes it, or gives it another spec. */
  async put(type: ResourceType, name: string, spec: Raw): Promise<KubeObject> {
    const object = {
      apiVersion: `${type.group}/${type.version}`,
      kind: type.kind,
      metadata: { name, ...this.#inNamespace(type) },
      spec,
    };
    return this.client.apply(type, object, { fieldManager: 'people' });
  }

  async remove(type: ResourceType, name: string): Promise<void> {
    const object = await this.get(type, name);
    if (object !== undefined) await this.client.delete(type, object.metadata, String(object.metadata.uid));
  }

  // ---- kubelets ---------------------------------------------------------------------------------------------------

  async node(name: string, isReady = true): Promise<void> {
    const full = this.environment.clusterName(name);
    if ((await this.get(nodeType, full)) === undefined)
      await this.client.create(nodeType, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: full, labels: { [directorLabel]: '' } },
      });
    await this.client.mergePatch(
      nodeType,
      { name: full },
      { status: { conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] } },
      { subresource: 'status' },
    );
  }

  async pod(name: string, ip: string, labels: Readonly<Record<string, string>>): Promise<KubeObject> {
    const { namespace } = this;
    const pod = await this.client.create(podType, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels },
      spec: { containers: [{ name: 'main', image: 'example.org/main' }] },
    });
    return this.client.mergePatch(
      podType,
      pod.metadata,
      {
        status: {
          phase: 'Running',
          podIP: ip,
          podIPs: [{ ip }],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      },
      { subresource: 'status' },
    );
  }

  // ---- directors --------------------------------------------------------------------------------------------------

  /** A director that has taken in everything there is by now, and holds no address that nobody claims. */
  async director(name: string, report: Raw = {}): Promise<void> {
    await this.node(name);
    const full = this.environment.clusterName(name);
    if ((await this.get(directorType, full)) === undefined) await this.put(directorType, full, {});
    const through = await this.newestVersion();
    const metadata = { name: full };
    await this.client.mergePatch(
      directorType,
      metadata,
      {
        status: {
          nodeName: full,
          programmedThrough: {
            virtualServices: through,
            realServers: through,
            realServerSlices: through,
            addressPools: through,
          },
          releasing: [],
          refused: [],
          counts: noCounts,
          ...report,
        },
      },
      { subresource: 'status' },
    );
  }

  /** A version that is newer than everything that was written before. */
  async newestVersion(): Promise<string> {
    return (await this.client.listPage(virtualServiceType, {}, { limit: 1 })).resourceVersion;
  }

  // ---- what became of it ------------------------------------------------------------------------------------------

  async get(type: ResourceType, name: string): Promise<KubeObject | undefined> {
    try {
      return await this.client.get(type, { name, ...this.#inNamespace(type) });
    } catch (error) {
      if (isKubeError(error, 'LVS_KUBE_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async status(name: string, type: ResourceType = virtualServiceType): Promise<VirtualServiceView> {
    const status = ((await this.get(type, name))?.['status'] ?? {}) as Partial<VirtualServiceView>;
    return { ...status, addresses: status.addresses ?? [], conditions: status.conditions ?? [] };
  }

  async poolStatus(name: string): Promise<Raw> {
    const pool = await this.get(addressPoolType, this.environment.clusterName(name));
    return (pool?.['status'] ?? {}) as Raw;
  }

  /** What a tenant can do who may write statuses. */
  async patchStatus(name: string, status: Raw): Promise<void> {
    const subject = { name, namespace: this.namespace };
    await this.client.mergePatch(virtualServiceType, subject, { status }, { subresource: 'status' });
  }

  /** The same as a manager of fields of his own. */
  async applyStatus(name: string, fieldManager: string, status: Raw): Promise<void> {
    const object = {
      apiVersion,
      kind: virtualServiceType.kind,
      metadata: { name, namespace: this.namespace },
      status,
    };
    await this.client.apply(virtualServiceType, object, { fieldManager, subresource: 'status' });
  }

  /** Reasons of the events about a VirtualService, sorted; one that came several times stands here as often. */
  async events(name: string): Promise<readonly string[]> {
    const { items } = await this.client.listPage(eventType, { namespace: this.namespace }, {});
    const events = items as { readonly regarding: { name: string; kind: string }; readonly reason: string }[];
    return events
      .filter(({ regarding }) => regarding.kind === 'VirtualService' && regarding.name === name)
      .map(({ reason }) => reason)
      .toSorted();
  }

  /** Versions of everything that the controller writes but for its lease. */
  async versions(): Promise<readonly string[]> {
    const kinds = [virtualServiceType, realServerType, realServerSliceType, addressPoolType, eventType];
    const lists = await Promise.all(
      kinds.map((type) =>
        this.client.listPage(type, type.isNamespaced ? { namespace: this.namespace } : {}, {}),
      ),
    );
    return lists
      .flatMap(({ items }) => items as KubeObject[])
      .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
  }

  /** Waits until nothing has been written for a while. */
  async settled(quietMs = 600): Promise<void> {
    let last = '';
    let sinceMs = performance.now();
    await until('it settles', async () => {
      const now = (await this.versions()).join();
      if (now !== last) sinceMs = performance.now();
      last = now;
      return performance.now() - sinceMs > quietMs;
    });
  }

  async vips(name: string): Promise<readonly string[]> {
    return (await this.status(name)).addresses.map(({ ip }) => ip);
  }

  /** `True Ready`; undefined where there is no such condition. */
  async condition(name: string, type: string): Promise<string | undefined> {
    const found = (await this.status(name)).conditions.find((condition) => condition.type === type);
    return found && `${found.status} ${found.reason}`;
  }

  /** Waits for a condition of a VirtualService. */
  async waitFor(name: string, type: string, wanted: string | undefined): Promise<void> {
    let seen: string | undefined;
    try {
      await until(`${name} is ${type}=${wanted}`, async () => {
        seen = await this.condition(name, type);
        return seen === wanted;
      });
    } catch (error) {
      throw new Error(`${name}: ${type} is ${seen} and not ${wanted}`, { cause: error });
    }
  }

  /** Addresses of the endpoints in the slices of a RealServer, sorted. */
  async endpoints(realServer: string): Promise<readonly string[]> {
    const { items } = await this.client.listPage(realServerSliceType, { namespace: this.namespace }, {});
    const slices = items as { readonly spec: { realServerName: string; endpoints: { address: string }[] } }[];
    return slices
      .filter(({ spec }) => spec.realServerName === realServer)
      .flatMap(({ spec }) => spec.endpoints.map(({ address }) => address))
      .toSorted();
  }

  #inNamespace({ isNamespaced }: ResourceType): { readonly namespace?: string } {
    return isNamespaced ? { namespace: this.namespace } : {};
  }
}

export interface VirtualServiceView {
  readonly observedGeneration?: number;
  readonly addresses: readonly { readonly ip: string }[];
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
    readonly lastTransitionTime: string;
  }[];
  readonly [field: string]: unknown;
}
