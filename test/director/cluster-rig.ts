/** A source on an API server in this process, and the objects that tests put there. */
import type { TestContext } from 'node:test';
import type { Logger } from '../../src/base/index.ts';
import {
  addressPoolType,
  namespaceType,
  nodeType,
  realServerSliceType,
  realServerType,
  virtualServiceType,
} from '../../src/cluster/index.ts';
import type { ClusterConnection } from '../../src/cluster/index.ts';
import { clusterKindList, watchClusterKinds } from '../../src/director/cluster-kinds.ts';
import { HealthAdvice } from '../../src/director/cluster-health.ts';
import { KubeSource } from '../../src/director/kube-source.ts';
import type { LastGood } from '../../src/director/last-good.ts';
import type { KubeObject, ResourceType } from '../../src/kube/index.ts';
import { startApiServer } from '../apiserver/start-api-server.ts';
import type { ApiServer, ApiServerOptions } from '../apiserver/start-api-server.ts';
import { connectToServer, systemTime } from '../cluster/connect-to-server.ts';

const apiVersion = 'networking.lvs-operator.io/v1alpha1';

export const noLastGood: LastGood = {
  objects: new Map(),
  resources: { virtualServices: [], realServers: [], addressPools: [] },
  cluster: undefined,
};

export interface ClusterRig {
  readonly server: ApiServer;
  readonly connection: ClusterConnection;
  readonly log: string[];
  create(type: ResourceType, name: string, body: Readonly<Record<string, unknown>>): Promise<KubeObject>;
  /** A merge patch of the object, or of its status. */
  patch(type: ResourceType, name: string, patch: unknown, subresource?: 'status'): Promise<void>;
  remove(type: ResourceType, name: string): Promise<void>;
  /** What the controller writes: the accepted addresses and ports. */
  accept(name: string, vip: string, ports?: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
  /** A source that is started and ended with the test; it counts how often it says that something changed. */
  open(remembered?: LastGood): { readonly source: KubeSource; readonly changes: () => number };
}

export async function startCluster(t: TestContext, options: ApiServerOptions = {}): Promise<ClusterRig> {
  const server = await startApiServer(options);
  const { connection, close } = await connectToServer(server);
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
    await close();
    await server.close();
  });
  const log: string[] = [];
  const write = (message: string, keys?: object): void => void log.push(`${message} ${JSON.stringify(keys)}`);
  const logger: Logger = { debug: () => {}, info: write, warn: write, error: write, child: () => logger };
  const { client } = connection;
  const place = (type: ResourceType, name: string) =>
    type.isNamespaced ? { name, namespace: 'default' } : { name };
  const rig: ClusterRig = {
    server,
    connection,
    log,
    create: (type, name, body) =>
      client.create(type, {
        apiVersion: type.group === '' ? 'v1' : apiVersion,
        kind: type.kind,
        metadata: place(type, name),
        ...body,
      }),
    patch: async (type, name, patch, subresource) => {
      const space = type.isNamespaced ? '/namespaces/default' : '';
      const base = type.group === '' ? '/api/v1' : `/apis/${type.group}/${type.version}`;
      await connection.client.transport.request({
        method: 'PATCH',
        path: `${base}${space}/${type.plural}/${name}${subresource === undefined ? '' : '/status'}`,
        body: patch,
        contentType: 'application/merge-patch+json',
      });
    },
    remove: async (type, name) => {
      const { metadata } = await client.get(type, place(type, name));
      await client.delete(type, place(type, name), metadata.uid ?? '');
    },
    accept: (name, vip, ports = [{ port: 80, protocol: 'TCP' }]) =>
      rig.patch(
        virtualServiceType,
        name,
        { status: { addresses: [{ ip: vip, pool: 'all', since: '2026-01-01T00:00:00Z' }], ports } },
        'status',
      ),
    open: (remembered = noLastGood) => {
      let changes = 0;
      const advice = new HealthAdvice(logger);
      const kinds = watchClusterKinds({
        connection,
        logger,
        remembered,
        onHealth: (type, health) => {
          advice.give(type, health);
          source.noteHealth();
        },
      });
      const source = new KubeSource({
        kinds,
        remembered,
        description: 'cluster, as node n1',
        ...systemTime,
        onChange: () => changes++,
      });
      for (const kind of clusterKindList(kinds)) kind.start();
      ends.push(async () => {
        source.close();
        await Promise.all(clusterKindList(kinds).map((kind) => kind.stop()));
      });
      return { source, changes: () => changes };
    },
  };
  return rig;
}

export const poolSpec = { spec: { addresses: ['192.0.2.0/24'], namespaces: ['*'] } };
export const serviceSpec = { spec: { ports: [{ port: 80 }] } };

export function sliceBody(
  service: string,
  addresses: readonly string[],
  realServer = service,
): Readonly<Record<string, unknown>> {
  return {
    spec: {
      virtualServiceName: service,
      realServerName: realServer,
      endpoints: addresses.map((address) => ({ address, phase: 'Serving', podUID: `uid-${address}` })),
    },
  };
}

/** A pool, a VirtualService with its address, a RealServer and a slice of two endpoints. */
export async function createWeb(rig: ClusterRig, name = 'web', vip = '192.0.2.10'): Promise<void> {
  await rig.create(virtualServiceType, name, serviceSpec);
  await rig.accept(name, vip);
  await rig.create(realServerType, name, {
    spec: { virtualServiceRef: { name }, podSelector: { matchLabels: { app: name } } },
  });
  await rig.create(realServerSliceType, `${name}-1`, sliceBody(name, ['10.244.1.1', '10.244.1.2']));
}

export async function createPool(rig: ClusterRig): Promise<void> {
  await rig.create(addressPoolType, 'all', poolSpec);
}

export { addressPoolType, namespaceType, nodeType, realServerSliceType, realServerType, virtualServiceType };
