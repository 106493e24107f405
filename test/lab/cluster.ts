/**
 * A cluster for a lab: an API server in the process of the test, and a way to it from a host. A lab host has a network of
 * its own, so its loopback address is answered by a relay of ours.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectCluster } from '../../src/cluster/index.ts';
import type { ClusterConnection } from '../../src/cluster/index.ts';
import { systemTimers } from '../../src/kube/index.ts';
import { serviceAccountToken } from '../apiserver/service-account.ts';
import type { ServiceAccount } from '../apiserver/service-account.ts';
import { startApiServer } from '../apiserver/start-api-server.ts';
import type { ApiServer, ApiServerOptions } from '../apiserver/start-api-server.ts';
import { ClusterObjects } from '../cluster/cluster-objects.ts';
import type { LabHost } from './host.ts';
import { LabSockets } from './sockets.ts';

/** Where hosts find the API server, on their loopback address. */
export const labApiServerPort = 6443;

export class LabCluster {
  readonly server: ApiServer;
  readonly objects: ClusterObjects;
  /** File for programs on the host. */
  readonly kubeconfig: string;
  /** File for programs beside the API server, on no host of the lab. */
  readonly ownKubeconfig: string;
  readonly #folder: string;
  readonly #host: LabHost;
  readonly #connection: ClusterConnection;
  #relay: LabSockets | undefined;

  private constructor(server: ApiServer, host: LabHost, token?: string) {
    this.server = server;
    this.#host = host;
    this.#folder = mkdtempSync(join(tmpdir(), 'cluster-'));
    this.kubeconfig = this.#write('config', server.kubeconfig(token), 'host');
    this.ownKubeconfig = this.#write('own', server.kubeconfig(token), 'beside');
    this.#connection = connectCluster({
      kubeconfig: { file: this.ownKubeconfig },
      userAgent: 'test',
      clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      timers: systemTimers,
      random: () => 0,
    });
    this.objects = new ClusterObjects(this.#connection.client);
  }

  /** @param token by which programs and tests come in, where `options` knows tokens. */
  static async start(host: LabHost, options: ApiServerOptions = {}, token?: string): Promise<LabCluster> {
    const cluster = new LabCluster(await startApiServer(options), host, token);
    await cluster.accept();
    return cluster;
  }

  /** The objects of another namespace. */
  objectsIn(namespace: string): ClusterObjects {
    return new ClusterObjects(this.#connection.client, namespace);
  }

  /**
   * A kubeconfig of a ServiceAccount, for a program beside the API server or on the host. It is worth as much as the roles
   * say that are bound to the account, when the server goes by roles.
   */
  async kubeconfigOf(account: ServiceAccount, where: 'beside' | 'host'): Promise<string> {
    const token = await serviceAccountToken({ url: this.server.url }, account);
    return this.#write(`${account.name}-${token.slice(0, 8)}`, this.server.kubeconfig(token), where);
  }

  #write(name: string, kubeconfig: string, where: 'beside' | 'host'): string {
    const file = join(this.#folder, name);
    const url = new URL(this.server.url);
    url.port = String(labApiServerPort);
    writeFileSync(file, where === 'host' ? kubeconfig.replace(this.server.url, url.origin) : kubeconfig);
    return file;
  }

  /** The host reaches the API server. */
  async accept(): Promise<void> {
    const { port: target } = new URL(this.server.url);
    this.#relay = new LabSockets();
    await this.#relay.serve(this.#host, 'TCP', labApiServerPort, {
      address: '127.0.0.1',
      onConnection: (socket) => {
        const upstream = net.connect(Number(target), '127.0.0.1');
        upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
        socket.on('close', () => upstream.destroy());
        socket.pipe(upstream).pipe(socket);
      },
    });
  }

  /** The host is refused, and what was open is cut. */
  refuse(): void {
    this.#relay?.close();
    this.#relay = undefined;
  }

  async close(): Promise<void> {
    this.refuse();
    await this.#connection.close();
    await this.server.close();
  }
}
