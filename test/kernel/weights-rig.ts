import { nodeType, realServerType, virtualServiceType } from '../../src/cluster/index.ts';
import { PodMetrics } from '../apiserver/pod-metrics.ts';
import { applyAll, controllerAccount, directorAccount, readAccess } from '../chart/deployment.ts';
import { LabCluster } from '../lab/cluster.ts';
import { LabController } from '../lab/controller-process.ts';
import { LabDirector } from '../lab/director-process.ts';
import { LabLoad, LabWorker, reportUsage } from '../lab/load.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { Eyes, until } from './director-eyes.ts';
import { clusterPool } from './director-objects.ts';

const nodeName = 'n1';
const port = 80;
/** Where workers report themselves. */
export const reportPort = 9500;

/**
 * A cluster with one director, pods that are cores with a queue, and a crowd of clients. Controller and director run on
 * the host of the director, with the rights that `deploy/` grants; what the workers use is in metrics.k8s.io.
 */
export class WeightsRig {
  readonly network: LabNetwork;
  readonly cluster: LabCluster;
  readonly controller: LabController;
  readonly director: LabDirector;
  readonly eyes: Eyes;
  readonly metrics: PodMetrics;
  readonly workers: LabWorker[] = [];
  #stopReporting = (): void => {};

  private constructor(
    network: LabNetwork,
    cluster: LabCluster,
    metrics: PodMetrics,
    kubeconfigs: { readonly controller: string; readonly director: string },
  ) {
    const { director: host } = network;
    this.network = network;
    this.cluster = cluster;
    this.metrics = metrics;
    this.controller = new LabController(kubeconfigs.controller, 'first', controllerAccount.namespace, host);
    this.director = LabDirector.ofCluster(host, { nodeName, kubeconfig: kubeconfigs.director });
    this.eyes = new Eyes(host);
  }

  /** @param serviceMs mean time of a request, for each worker */
  static async start(serviceMs: readonly number[]): Promise<WeightsRig> {
    const network = await layOutNetwork({ realServers: serviceMs.length });
    const podMetrics = new PodMetrics();
    const cluster = await LabCluster.start(network.director, { podMetrics, usesRoles: true });
    await applyAll({ url: cluster.server.url }, readAccess());
    const rig = new WeightsRig(network, cluster, podMetrics, {
      controller: await cluster.kubeconfigOf(controllerAccount, 'host'),
      director: await cluster.kubeconfigOf({ ...directorAccount, nodeName }, 'host'),
    });
    const { objects } = cluster;
    await objects.createNode(nodeName, { 'networking.lvs-operator.io/director': '' });
    const status = {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: network.director.inside.ip4 }],
    };
    await objects.patch(nodeType, nodeName, { status }, 'status');
    await objects.createPool(clusterPool);
    rig.controller.start();
    await rig.director.start();
    await rig.#startWorkers(serviceMs);
    return rig;
  }

  get vip(): string {
    return this.network.vip4(0);
  }

  async #startWorkers(serviceMs: readonly number[]): Promise<void> {
    const pods = new Map<string, LabWorker>();
    for (const [index, host] of this.network.realServers.entries()) {
      const worker = await LabWorker.start(host, { port, reportPort, serviceMs: serviceMs[index] ?? 1 });
      this.workers.push(worker);
      const name = `web-${host.number}`;
      pods.set(name, worker);
      await this.cluster.objects.createPod(name, host.rip4, { app: 'web' }, { cpu: '1', memory: '1Gi' });
    }
    this.#stopReporting = reportUsage(this.metrics, pods);
  }

  /** One VirtualService for all workers, with weights as they are written. Resolves when the kernel has them. */
  async applyWeb(scheduler: string, weightPolicy: object = { type: 'Static' }): Promise<void> {
    const { objects } = this.cluster;
    await objects.create(virtualServiceType, 'web', {
      spec: {
        addresses: [{ ip: this.vip }],
        ports: [{ port }],
        scheduler,
        weightPolicy,
        forwarding: { method: 'NAT', sourceNAT: false },
      },
    });
    await objects.create(realServerType, 'web', {
      spec: { virtualServiceRef: { name: 'web' }, podSelector: { matchLabels: { app: 'web' } } },
    });
    await until('all serve', () => this.weights().every((weight) => weight !== undefined));
  }

  /** In place of the one that is there. */
  async setPolicy(weightPolicy: object): Promise<void> {
    const whole = { metrics: null, dynamicFeedback: null, ...weightPolicy };
    await this.cluster.objects.patch(virtualServiceType, 'web', { spec: { weightPolicy: whole } });
  }

  startLoad(perSecond: number): Promise<LabLoad> {
    return LabLoad.start(this.network.client, { host: this.vip, port, perSecond });
  }

  /** In the kernel. */
  weights(): readonly (number | undefined)[] {
    return this.network.realServers.map(({ rip4 }) =>
      this.eyes.weight(`TCP ${this.vip}:${port}`, `${rip4}:${port}`),
    );
  }

  /** `True FromLoad`; undefined where there is no such condition. */
  async condition(type: string): Promise<string | undefined> {
    const { status } = (await this.cluster.objects.get(virtualServiceType, 'web')) as {
      status?: { conditions?: { type: string; status: string; reason: string }[] };
    };
    const found = status?.conditions?.find((condition) => condition.type === type);
    return found && `${found.status} ${found.reason}`;
  }

  async close(): Promise<void> {
    this.#stopReporting();
    await this.controller.stop();
    await this.director.stop();
    this.eyes.close();
    await this.cluster.close();
    await this.network.remove();
  }
}
