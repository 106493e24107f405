import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Store } from '../../src/kube/index.ts';
import type { MalformedObject, StoreEntry } from '../../src/kube/index.ts';
import { isOlderVersion } from '../../src/kube/store.ts';

interface Thing {
  readonly tags: readonly string[];
}

function entry(
  key: string,
  version: number,
  tags: readonly string[] = [],
  uid = `uid-${key}`,
): StoreEntry<Thing> {
  return { key, uid, resourceVersion: String(version), object: { tags } };
}

function malformed(key: string, version: number, uid = `uid-${key}`): MalformedObject {
  return { key, uid, resourceVersion: String(version), message: 'no' };
}

function listOf(
  version: number,
  entries: readonly StoreEntry<Thing>[],
  bad: readonly MalformedObject[] = [],
  isComplete = true,
) {
  return {
    resourceVersion: String(version),
    entries: new Map(entries.map((found) => [found.key, found])),
    malformed: new Map(bad.map((problem) => [problem.key, problem])),
    isComplete,
  };
}

function openStore() {
  const errors: unknown[] = [];
  const store = new Store<Thing, 'tag'>({
    indexes: { tag: ({ tags }) => tags },
    onListenerError: (error) => errors.push(error),
  });
  const changes: string[] = [];
  store.subscribe((change) => {
    if (change.kind === 'listed') return;
    changes.push(
      `${change.kind} ${change.key}${change.kind === 'removed' && change.isByAbsence ? ' by absence' : ''}`,
    );
  });
  return { store, changes, errors };
}

