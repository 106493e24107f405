import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DesiredView } from '../../src/director/desired-source.ts';
import type { KubeSource } from '../../src/director/kube-source.ts';
import { LastGoodStore } from '../../src/director/last-good.ts';
import type { LastGood } from '../../src/director/last-good.ts';
import { until } from '../kube/fake-time.ts';
import { temporaryFolder } from '../manifests/temporary-folder.ts';
import {
  directorType,
  namespaceType,
  nodeType,
  realServerSliceType,
  realServerType,
  virtualServiceType,
} from '../../src/cluster/index.ts';
import { startCluster, startWebCluster } from './cluster-rig.ts';

const serviceSpec = { spec: { ports: [{ port: 80 }] } };

/** The goal as a director in a cluster sees it, on an API server in this process. */

async function complete(source: KubeSource): Promise<DesiredView> {
  await source.whenComplete(5000);
  const view = source.current();
  assert.ok(view.isComplete, view.condition.message);
  return view;
}

function addressesOf({ resources }: DesiredView): string[] {
  return (resources.realServerSlices ?? []).flatMap(({ spec }) =>
    spec.endpoints.map(({ address }) => address),
  );
}

/** What a director that served this view would find on its disk. */
async function rememberedOf(view: DesiredView): Promise<LastGood> {
  using folder = temporaryFolder({});
  const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
  const store = new LastGoodStore(folder.path, logger);
  store.saveSoon({
    accepted: view.resources,
    view: view.resources,
    cluster: view.cluster?.facts,
    fileOf: () => undefined,
  });
  await store.flush();
  return store.load();
}

