import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseNode } from '../../src/cluster/index.ts';
import type { ControllerKinds } from '../../src/controller/controller-stores.ts';
import { UnreadableObjects } from '../../src/controller/unreadable-objects.ts';
import { ViewBuilder } from '../../src/controller/view-builder.ts';
import type { Urgency } from '../../src/controller/view-builder.ts';
import { Store } from '../../src/kube/index.ts';
import { realServer, realServerSlice, virtualService } from './objects.ts';

/** What wakes a controller into deciding: most of what it hears is the echo of its own writes. */

const kindNames = [
  'virtualServices',
  'realServers',
  'realServerSlices',
  'addressPools',
  'directors',
  'nodes',
  'namespaces',
  'serviceCidrs',
  'apiServerSlices',
] as const;
type KindName = (typeof kindNames)[number];

class Rig {
  readonly heard: Urgency[] = [];
  readonly builder: ViewBuilder;
  readonly #stores = new Map(
    kindNames.map((name) => [
      name,
      new Store<unknown>({ onListenerError: (error) => assert.fail(String(error)) }),
    ]),
  );
  #version = 0;

  constructor() {
    const kinds = Object.fromEntries([...this.#stores].map(([name, store]) => [name, { store }]));
    this.builder = new ViewBuilder(
      {
        kinds: kinds as unknown as ControllerKinds,
        unreadable: { virtualServices: new UnreadableObjects(), addressPools: new UnreadableObjects() },
        apiServerAddresses: [],
      },
      (urgency) => this.heard.push(urgency),
    );
  }

  put(kind: KindName, object: object): void {
    const { name = 'one' } = 'metadata' in object ? (object.metadata as { readonly name: string }) : {};
    const key = `shop/${name}`;
    this.#stores.get(kind)?.put({ key, uid: key, resourceVersion: String(++this.#version), object });
  }

  remove(kind: KindName, name: string): void {
    this.#stores.get(kind)?.remove(`shop/${name}`, `shop/${name}`, String(++this.#version));
  }

  /** What was heard since the last call. */
  take(): readonly Urgency[] {
    return this.heard.splice(0);
  }
}

function withGeneration<T extends { readonly metadata: object }>(object: T, generation: number): T {
  return { ...object, metadata: { ...object.metadata, generation } };
}

describe('a view of the cluster', () => {
  it('asks for a decision soon when somebody asked for something', () => {
    const rig = new Rig();
    rig.put('virtualServices', virtualService());
    rig.put('realServers', realServer({ addresses: ['192.0.2.1'] }));
    rig.put('namespaces', {});
    assert.deepEqual(rig.take(), ['soon', 'soon', 'soon']);
    rig.put('virtualServices', withGeneration(virtualService({ scheduler: 'rr' }), 2));
    rig.remove('realServers', 'pods');
    assert.deepEqual(rig.take(), ['soon', 'soon']);
  });

  it('waits with what has only turned out', () => {
    const rig = new Rig();
    rig.put('virtualServices', virtualService());
    rig.take();
    rig.put('virtualServices', virtualService({}, { realServersReady: '1/1' }));
    rig.put('realServerSlices', realServerSlice('pods-1', ['10.0.0.1']));
    rig.put('directors', {});
    assert.deepEqual(rig.take(), ['later', 'later', 'later']);
  });

  it('does not hear of the status of a RealServer, nor of a node that says that it is well', () => {
    const rig = new Rig();
    const node = (heard: string) =>
      parseNode({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n1', uid: 'n1' },
        status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: heard }] },
      });
    rig.put('realServers', realServer({ addresses: ['192.0.2.1'] }));
    rig.put('nodes', node('2026-01-01T00:00:00Z'));
    const { realServers } = rig.builder.build();
    rig.take();
    rig.put('realServers', realServer({ addresses: ['192.0.2.1'] }));
    rig.put('nodes', node('2026-01-01T00:05:00Z'));
    assert.deepEqual(rig.take(), []);
    assert.equal(rig.builder.build().realServers, realServers, 'the same list');
  });
});