describe('store', () => {
  it('keeps an object whose version did not change, and says nothing', () => {
    const { store, changes } = openStore();
    const first = entry('a', 1);
    store.put(first);
    store.put(entry('a', 1));
    store.replace(listOf(5, [entry('a', 1)]));
    assert.equal(store.get('a'), first.object);
    assert.deepEqual(changes, ['added a']);
  });

  it('ignores a late echo of an older version', () => {
    const { store, changes } = openStore();
    store.put(entry('a', 10, ['new']));
    store.put(entry('a', 9, ['old']));
    store.putMalformed(malformed('a', 9));
    assert.deepEqual(store.get('a')?.tags, ['new']);
    assert.deepEqual(changes, ['added a']);
  });

  it('ignores the deletion of a namesake that was there before', () => {
    const { store } = openStore();
    store.put(entry('a', 10, [], 'new'));
    store.remove('a', 'old', '8');
    assert.equal(store.size, 1);
    store.remove('a', 'new', '9');
    assert.equal(store.size, 0);
  });

  it('takes another uid for another object: gone, then there', () => {
    const { store, changes } = openStore();
    store.put(entry('a', 10, ['x'], 'old'));
    // Another object may well have a version that looks older.
    store.put(entry('a', 9, ['y'], 'new'));
    assert.deepEqual(changes, ['added a', 'removed a', 'added a']);
    assert.deepEqual(store.byIndex('tag', 'x'), []);
  });

  it('drops the last good form when a malformed object has taken the name', () => {
    const { store, changes } = openStore();
    store.put(entry('a', 10, [], 'old'));
    store.putMalformed(malformed('a', 11, 'new'));
    assert.deepEqual(changes, ['added a', 'removed a', 'malformed a']);
    assert.equal(store.size, 0);
  });

  it('forgets that an object was malformed when it is mended, deleted or absent', () => {
    const { store } = openStore();
    for (const key of ['a', 'b', 'c']) store.putMalformed(malformed(key, 1));
    store.put(entry('a', 2));
    store.remove('b', 'uid-b', '9');
    assert.deepEqual([...store.malformed.keys()], ['c']);
    store.replace(listOf(5, [entry('a', 2)]));
    assert.equal(store.malformed.size, 0);
  });

  it('keeps what a list has in a form that nobody can read', () => {
    const { store, changes } = openStore();
    store.put(entry('a', 1, ['good']));
    store.replace(listOf(5, [], [malformed('a', 4)]));
    assert.deepEqual(store.get('a')?.tags, ['good']);
    assert.deepEqual(changes, ['added a', 'malformed a']);
  });

  it('removes by absence only what a complete list does not have', () => {
    const { store, changes } = openStore();
    store.put(entry('a', 1));
    store.put(entry('b', 1));
    store.replace(listOf(5, [entry('a', 1)], [], false));
    assert.equal(store.size, 2);
    store.replace(listOf(6, [entry('a', 1)]));
    assert.deepEqual(changes, ['added a', 'added b', 'removed b by absence']);
  });

  it('has the whole list before the first listener hears of it', () => {
    const { store } = openStore();
    const sizes: number[] = [];
    store.subscribe(() => sizes.push(store.size));
    store.replace(listOf(5, [entry('a', 1), entry('b', 2)]));
    assert.deepEqual(sizes, [2, 2, 2]);
  });

  it('is unsynced until the first list, however many events came', async () => {
    const { store } = openStore();
    store.put(entry('a', 1));
    assert.deepEqual(store.state, { kind: 'unsynced' });
    const wait = store.whenSynced();
    store.replace(listOf(5, []));
    await wait;
    assert.deepEqual(store.state, { kind: 'synced', resourceVersion: '5', lists: 1 });
  });

  it('stops waiting for the first list when the signal says so', async () => {
    const { store } = openStore();
    const stop = new AbortController();
    const wait = store.whenSynced(stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(wait, /enough/);
  });

  it('tells the other listeners when one throws', () => {
    const { store, changes, errors } = openStore();
    const unsubscribe = store.subscribe(() => {
      throw new Error('not my day');
    });
    store.subscribe((change) => changes.push(`second heard ${change.kind}`));
    store.put(entry('a', 1));
    unsubscribe();
    store.put(entry('b', 2));
    assert.deepEqual(changes, ['added a', 'second heard added', 'added b', 'second heard added']);
    assert.equal(errors.length, 1);
  });

  it('claims to have observed what lists and events told, and no more', () => {
    const { store } = openStore();
    store.put(entry('early', 3));
    assert.equal(store.observedVersion, undefined, 'an event before the first list tells of one object only');
    store.replace(listOf(5, [entry('a', 1)]));
    assert.equal(store.observedVersion, '5');
    store.put(entry('a', 7));
    assert.equal(store.observedVersion, '7');
    store.put(entry('a', 6));
    assert.equal(store.observedVersion, '7', 'an echo moves nothing back');
    store.remove('a', 'uid-a', '9');
    assert.equal(store.observedVersion, '9');
    store.putMalformed(malformed('b', 11));
    assert.equal(store.observedVersion, '11', 'seen; that it cannot be read is said by malformed');
    store.replace(listOf(4, []));
    assert.equal(store.observedVersion, '4', 'a restored backup is the truth now');
  });

  it('claims nothing new while a list may have hidden a deletion', () => {
    const { store } = openStore();
    store.replace(listOf(5, [entry('a', 1), entry('b', 2)]));
    store.replace(listOf(8, [entry('a', 1)], [], false));
    store.put(entry('a', 9));
    assert.equal(store.observedVersion, '5');
    store.replace(listOf(10, [entry('a', 9), entry('b', 2)]));
    assert.equal(store.observedVersion, '10');
  });

  it('keeps what a list lacks and holds, until an event or another list settles it', () => {
    const { store, changes } = openStore();
    const keys = ['a', 'b', 'c'];
    store.replace(
      listOf(
        5,
        keys.map((key) => entry(key, 1)),
      ),
    );
    store.replace({ ...listOf(8, []), held: new Set(keys) });
    assert.equal(store.size, 3);
    store.put(entry('a', 9));
    assert.deepEqual([...store.heldAbsences], ['b', 'c']);
    assert.equal(store.observedVersion, '5', 'the deletions up to 8 are not taken in');
    store.remove('b', 'uid-b', '10');
    assert.deepEqual([...store.heldAbsences], ['c']);
    store.replace(listOf(12, [entry('a', 9)]));
    assert.deepEqual([...store.heldAbsences], []);
    assert.equal(store.observedVersion, '12');
    assert.deepEqual(changes.slice(3), ['changed a', 'removed b', 'removed c by absence']);
  });

  it('has in its indexes what a search through all objects finds', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const tags = fc.uniqueArray(fc.constantFrom('x', 'y', 'z'));
    const uid = fc.constantFrom('1', '2');
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key, tags, uid, version: fc.nat(50) }),
      fc.record({ kind: fc.constant('remove' as const), key, uid }),
      fc.record({
        kind: fc.constant('replace' as const),
        keys: fc.uniqueArray(key),
        tags,
        uid,
        version: fc.nat(50),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { store } = openStore();
        for (const one of steps) {
          if (one.kind === 'put') store.put(entry(one.key, one.version, one.tags, one.uid));
          else if (one.kind === 'remove') store.remove(one.key, one.uid, '60');
          else
            store.replace(
              listOf(
                1,
                one.keys.map((name) => entry(name, one.version, one.tags, one.uid)),
              ),
            );
          for (const tag of ['x', 'y', 'z']) {
            const searched = [...store.values()].filter((thing) => thing.tags.includes(tag));
            assert.deepEqual(new Set(store.byIndex('tag', tag)), new Set(searched));
          }
        }
      }),
    );
  });
});

describe('age of versions', () => {
  const table: [version: string, than: string, isOlder: boolean][] = [
    ['9', '10', true],
    ['10', '9', false],
    ['10', '10', false],
    ['99999999999999999998', '99999999999999999999', true],
    ['', '5', false],
    ['5', '', false],
    ['v1', '5', false],
  ];
  for (const [version, than, isOlder] of table) {
    it(`"${version}" is ${isOlder ? '' : 'not '}older than "${than}"`, () => {
      assert.equal(isOlderVersion(version, than), isOlder);
    });
  }
});
