import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeType, realServerSliceType, realServerType } from '../../src/cluster/index.ts';
import { onEveryServer, until } from '../apiserver/environment.ts';
import { PodMetrics } from '../apiserver/pod-metrics.ts';
import { ClusterRig } from './cluster-rig.ts';
import { CountingDirector } from './counting-director.ts';

interface SliceView {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly realServerName: string; readonly endpoints: readonly { weight?: number }[] };
}

const podMetrics = new PodMetrics();

onEveryServer(
  'weights that follow the load',
  (environment) => {
    let rig: ClusterRig;
    let director: CountingDirector;
    const inFlight = { scheduler: 'wlc', weightPolicy: { type: 'InFlight' } };

    before(async () => {
      rig = new ClusterRig(environment);
      director = new CountingDirector('a');
      const endpoint = { port: await director.listen(), certificateSHA256: director.certificateSHA256 };
      await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.12'], default: true });
      await rig.director('a', { endpoint });
      const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];
      const name = environment.clusterName('a');
      await rig.client.mergePatch(nodeType, { name }, { status: { addresses } }, { subresource: 'status' });
      await rig.pod('web-1', '10.8.0.1', { app: 'web' });
      await rig.pod('web-2', '10.8.0.2', { app: 'web' });
      await rig.start();
    });
    after(async () => {
      await rig.close();
      await director.close();
    });

    const slices = async (): Promise<readonly SliceView[]> => {
      const { items } = await rig.client.listPage(realServerSliceType, { namespace: rig.namespace }, {});
      return (items as SliceView[]).filter(({ spec }) => spec.realServerName === 'web');
    };
    const weights = async (): Promise<readonly (number | undefined)[]> =>
      (await slices()).flatMap(({ spec }) => spec.endpoints.map(({ weight }) => weight));
    const untilWeights = (wanted: readonly (number | undefined)[]): Promise<void> =>
      until(`weights are ${wanted.join()}`, async () => (await weights()).join() === wanted.join());

    it('stand in the slice from its first version, and nobody is asked before somebody wants them', async () => {
      assert.deepEqual(director.authorizations, []);
      await rig.virtualService('web', inFlight);
      await rig.realServer('web', 'web', { weight: 50 });
      await untilWeights([100, 100]);
      const [slice] = await rig.client
        .listPage(realServerSliceType, { namespace: rig.namespace }, {})
        .then(({ items }) => items as { metadata: { generation: number } }[]);
      assert.equal(slice?.metadata.generation, 1);
    });

    it('are explained by the condition and by the status of the RealServer', async () => {
      for (const address of ['10.8.0.1', '10.8.0.2'])
        director.count(`${rig.namespace}/web`, address).active = 1;
      await rig.waitFor('web', 'WeightsFromLoad', 'True InFlight');
      await until('the status tells weights', async () => {
        const { endpoints } = (await rig.status('web', realServerType)) as unknown as {
          endpoints?: readonly Record<string, unknown>[];
        };
        return (
          endpoints?.every(
            ({ configuredWeight, advisedWeight, effectiveWeight, weightReason }) =>
              configuredWeight === 50 &&
              advisedWeight === 100 &&
              effectiveWeight === 100 &&
              weightReason === 'InFlight',
          ) === true
        );
      });
    });

    it('are written no more at rest', async () => {
      await rig.settled(1500);
      const versions = await rig.versions();
      await sleep(1500);
      assert.deepEqual(await rig.versions(), versions);
    });

    it('live in the slices: another leader goes on from what it finds', async () => {
      await rig.close();
      const [slice] = await slices();
      assert.ok(slice);
      const endpoints = slice.spec.endpoints.map((endpoint, index) => ({
        ...endpoint,
        weight: [140, 60][index],
      }));
      const name = { name: slice.metadata.name, namespace: rig.namespace };
      await rig.client.mergePatch(realServerSliceType, name, { spec: { endpoints } });
      await rig.start();
      await rig.waitFor('web', 'WeightsFromLoad', 'True InFlight');
      await rig.settled(1500);
      assert.deepEqual(await weights(), [140, 60]);
    });

    it('leave the slices when they are to be as written', async () => {
      await rig.virtualService('web', { scheduler: 'wlc' });
      await untilWeights([undefined, undefined]);
      await rig.waitFor('web', 'WeightsFromLoad', undefined);
      await rig.virtualService('web', inFlight);
      await untilWeights([100, 100]);
      await rig.waitFor('web', 'WeightsFromLoad', 'True InFlight');
    });
  },
  { podMetrics },
);
