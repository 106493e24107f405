/** Objects of a cluster as a test writes them, the parts of people and of the controller alike. */
import {
  addressPoolType,
  nodeType,
  podType,
  realServerSliceType,
  realServerType,
  virtualServiceType,
} from '../../src/cluster/index.ts';
import type { KubeClient, KubeObject, ResourceType } from '../../src/kube/index.ts';

type Body = Readonly<Record<string, unknown>>;

export interface TestEndpoint {
  readonly address: string;
  /** @default Serving */
  readonly phase?: 'Serving' | 'Draining';
  readonly deadline?: string;
  readonly weight?: number;
}

export class ClusterObjects {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace = 'default') {
    this.#client = client;
    this.#namespace = namespace;
  }

  create(type: ResourceType, name: string, body: Body): Promise<KubeObject> {
    return this.#client.create(type, {
      apiVersion: type.group === '' ? type.version : `${type.group}/${type.version}`,
      kind: type.kind,
      metadata: this.#placeOf(type, name),
      ...body,
    });
  }

  get(type: ResourceType, name: string): Promise<KubeObject> {
    return this.#client.get(type, this.#placeOf(type, name));
  }

  /** A merge patch of the object, or of its status. */
  async patch(type: ResourceType, name: string, patch: unknown, subresource?: 'status'): Promise<void> {
    const space = type.isNamespaced ? `/namespaces/${this.#namespace}` : '';
    const base = type.group === '' ? '/api/v1' : `/apis/${type.group}/${type.version}`;
    await this.#client.transport.request({
      method: 'PATCH',
      path: `${base}${space}/${type.plural}/${name}${subresource === undefined ? '' : '/status'}`,
      body: patch,
      contentType: 'application/merge-patch+json',
    });
  }

  async remove(type: ResourceType, name: string): Promise<void> {
    const { metadata } = await this.get(type, name);
    await this.#client.delete(type, this.#placeOf(type, name), metadata.uid ?? '');
  }

  /** A pod that runs on a node and is ready. @param limits quantities by resource */
  async createPod(
    name: string,
    address: string,
    labels: Readonly<Record<string, string>>,
    limits: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.create(podType, name, {
      metadata: { ...this.#placeOf(podType, name), labels },
      spec: { nodeName: 'worker', containers: [{ name: 'web', image: 'web', resources: { limits } }] },
    });
    const conditions = [{ type: 'Ready', status: 'True' }];
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions };
    await this.patch(podType, name, { status }, 'status');
  }

  /** The kubelet is told to end the pod, and has so many seconds for it. */
  terminatePod(name: string, graceSeconds: number): Promise<void> {
    return this.#deletePod(name, graceSeconds);
  }

  /** The kubelet says that the pod has ended. */
  endPod(name: string): Promise<void> {
    return this.#deletePod(name, 0);
  }

  async #deletePod(name: string, gracePeriodSeconds: number): Promise<void> {
    await this.#client.transport.request({
      method: 'DELETE',
      path: `/api/v1/namespaces/${this.#namespace}/pods/${name}`,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds },
    });
  }

  async createPool(spec: Body = { addresses: ['192.0.2.0/24'], namespaces: ['*'] }): Promise<void> {
    await this.create(addressPoolType, 'all', { spec });
  }

  async createNode(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.create(nodeType, name, { metadata: { name, labels }, spec: {} });
  }

  /** What the controller writes of a VirtualService: the accepted addresses and ports. */
  accept(name: string, vip: string, ports: readonly Body[] = [{ port: 80, protocol: 'TCP' }]): Promise<void> {
    const addresses = [{ ip: vip, pool: 'all', since: '2026-01-01T00:00:00Z' }];
    return this.patch(virtualServiceType, name, { status: { addresses, ports } }, 'status');
  }

  /** A VirtualService with its address, a RealServer of pods and a slice of these endpoints. */
  async createService(
    name: string,
    vip: string,
    endpoints: readonly TestEndpoint[],
    spec: Body = {},
  ): Promise<void> {
    await this.create(virtualServiceType, name, { spec: { ports: [{ port: 80 }], ...spec } });
    await this.accept(name, vip);
    await this.create(realServerType, name, {
      spec: { virtualServiceRef: { name }, podSelector: { matchLabels: { app: name } } },
    });
    await this.create(realServerSliceType, `${name}-1`, {
      spec: { virtualServiceName: name, realServerName: name, endpoints: endpoints.map(podEndpoint) },
    });
  }

  async setEndpoints(name: string, endpoints: readonly TestEndpoint[]): Promise<void> {
    await this.patch(realServerSliceType, `${name}-1`, { spec: { endpoints: endpoints.map(podEndpoint) } });
  }

  #placeOf(type: ResourceType, name: string): { name: string; namespace?: string } {
    return type.isNamespaced ? { name, namespace: this.#namespace } : { name };
  }
}

function podEndpoint(endpoint: TestEndpoint): Body {
  return { phase: 'Serving', podUID: `uid-${endpoint.address}`, ...endpoint };
}
