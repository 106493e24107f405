import { readVirtualServiceStatus } from '../../src/api/index.ts';
import type { VirtualServiceStatus } from '../../src/api/index.ts';
import { realServerType, virtualServiceType } from '../../src/cluster/index.ts';
import { applyAll, controllerAccount, directorAccount, readAccess } from '../chart/deployment.ts';
import { LabCluster } from '../lab/cluster.ts';
import { LabController } from '../lab/controller-process.ts';
import { LabDirector, productFile } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { startServer } from '../lab/traffic.ts';
import type { RunningServer } from '../lab/traffic.ts';
import { Eyes, sleep, until } from './director-eyes.ts';
import { clusterPool } from './director-objects.ts';

const nodeName = 'n1';
const port = 80;
/** The namespace of another tenant. */
export const neighbour = 'neighbour';

/**
 * All of it together: an API server, the controller beside it, a director on a host, and pods, each a real server that
 * listens while its pod lives. The test is the people who apply objects, and the kubelets. Controller and director have
 * the tokens of their ServiceAccounts and may do what `deploy/` grants these; the test is an administrator.
 */
export class OperatorRig {
  readonly network: LabNetwork;
  readonly cluster: LabCluster;
  readonly controller: LabController;
  readonly director: LabDirector;
  readonly eyes: Eyes;
  readonly #servers = new Map<number, RunningServer>();

  readonly #controllerKubeconfig: string;

  private constructor(
    network: LabNetwork,
    cluster: LabCluster,
    kubeconfigs: { readonly controller: string; readonly director: string },
  ) {
    this.network = network;
    this.cluster = cluster;
    this.#controllerKubeconfig = kubeconfigs.controller;
    this.controller = this.newController('first');
    this.director = LabDirector.ofCluster(network.director, { nodeName, kubeconfig: kubeconfigs.director });
    this.eyes = new Eyes(network.director);
  }

  /** @param product the bundle that both begin with. @default the one of these sources */
  static async start(realServers: number, product?: string): Promise<OperatorRig> {
    const network = await layOutNetwork({ realServers });
    const options = { namespaces: [neighbour], usesRoles: true };
    const cluster = await LabCluster.start(network.director, options);
    await applyAll({ url: cluster.server.url }, readAccess());
    const rig = new OperatorRig(network, cluster, {
      controller: await cluster.kubeconfigOf(controllerAccount, 'beside'),
      director: await cluster.kubeconfigOf({ ...directorAccount, nodeName }, 'host'),
    });
    await cluster.objects.createNode(nodeName, { 'networking.lvs-operator.io/director': '' });
    await cluster.objects.patch(
      { group: '', version: 'v1', plural: 'nodes', kind: 'Node', isNamespaced: false },
      nodeName,
      { status: { conditions: [{ type: 'Ready', status: 'True' }] } },
      'status',
    );
    await cluster.objects.createPool(clusterPool);
    rig.controller.product = rig.director.product = product ?? productFile;
    rig.controller.start();
    await rig.director.start();
    return rig;
  }

  /** Another replica of the controller, not started yet. */
  newController(identity: string): LabController {
    return new LabController(this.#controllerKubeconfig, identity, controllerAccount.namespace);
  }

  async close(): Promise<void> {
    await this.controller.stop();
    await this.director.stop();
    this.eyes.close();
    await this.cluster.close();
    await this.network.remove();
  }

  get vip(): string {
    return this.network.vip4(0);
  }

  /** What people apply: one VirtualService and the pods behind it. The servers' gateway is the director. */
  async applyWeb(drain: Readonly<Record<string, number>> = {}): Promise<void> {
    await this.cluster.objects.create(virtualServiceType, 'web', {
      spec: {
        addresses: [{ ip: this.vip }],
        ports: [{ port }],
        scheduler: 'rr',
        forwarding: { method: 'NAT', sourceNAT: false },
        drain,
      },
    });
    await this.cluster.objects.create(realServerType, 'web', {
      spec: { virtualServiceRef: { name: 'web' }, podSelector: { matchLabels: { app: 'web' } } },
    });
  }

  rip(server: number): string {
    return `198.51.100.${10 + server}`;
  }

  /** A pod on the host `serverN`: its program listens first, then it is ready. */
  async startPod(server: number): Promise<void> {
    const host = this.network.realServers[server - 1];
    if (host === undefined) throw new Error(`there is no server ${server}`);
    this.#servers.set(server, await startServer(host, { http: [port] }));
    await this.cluster.objects.createPod(`web-${server}`, this.rip(server), { app: 'web' });
  }

  /** As Kubernetes ends a pod that has a preStop sleep: told first, ended a while later. */
  async endPodGracefully(server: number, graceSeconds = 3): Promise<void> {
    await this.cluster.objects.terminatePod(`web-${server}`, 30);
    await sleep(graceSeconds * 1000);
    this.#servers.get(server)?.kill();
    await this.cluster.objects.endPod(`web-${server}`);
  }

  /** The program dies, and a while later the pod is known to be gone: what draining protects from. */
  async endPodWithoutWarning(server: number): Promise<void> {
    this.#servers.get(server)?.kill();
    await sleep(1000);
    await this.cluster.objects.endPod(`web-${server}`);
  }

  /** The servers that take new connections, by number. */
  serving(): number[] {
    const { realServers } = this.network;
    return realServers
      .map(({ number }) => number)
      .filter(
        (number) => (this.eyes.weight(`TCP ${this.vip}:${port}`, `${this.rip(number)}:${port}`) ?? 0) > 0,
      );
  }

  async untilServing(...servers: readonly number[]): Promise<number> {
    const wanted = servers.toSorted((a, b) => a - b).join();
    return until(`servers ${wanted} serve`, () => this.serving().join() === wanted).catch(
      (error: unknown) => {
        throw new Error(
          `${String(error)}, but ${this.serving().join()}\n${this.controller.log.slice(-3000)}\n${this.director.log.slice(-3000)}`,
        );
      },
    );
  }

  async status(): Promise<VirtualServiceStatus> {
    const { status } = await this.cluster.objects.get(virtualServiceType, 'web');
    return readVirtualServiceStatus({ status: status as Record<string, unknown> });
  }

  async isReady(): Promise<boolean> {
    const { conditions } = await this.status();
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  }
}
