import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RealServerSliceResource } from '../../src/api/index.ts';
import { SliceView } from '../../src/controller/slice-view.ts';
import { realServerSliceIndexes } from '../../src/controller/indexes.ts';
import type { RealServerSliceIndex } from '../../src/controller/indexes.ts';
import { Store } from '../../src/kube/index.ts';
import { realServerSlice } from './objects.ts';

const owner = { namespace: 'shop', name: 'pods', uid: 'uid-rs-pods' };

/** A view on a store that the test fills, and what it calls foreign. */
class Desk {
  readonly store = new Store<RealServerSliceResource, RealServerSliceIndex>({
    indexes: realServerSliceIndexes,
    onListenerError: (error) => assert.fail(String(error)),
  });
  readonly view = new SliceView(this.store);
  readonly foreign: string[] = [];

  constructor() {
    this.view.watch((key) => this.foreign.push(key));
  }

  entry(name: string, version: number, addresses: readonly string[]) {
    const object = realServerSlice(name, addresses);
    return { key: `shop/${name}`, uid: `uid-${name}`, resourceVersion: String(version), object };
  }

  write(name: string, version: number, addresses: readonly string[]): void {
    const { uid, resourceVersion, object } = this.entry(name, version, addresses);
    this.view.recordWritten({ resource: object, uid, resourceVersion, isUnreadable: false });
  }

  list(version: number, entries: readonly ReturnType<Desk['entry']>[]): void {
    this.store.replace({
      resourceVersion: String(version),
      entries: new Map(entries.map((entry) => [entry.key, entry])),
      malformed: new Map(),
      isComplete: true,
    });
  }

  get known(): readonly string[] {
    return this.view
      .slicesOf(owner)
      .own.map(({ resource, resourceVersion }) =>
        [
          resource.metadata.name,
          resourceVersion,
          ...resource.spec.endpoints.map(({ address }) => address),
        ].join(' '),
      );
  }
}

describe('slices as this process knows them', () => {
  it('are those of the store, and our writes before the store has them', () => {
    const desk = new Desk();
    desk.list(10, [desk.entry('s0', 5, ['10.0.0.1'])]);
    desk.write('s0', 12, ['10.0.0.1', '10.0.0.2']);
    desk.write('s1', 13, ['10.0.0.3']);
    assert.deepEqual(desk.known, ['s0 12 10.0.0.1 10.0.0.2', 's1 13 10.0.0.3']);
  });

  it('are newer in the store when others wrote after us', () => {
    const desk = new Desk();
    desk.write('s0', 12, ['10.0.0.1']);
    desk.store.put(desk.entry('s0', 14, ['10.0.0.9']));
    assert.deepEqual(desk.known, ['s0 14 10.0.0.9']);
    assert.deepEqual(desk.foreign, ['shop/pods']);
  });

  it('are not called foreign for the echo of our own write, nor for one from before it', () => {
    const desk = new Desk();
    desk.write('s0', 12, ['10.0.0.1']);
    desk.store.put(desk.entry('s0', 11, ['10.0.0.9']));
    assert.deepEqual(desk.known, ['s0 12 10.0.0.1']);
    desk.store.put(desk.entry('s0', 12, ['10.0.0.1']));
    assert.deepEqual(desk.foreign, []);
    desk.store.put(desk.entry('s0', 13, ['10.0.0.1']));
    assert.deepEqual(desk.foreign, ['shop/pods']);
  });

  it('are gone once we deleted them, and back when they are made anew', () => {
    const desk = new Desk();
    desk.list(10, [desk.entry('s0', 5, ['10.0.0.1'])]);
    desk.view.recordDeleted('shop/s0', 'uid-s0');
    assert.deepEqual(desk.known, []);
    desk.store.put({ ...desk.entry('s0', 20, ['10.0.0.2']), uid: 'another' });
    assert.deepEqual(desk.known, ['s0 20 10.0.0.2']);
  });

  it('are gone when others deleted what the store had never seen', () => {
    const desk = new Desk();
    desk.write('s0', 12, ['10.0.0.1']);
    desk.list(11, []);
    assert.deepEqual(desk.known, ['s0 12 10.0.0.1'], 'the list is older than our write');
    desk.list(15, []);
    assert.deepEqual(desk.known, []);
  });

  it('are called foreign when others delete them', () => {
    const desk = new Desk();
    desk.list(10, [desk.entry('s0', 5, ['10.0.0.1'])]);
    desk.foreign.length = 0;
    desk.store.remove('shop/s0', 'uid-s0', '11');
    assert.deepEqual([desk.known, desk.foreign], [[], ['shop/pods']]);
  });
});
