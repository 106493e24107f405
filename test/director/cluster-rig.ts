/** A source on an API server in this process. */
import type { TestContext } from 'node:test';
import type { Logger } from '../../src/base/index.ts';
import type { ClusterConnection } from '../../src/cluster/index.ts';
import { clusterKindList, watchClusterKinds } from '../../src/director/cluster-kinds.ts';
import { HealthAdvice } from '../../src/director/cluster-health.ts';
import { KubeSource } from '../../src/director/kube-source.ts';
import type { LastGood } from '../../src/director/last-good.ts';
import { watchOwnDirector } from '../../src/director/own-director.ts';
import { startApiServer } from '../apiserver/start-api-server.ts';
import type { ApiServer, ApiServerOptions } from '../apiserver/start-api-server.ts';
import { ClusterObjects } from '../cluster/cluster-objects.ts';
import { connectToServer, systemTime } from '../cluster/connect-to-server.ts';

export const noLastGood: LastGood = {
  objects: new Map(),
  resources: { virtualServices: [], realServers: [], addressPools: [] },
  cluster: undefined,
};

export interface ClusterRig {
  readonly server: ApiServer;
  readonly connection: ClusterConnection;
  readonly objects: ClusterObjects;
  readonly log: string[];
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
  const open: ClusterRig['open'] = (remembered = noLastGood) => {
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
    const ownDirector = watchOwnDirector({
      connection,
      nodeName: 'n1',
      logger,
      onHealth: () => source.noteHealth(),
      wasThere: false,
    });
    const watched = [...clusterKindList(kinds), ownDirector];
    const source = new KubeSource({
      kinds,
      ownDirector,
      remembered,
      description: 'cluster, as node n1',
      ...systemTime,
      onChange: () => changes++,
    });
    for (const kind of watched) kind.start();
    ends.push(async () => {
      source.close();
      await Promise.all(watched.map((kind) => kind.stop()));
    });
    return { source, changes: () => changes };
  };
  return { server, connection, objects: new ClusterObjects(connection.client), log, open };
}

const pods = [{ address: '10.244.1.1' }, { address: '10.244.1.2' }];

/** A pool, a VirtualService with its address, a RealServer and a slice of two endpoints. */
export async function startWebCluster(t: TestContext): Promise<ClusterRig> {
  const rig = await startCluster(t);
  await rig.objects.createPool();
  await rig.objects.createService('web', '192.0.2.10', pods);
  return rig;
}
