import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeRecord } from '../../src/cluster/index.ts';
import { watchRealServerTriggers } from '../../src/controller/real-server-triggers.ts';
import { endpoint, endpointSlice, pod, realServer, virtualService } from './objects.ts';
import { MemoryStores } from './memory-stores.ts';

/** RealServers of all sorts, and what is called for when something happens to the stores. */
function watched(): {
  readonly stores: MemoryStores;
  readonly woken: (act: () => void) => readonly string[];
} {
  const stores = new MemoryStores();
  stores.putRealServer(realServer({ podSelector: { matchLabels: { app: 'web' } } }, 'web'));
  stores.putRealServer(realServer({ podSelector: { matchLabels: { app: 'web', tier: 'gold' } } }, 'gold'));
  stores.putRealServer(
    realServer(
      { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'cache'] }] } },
      'data',
    ),
  );
  stores.putRealServer(
    realServer({ podSelector: { matchExpressions: [{ key: 'old', operator: 'DoesNotExist' }] } }, 'any'),
  );
  stores.putRealServer(realServer({ serviceRef: { name: 'web' } }, 'service'));
  stores.putRealServer(
    realServer({ addresses: ['192.0.2.1'], virtualServiceRef: { name: 'other' } }, 'fixed'),
  );
  stores.putVirtualService(virtualService());
  const keys = new Set<string>();
  watchRealServerTriggers(stores, (key) => keys.add(key));
  return {
    stores,
    woken: (act) => {
      keys.clear();
      act();
      return [...keys].map((key) => key.replace('shop/', '')).toSorted();
    },
  };
}

describe('what a change concerns', () => {
  it('at the beginning: everything', () => {
    const keys: string[] = [];
    watchRealServerTriggers(watched().stores, (key) => keys.push(key));
    assert.equal(keys.length, 6);
  });

  it('a new pod: those that select it', () => {
    const { stores, woken } = watched();
    assert.deepEqual(
      woken(() => stores.putPod(pod('a'))),
      ['any', 'web'],
    );
    assert.deepEqual(
      woken(() => stores.putPod(pod('b', { labels: { app: 'web', tier: 'gold' } }))),
      ['any', 'gold', 'web'],
    );
    assert.deepEqual(
      woken(() => stores.putPod(pod('c', { labels: { app: 'cache', old: '1' } }))),
      ['data'],
    );
    assert.deepEqual(
      woken(() => stores.putPod(pod('d', { namespace: 'bank' }))),
      [],
    );
  });

  it('a pod that changes: those that chose it before and those that do now', () => {
    const { stores, woken } = watched();
    stores.putPod(pod('a'));
    assert.deepEqual(
      woken(() => stores.putPod(pod('a', { labels: { app: 'db' } }))),
      ['any', 'data', 'web'],
    );
    assert.deepEqual(
      woken(() => stores.putPod(pod('a', { labels: { app: 'db' } }))),
      [],
      'a status that says nothing new',
    );
    assert.deepEqual(
      woken(() => stores.remove('pods', 'shop/a')),
      ['any', 'data'],
    );
  });

  it('a pod that an EndpointSlice points at: those that take the endpoints of its Service', () => {
    const { stores, woken } = watched();
    stores.putPod(pod('a', { labels: { old: '1' } }));
    assert.deepEqual(
      woken(() => stores.putEndpointSlice(endpointSlice([endpoint('10.0.0.1', { pod: 'a' })]))),
      ['service'],
    );
    assert.deepEqual(
      woken(() => stores.putPod(pod('a', { labels: { old: '1' }, isReady: false }))),
      ['service'],
    );
    assert.deepEqual(
      woken(() => stores.remove('endpointSlices', 'shop/web-abc')),
      ['service'],
    );
  });

  it('a pod of another namespace: those that claim its address', () => {
    const { stores, woken } = watched();
    const thief = pod('x', { namespace: 'bank', ips: ['192.0.2.1'] });
    assert.deepEqual(
      woken(() => stores.putPod(thief)),
      ['fixed'],
    );
    stores.putEndpointSlice(endpointSlice([endpoint('192.0.2.9')]));
    assert.deepEqual(
      woken(() => stores.putPod(pod('y', { namespace: 'bank', ips: ['192.0.2.9'] }))),
      ['service'],
    );
  });

  it('a node: those with an endpoint there, when somebody drains or cordons it', () => {
    const { stores, woken } = watched();
    const node = (change: Partial<NodeRecord>): NodeRecord => ({
      name: 'node-1',
      uid: 'node-1',
      addresses: [],
      internalAddress: undefined,
      podCidrs: [],
      isReady: true,
      isUnschedulable: false,
      isDraining: false,
      labels: {},
      ...change,
    });
    stores.putPod(pod('a', { labels: { app: 'db' } }));
    stores.putPod(pod('b', { nodeName: 'node-2', ips: ['10.0.0.2'] }));
    assert.deepEqual(
      woken(() => stores.putNode(node({}))),
      [],
    );
    assert.deepEqual(
      woken(() => stores.putNode(node({ isReady: false }))),
      [],
    );
    assert.deepEqual(
      woken(() => stores.putNode(node({ isDraining: true }))),
      ['any', 'data'],
    );
    assert.deepEqual(
      woken(() => stores.putNode(node({ isDraining: true, isUnschedulable: true }))),
      ['any', 'data'],
    );
    stores.putEndpointSlice(endpointSlice([{ ...endpoint('10.0.0.9'), nodeName: 'node-1' }]));
    assert.deepEqual(
      woken(() => stores.putNode(node({}))),
      ['any', 'data', 'service'],
    );
  });

  it('a VirtualService: those behind it, if it asks for something else', () => {
    const { stores, woken } = watched();
    const behind = ['any', 'data', 'gold', 'service', 'web'];
    const accepted = { addresses: [{ ip: '192.0.2.7', since: '2026-01-01T00:00:00Z' }] };
    assert.deepEqual(
      woken(() => stores.putVirtualService(virtualService({}, accepted))),
      [],
    );
    assert.deepEqual(
      woken(() => stores.putVirtualService(virtualService({ addressFamilies: ['IPv6'] }))),
      behind,
    );
    assert.deepEqual(
      woken(() =>
        stores.putVirtualService(virtualService({ addressFamilies: ['IPv6'], ports: [{ port: 81 }] })),
      ),
      behind,
    );
    const cordon = { addressFamilies: ['IPv6'], ports: [{ port: 81 }], drain: { onCordon: true } };
    assert.deepEqual(
      woken(() => stores.putVirtualService(virtualService(cordon))),
      behind,
    );
  });

  it('a RealServer: itself, and when it goes those that may be the last resort', () => {
    const { stores, woken } = watched();
    assert.deepEqual(
      woken(() => stores.putRealServer(realServer({ addresses: ['192.0.2.2'] }, 'fixed'))),
      ['fixed'],
    );
    assert.deepEqual(
      woken(() => stores.remove('realServers', 'shop/web')),
      ['any', 'data', 'fixed', 'gold', 'service', 'web'],
    );
  });
});