describe('the goal from a cluster', () => {
  it('holds what is accepted, with the rest as the spec says it', async (t) => {
    const rig = await startWebCluster(t);
    await rig.objects.create(virtualServiceType, 'new', serviceSpec);
    const ports = [
      { name: 'a', port: 80 },
      { name: 'b', port: 81 },
    ];
    await rig.objects.patch(virtualServiceType, 'web', { spec: { scheduler: 'rr', ports } });
    const { source } = rig.open();
    const { resources, isAbsenceConfirmed, condition } = await complete(source);
    assert.deepEqual(
      resources.virtualServices.map(({ metadata, spec }) => [
        metadata.name,
        spec.addresses?.map((entry) => entry.ip),
        spec.ports.map(({ port }) => port),
        spec.scheduler,
      ]),
      [['web', ['192.0.2.10'], [80], 'rr']],
    );
    assert.deepEqual(
      resources.pendingVirtualServices?.map(({ metadata }) => metadata.name),
      ['new'],
    );
    assert.deepEqual([isAbsenceConfirmed, condition.status, condition.reason], [true, 'True', 'Following']);
  });

  it('holds what people want of this director, and is not disturbed by its own status', async (t) => {
    const rig = await startWebCluster(t);
    const { source, changes } = rig.open();
    assert.equal(source.current().cluster?.ownDirector, undefined, 'nobody knows yet');
    assert.deepEqual((await complete(source)).cluster?.ownDirector, {
      generation: undefined,
      maintenance: undefined,
    });
    await rig.objects.create(directorType, 'other', { spec: { maintenance: { drain: true } } });
    await rig.objects.create(directorType, 'n1', { spec: {} });
    const own = () => source.current().cluster?.ownDirector;
    await until(() => own()?.generation === 1);
    assert.equal(own()?.maintenance, undefined);
    await rig.objects.patch(directorType, 'n1', {
      spec: { maintenance: { drain: true, reason: 'new disks' } },
    });
    await until(() => own()?.generation === 2);
    assert.deepEqual(own()?.maintenance, { drain: true, reason: 'new disks' });
    await until(() => changes() > 0);
    const told = changes();
    const view = source.current();
    for (const version of ['1', '2', '3'])
      await rig.objects.patch(directorType, 'n1', { status: { version } }, 'status');
    await rig.objects.patch(realServerType, 'web', { metadata: { labels: { a: 'b' } } });
    await until(() => source.current() !== view);
    assert.equal(own(), view.cluster?.ownDirector);
    await until(() => changes() > told);
    await rig.objects.remove(directorType, 'n1');
    await until(() => own()?.generation === undefined);
  });

  it('says at once what changed, and stays the same object while nothing that counts does', async (t) => {
    const rig = await startWebCluster(t);
    const { source, changes } = rig.open();
    const before = await complete(source);
    await until(() => changes() > 0);
    // A label, a status and a node that says that it is well: nothing that a director serves by.
    await rig.objects.patch(realServerType, 'web', { metadata: { labels: { a: 'b' } } });
    await rig.objects.patch(virtualServiceType, 'web', { status: { realServersReady: '2/2' } }, 'status');
    await until(() => source.current() !== before);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const same = source.current();
    assert.equal(same.resources, before.resources);
    assert.equal(same.cluster?.facts, before.cluster?.facts);
    assert.notDeepEqual(same.cluster?.versions, before.cluster?.versions, 'but it was taken in');
    await rig.objects.setEndpoints('web', [{ address: '10.244.1.3' }]);
    await until(() => addressesOf(source.current()).join() === '10.244.1.3');
    const after = source.current();
    assert.equal(after.resources.virtualServices, before.resources.virtualServices);
    assert.equal(after.resources.realServers, before.resources.realServers);
  });

  it('lets what says nothing new wait, and not what comes behind it', async (t) => {
    const rig = await startWebCluster(t);
    const { source, changes } = rig.open();
    const { cluster } = await complete(source);
    await until(() => changes() > 0);
    const count = changes();
    const sentAt = performance.now();
    await rig.objects.patch(virtualServiceType, 'web', { status: { realServersReady: '2/2' } }, 'status');
    await until(() => changes() > count);
    assert.ok(performance.now() - sentAt >= 95, 'an echo may wait a tenth of a second');
    assert.notDeepEqual(source.current().cluster?.versions, cluster?.versions);
    await rig.objects.patch(virtualServiceType, 'web', { status: { realServersReady: '1/2' } }, 'status');
    await rig.objects.setEndpoints('web', [{ address: '10.244.1.4' }]);
    await until(() => changes() > count + 1);
    assert.deepEqual(addressesOf(source.current()), ['10.244.1.4'], 'it is told with the first news');
  });

  it('follows deletions at once, and says up to which version', async (t) => {
    const rig = await startWebCluster(t);
    const { source } = rig.open();
    const before = await complete(source);
    await rig.objects.remove(virtualServiceType, 'web');
    await until(() => source.current().resources.virtualServices.length === 0);
    const was = BigInt(before.cluster?.versions.virtualServices ?? 0);
    assert.ok(BigInt(source.current().cluster?.versions.virtualServices ?? 0) > was);
  });

  it('knows the nodes, networks and namespaces, and hears of them', async (t) => {
    const rig = await startCluster(t, { namespaces: ['shop'] });
    await rig.objects.create(nodeType, 'n1', {
      spec: { podCIDRs: ['10.244.1.0/24'] },
      status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
    });
    await rig.objects.patch(
      nodeType,
      'n1',
      { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } },
      'status',
    );
    const { source, changes } = rig.open();
    const view = await complete(source);
    assert.deepEqual(view.cluster?.facts.nodeAddresses, ['192.0.2.1']);
    assert.equal(view.cluster.facts.podCidrs.length, 1);
    source.setServerAddresses(['192.0.2.9' as never]);
    assert.deepEqual(source.current().cluster?.facts.apiServerAddresses, ['192.0.2.9']);
    await rig.objects.patch(namespaceType, 'shop', { metadata: { labels: { team: 'a' } } });
    await until(() => source.current().resources.namespaceLabels?.get('shop')?.['team'] === 'a');
    // What the label changed is told a moment after it can be seen.
    const count = await settled(changes);
    await rig.objects.patch(
      nodeType,
      'n1',
      { status: { conditions: [{ type: 'DiskPressure', status: 'False' }] } },
      'status',
    );
    assert.equal(await settled(changes), count, 'a node that says that it is well wakes nobody');
  });

  it('keeps the addresses of an object whose status was lost, but not those of a namesake', async (t) => {
    const rig = await startWebCluster(t);
    const { source } = rig.open();
    await complete(source);
    await rig.objects.patch(
      virtualServiceType,
      'web',
      { status: { addresses: null, ports: null } },
      'status',
    );
    await rig.objects.patch(virtualServiceType, 'web', { spec: { scheduler: 'rr' } });
    await until(() => source.current().resources.virtualServices[0]?.spec.scheduler === 'rr');
    assert.equal(source.current().resources.virtualServices[0]?.spec.addresses?.[0]?.ip, '192.0.2.10');
    await rig.objects.remove(virtualServiceType, 'web');
    await rig.objects.create(virtualServiceType, 'web', serviceSpec);
    await until(() => source.current().resources.pendingVirtualServices?.length === 1);
    assert.equal(source.current().resources.virtualServices.length, 0);
  });
});

