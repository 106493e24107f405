import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { EndpointPolicy } from '../../src/controller/endpoint-policy.ts';
import { onEveryServer } from '../apiserver/environment.ts';
import type { Environment } from '../apiserver/environment.ts';
import { until } from '../kube/fake-time.ts';
import { openRig, Shop } from './rig.ts';
import type { Rig, RigOptions } from './rig.ts';

const patienceMs = 20_000;

async function open(
  environment: Environment,
  suffix: string,
  options?: RigOptions,
): Promise<{ readonly shop: Shop; readonly rig: Rig }> {
  const namespace = await environment.openNamespace(suffix);
  return { shop: new Shop(environment, namespace), rig: await openRig(environment, namespace, options) };
}

/** Waits until it is so, and says what is instead when it is never so. */
async function eventually<T>(read: () => Promise<T>, wanted: T): Promise<void> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const found = await read();
    try {
      assert.deepEqual(found, wanted);
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const bySelector = { podSelector: { matchLabels: { app: 'web' } } };

onEveryServer(
  'endpoints of a RealServer',
  (environment) => {
    it('follow its pods, and its status follows them', async () => {
      const { shop, rig } = await open(environment, 'pods');
      rig.start();
      await shop.virtualService();
      await shop.realServer(bySelector);
      await eventually(() => shop.conditions(), {
        Ready: 'False NoMatchingPods',
        Accepted: 'True Accepted',
        ResolvedEndpoints: 'False NoMatchingPods',
      });
      const uid = await shop.pod('a', '10.0.0.1', { finalizers: ['example.org/kubelet'] });
      await shop.pod('b', '10.0.0.2', { isReady: false });
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving', '10.0.0.2 Draining']);
      await shop.podStatus('b', '10.0.0.2', true);
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving', '10.0.0.2 Serving']);
      await eventually(async () => (await shop.status()).status?.endpointsReady, '2/2');
      await eventually(() => shop.conditions(), {
        Ready: 'True Serving',
        Accepted: 'True Accepted',
        ResolvedEndpoints: 'True Resolved',
      });

      await shop.endPod('a');
      await eventually(() => shop.endpoints(), ['10.0.0.1 Draining', '10.0.0.2 Serving']);
      const [slice, ...others] = await shop.slices();
      assert.deepEqual(others, []);
      const [ending] = slice?.spec.endpoints ?? [];
      assert.equal(ending?.podUID, uid);
      assert.equal(ending?.nodeName, 'node-1');
      assert.ok(Date.parse(ending?.deadline ?? '') > 0, 'it has a deadline');
      assert.deepEqual(slice?.metadata.labels, { 'networking.lvs-operator.io/virtual-service': 'web' });
      assert.equal(slice?.metadata.ownerReferences?.length, 1);
      await shop.removePod('a');
      await eventually(() => shop.endpoints(), ['10.0.0.2 Serving']);
      assert.deepEqual(rig.failures, []);
    });

    it('are written once, and nothing is written at rest', async () => {
      let writes = 0;
      const namespace = await environment.openNamespace('rest');
      const shop = new Shop(environment, namespace);
      await shop.virtualService();
      await shop.realServer(bySelector);
      await shop.pod('a', '10.0.0.1');
      const rig = await openRig(environment, namespace, { beforeWrite: () => writes++ });
      rig.start();
      await eventually(async () => (await shop.status()).status?.endpointsReady, '1/1');
      await rig.idle();
      assert.equal(writes, 2, 'a slice and a status');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal(writes, 2);
    });

    it('follow the EndpointSlices of a Service, and only to pods that are there', async () => {
      const { shop, rig } = await open(environment, 'service');
      rig.start();
      await shop.virtualService();
      await shop.realServer({ serviceRef: { name: 'web' } });
      await eventually(async () => (await shop.conditions())['ResolvedEndpoints'], 'False ServiceNotFound');
      const target = { kind: 'Pod', namespace: shop.namespace, name: 'a' };
      await shop.endpointSlice('web-1', [
        { addresses: ['10.0.0.1'], targetRef: { ...target, uid: 'later' } },
      ]);
      await eventually(async () => (await shop.conditions())['ResolvedEndpoints'], 'False EndpointsRefused');
      assert.deepEqual(await shop.endpoints(), []);
      const uid = await shop.pod('a', '10.0.0.1');
      await shop.endpointSlice('web-1', [{ addresses: ['10.0.0.1'], targetRef: { ...target, uid } }]);
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      assert.deepEqual((await shop.slices())[0]?.spec.ports, [{ port: 8080 }]);
      await shop.removePod('a');
      await eventually(() => shop.endpoints(), []);
    });

    it('wait for their VirtualService in the status alone', async () => {
      const { shop, rig } = await open(environment, 'late');
      rig.start();
      await shop.realServer(bySelector);
      await shop.pod('a', '10.0.0.1');
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      await eventually(async () => (await shop.conditions())['Accepted'], 'False VirtualServiceNotFound');
      await shop.virtualService();
      await eventually(async () => (await shop.conditions())['Ready'], 'True Serving');
    });

    it('are refused one by one, and people are told why', async () => {
      const policy: EndpointPolicy = {
        judge: ({ address }) =>
          address === '198.51.100.1' ? { reason: 'RealServerNotAllowed', why: 'is nowhere' } : undefined,
      };
      const { shop, rig } = await open(environment, 'refused', { policy });
      rig.start();
      await shop.virtualService();
      await shop.realServer({ addresses: ['198.51.100.1', '198.51.100.2'] });
      await eventually(() => shop.endpoints(), ['198.51.100.2 Serving']);
      await eventually(() => shop.conditions(), {
        Ready: 'True Serving',
        Accepted: 'True Accepted',
        ResolvedEndpoints: 'False EndpointsRefused',
      });
      const { status } = await shop.status();
      assert.equal(status?.endpointsReady, '1/2');
      assert.deepEqual(status?.endpoints[0], {
        address: '198.51.100.1',
        phase: 'Excluded',
        reason: 'RealServerNotAllowed',
      });
    });

    it('are never packed twice on the word of a store that lags behind', async () => {
      const { shop, rig } = await open(environment, 'stale');
      await shop.virtualService();
      await shop.realServer(bySelector);
      await shop.pod('a', '10.0.0.1');
      const key = `${shop.namespace}/pods`;
      await until(() => rig.stores.pods.size === 1 && rig.stores.realServers.size === 1);
      await until(() => [...rig.stores.pods.values()].every(({ isReady }) => isReady));
      for (const watch of environment.inProcess?.faults.watches({ resource: 'realserverslices' }) ?? [])
        watch.stall();
      for (let time = 0; time < 3; time++) await rig.reconcile(key);
      await shop.pod('b', '10.0.0.2');
      await until(() => rig.stores.pods.get(`${shop.namespace}/b`)?.isReady === true);
      await rig.reconcile(key);
      assert.deepEqual(await shop.endpoints(), ['10.0.0.1 Serving', '10.0.0.2 Serving']);
      assert.equal((await shop.slices()).length, 1);
    });

    it('are repaired when other hands were at a slice', async () => {
      const { shop, rig } = await open(environment, 'hands');
      await shop.virtualService();
      await shop.realServer(bySelector);
      await shop.pod('a', '10.0.0.1');
      rig.start();
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      const sliceName = async (): Promise<string> => (await shop.slices())[0]?.metadata.name ?? '';
      const name = await sliceName();
      const stranger = { address: '203.0.113.66', phase: 'Serving' };
      const own = { address: '10.0.0.1', phase: 'Draining', weight: 7 };
      await shop.patchSlice(name, { spec: { endpoints: [own, stranger] } });
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      await shop.patchSlice(name, {
        metadata: { labels: { 'networking.lvs-operator.io/virtual-service': 'other' } },
        spec: { virtualServiceName: 'other' },
      });
      await eventually(async () => (await shop.slices())[0]?.spec.virtualServiceName, 'web');
      await eventually(
        async () => (await shop.slices())[0]?.metadata.labels?.['networking.lvs-operator.io/virtual-service'],
        'web',
      );
      await shop.delete('realserverslices', name);
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      // Without its owner it is nobody's: another slice takes over before it goes.
      await shop.patchSlice(await sliceName(), { metadata: { ownerReferences: [] } });
      await eventually(async () => (await shop.slices())[0]?.metadata.ownerReferences?.length, 1);
      assert.deepEqual(await shop.endpoints(), ['10.0.0.1 Serving']);
      await rig.idle();
      assert.deepEqual(rig.failures, []);
    });

    it('move with the ports and the VirtualService of their RealServer', async () => {
      const { shop, rig } = await open(environment, 'moves');
      await shop.virtualService();
      await shop.realServer(bySelector);
      await shop.pod('a', '10.0.0.1');
      rig.start();
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      const name = (await shop.slices())[0]?.metadata.name;
      await shop.realServer({ ...bySelector, ports: [{ port: 8080 }], virtualServiceRef: { name: 'other' } });
      await eventually(
        async () =>
          (await shop.slices()).map(({ metadata, spec }) => [
            metadata.name,
            spec.ports,
            spec.virtualServiceName,
          ]),
        [[name ?? '', [{ port: 8080 }], 'other']],
      );
    });

    it('of a RealServer that is made anew are not those of its namesake', async () => {
      const { shop, rig } = await open(environment, 'anew');
      await shop.virtualService();
      await shop.realServer(bySelector);
      await shop.pod('a', '10.0.0.1');
      rig.start();
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      const [before] = await shop.slices();
      await shop.delete('realservers', 'pods');
      await shop.realServer(bySelector);
      await eventually(
        async () => (await shop.slices()).filter(({ metadata }) => metadata.uid === before?.metadata.uid),
        [],
      );
      await eventually(() => shop.endpoints(), ['10.0.0.1 Serving']);
      await shop.delete('realservers', 'pods');
      await eventually(() => shop.endpoints(), []);
      await rig.idle();
      assert.deepEqual(rig.failures, []);
    });
  },
  { collectsGarbage: false },
);
