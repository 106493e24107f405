import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  EventRecorder,
  LeaderElection,
  leaseType,
  Reflector,
  StatusWriter,
  Store,
  systemTimers,
} from '../../src/kube/index.ts';
import type { KubeObject, ResourceType, StoredMeta } from '../../src/kube/index.ts';
import { onEveryServer, until as eventually } from '../apiserver/environment.ts';
import { until } from './fake-time.ts';
import { RecordingLogger } from './objects.ts';

const time = {
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  timers: systemTimers,
  random: () => 0,
};

const configMapType: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  isNamespaced: true,
};
const eventType: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  isNamespaced: true,
};
const directorType: ResourceType = {
  group: 'networking.lvs-operator.io',
  version: 'v1alpha1',
  plural: 'directors',
  kind: 'Director',
  isNamespaced: false,
};
const virtualServiceType: ResourceType = {
  group: 'networking.lvs-operator.io',
  version: 'v1alpha1',
  plural: 'virtualservices',
  kind: 'VirtualService',
  isNamespaced: true,
};

onEveryServer('kube', (server) => {
  const { namespace } = server;
  const configMap = (name: string, value: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data: { value },
  });

  it('follows objects through pages, resets, silence and an expired version', async (t) => {
    const client = server.connect();
    for (const name of ['a', 'b', 'c']) await client.create(configMapType, configMap(name, '1'));
    const store = new Store<string>({ onListenerError: (error) => assert.fail(String(error)) });
    const reflector = new Reflector({
      client,
      type: configMapType,
      namespace,
      parse: ({ metadata, data }) => `${metadata.name}=${String((data as Record<string, unknown>)['value'])}`,
      store,
      ...time,
      logger: new RecordingLogger(),
      pageSize: 2,
    });
    reflector.start();
    t.after(() => reflector.stop());
    const holds = (text: string) => until(() => [...store.values()].toSorted().join(' ') === text, 15_000);
    await store.whenSynced();
    await holds('a=1 b=1 c=1');
    await client.create(configMapType, configMap('d', '2'));
    const b = await client.get(configMapType, { namespace, name: 'b' });
    await client.delete(configMapType, { namespace, name: 'b' }, String(b.metadata.uid));
    await holds('a=1 c=1 d=2');

    const { faults } = server.inProcess ?? {};
    faults?.add({ verb: 'watch' }, { do: 'answer', code: 410, reason: 'Expired' }, 1);
    for (const watch of faults?.watches({ resource: 'configmaps' }) ?? []) watch.reset();
    await client.mergePatch(configMapType, { namespace, name: 'a' }, { data: { value: '3' } });
    await holds('a=3 c=1 d=2');
    assert.equal(reflector.health.kind, 'healthy');
  });

  it('elects one leader, and another when it stops', async () => {
    const client = server.connect();
    const elect = (identity: string): LeaderElection =>
      new LeaderElection({
        client,
        namespace,
        name: 'controller',
        identity,
        ...time,
        logger: new RecordingLogger(),
        retryPeriodMs: 50,
        onLeading: () => {},
      });
    const [a, b] = [elect('a'), elect('b')];
    a.start();
    await until(() => a.isLeading);
    b.start();
    await until(() => b.holder === 'a');
    await a.stop();
    await until(() => b.isLeading);
    const lease = await client.get(leaseType, { namespace, name: 'controller' });
    assert.equal((lease['spec'] as Record<string, unknown>)['leaseTransitions'], 1);
    await b.stop();
  });

  it('writes a status that the API server takes, once, and an event beside it', async () => {
    const client = server.connect();
    const made = await client.create(virtualServiceType, {
      apiVersion: 'networking.lvs-operator.io/v1alpha1',
      kind: 'VirtualService',
      metadata: { name: 'web', namespace },
      spec: { addresses: [{ ip: '192.0.2.10' }], ports: [{ port: 80 }] },
    });
    const metadata = made.metadata as StoredMeta;
    const writer = new StatusWriter({ client, fieldManager: 'lvs-operator', ...time });
    const status = {
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'NoRealServers',
          message: 'Nobody serves.',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    };
    const never = new AbortController().signal;
    const type = virtualServiceType;
    assert.equal(await writer.write({ type, metadata, status: made['status'] }, status, never), 'written');
    const current = await client.get(type, metadata);
    const seen = { type, metadata: current.metadata as StoredMeta, status: current['status'] };
    assert.equal(await writer.write(seen, status, never), 'unchanged');
    assert.equal(current.metadata['generation'], made.metadata['generation'], 'status is no new generation');
    const namesake = { type, metadata: { ...metadata, uid: 'another' }, status: undefined };
    assert.equal(await writer.write(namesake, status, never), 'gone');

    const recorder = new EventRecorder({
      client,
      reportingController: 'networking.lvs-operator.io/controller',
      reportingInstance: 'controller-0',
      ...time,
      logger: new RecordingLogger(),
    });
    recorder.record({
      regarding: { apiVersion: 'networking.lvs-operator.io/v1alpha1', kind: 'VirtualService', ...metadata },
      type: 'Warning',
      reason: 'NoRealServers',
      action: 'Resolve',
      note: 'Nobody serves.',
    });
    const events = async () => (await client.listPage(eventType, { namespace }, {})).items;
    await eventually('the event is there', async () => (await events()).length === 1);
    await recorder.stop();
  });

  it('writes a status once that the API server keeps in an order of its own, or without its empty sets', async () => {
    const client = server.connect();
    const name = `order-${namespace}`.slice(0, 63);
    const made = await client.create(directorType, {
      apiVersion: 'networking.lvs-operator.io/v1alpha1',
      kind: 'Director',
      metadata: { name },
      spec: {},
    });
    const writer = new StatusWriter({ client, fieldManager: 'lvs-director', ...time });
    const never = new AbortController().signal;
    const condition = (type: string) => ({
      type,
      status: 'True',
      reason: 'Serving',
      message: 'Everything is served.',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    const wishes = [
      { conditions: ['Ready', 'Programmed'], schedulers: ['wlc'], releasing: ['192.0.2.1'] },
      { conditions: ['Ready', 'ForeignHands', 'Programmed'], schedulers: ['rr', 'wlc'], releasing: [] },
      { conditions: ['Programmed', 'Ready'], schedulers: ['wlc', 'rr', 'dh'], releasing: [] },
    ];
    let stored = made;
    for (const { conditions, ...sets } of wishes) {
      const wish = { ...sets, conditions: conditions.map(condition) };
      const subject = () => ({
        type: directorType,
        metadata: stored.metadata as StoredMeta,
        status: stored['status'],
      });
      assert.equal(await writer.write(subject(), wish, never), 'written');
      stored = await client.get(directorType, { name });
      assert.equal(await writer.write(subject(), wish, never), 'unchanged', JSON.stringify(stored['status']));
    }
    await client.delete(directorType, { name }, String(made.metadata['uid']));
  });
});