describe('an API server that cannot be followed', () => {
  it('leaves what an earlier process served, and is believed when it is back', async (t) => {
    const rig = await startWebCluster(t);
    const remembered = await rememberedOf(await complete(rig.open().source));
    rig.server.faults.add({}, { do: 'drop' });
    const { source } = rig.open(remembered);
    const view = source.current();
    assert.equal(view.isComplete, false);
    assert.deepEqual(addressesOf(view), ['10.244.1.1', '10.244.1.2']);
    assert.equal(view.resources.virtualServices[0]?.spec.addresses?.[0]?.ip, '192.0.2.10');
    assert.deepEqual(view.cluster?.versions, {});
    await until(() => source.current().condition.reason === 'Unreachable', 8000);
    assert.match(source.current().condition.message, /last good state is served, and nothing is removed/);
    rig.server.faults.clear();
    await rig.objects.setEndpoints('web', [{ address: '10.244.1.9' }]);
    await source.whenComplete(30_000);
    assert.deepEqual(addressesOf(source.current()), ['10.244.1.9']);
    assert.equal(source.current().condition.reason, 'Following');
  });

  it('replaces nothing before every kind that makes the goal was read', async (t) => {
    const rig = await startWebCluster(t);
    const remembered = await rememberedOf(await complete(rig.open().source));
    await rig.objects.remove(realServerSliceType, 'web-1');
    await rig.objects.createService('more', '192.0.2.11', [{ address: '10.244.1.7' }]);
    const fault = rig.server.faults.add({ resource: 'addresspools' }, { do: 'stall' });
    const { source } = rig.open(remembered);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(addressesOf(source.current()), ['10.244.1.1', '10.244.1.2']);
    assert.match(source.current().condition.message, /Not read yet: addresspools/);
    fault.remove();
  });

  it('removes nothing by a list that is empty for once', async (t) => {
    const rig = await startWebCluster(t);
    const remembered = await rememberedOf(await complete(rig.open().source));
    rig.server.faults.add({ verb: 'list' }, { do: 'empty-list' }, 8);
    const { source } = rig.open(remembered);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual(addressesOf(source.current()), ['10.244.1.1', '10.244.1.2']);
    assert.equal(source.current().isComplete, false);
  });

  it('is told with what to do, once, where rights or definitions are missing', async (t) => {
    const rig = await startWebCluster(t);
    rig.server.faults.add({ resource: 'nodes' }, { do: 'answer', code: 403, reason: 'Forbidden' });
    rig.server.faults.add({ resource: 'realserverslices' }, { do: 'answer', code: 404, reason: 'NotFound' });
    const { source } = rig.open();
    await until(
      () =>
        /nodes/.test(source.current().condition.message) && source.current().condition.reason !== 'Starting',
      8000,
    );
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const told = rig.log.filter((line) => /director/.test(line) && /Let this|Install/.test(line));
    assert.deepEqual(told.map((line) => line.replace(/ \{.*/, '')).toSorted(), [
      'Install the definition of realserverslices.networking.lvs-operator.io (crds/); the director keeps trying.',
      'Let this director get, list and watch nodes, or renew its credentials; it keeps trying.',
    ]);
  });

  it('does without the service networks of a Kubernetes that does not tell them', async (t) => {
    const rig = await startWebCluster(t);
    rig.server.faults.add({ resource: 'servicecidrs' }, { do: 'answer', code: 404, reason: 'NotFound' });
    const { source } = rig.open();
    const view = await complete(source);
    assert.equal(view.condition.reason, 'Following');
    assert.ok(!rig.log.some((line) => line.startsWith('Install')));
  });
});

/** The count once it has not moved for a while. */
async function settled(count: () => number): Promise<number> {
  for (let last = count(); ; last = count()) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (count() === last) return last;
  }
}
