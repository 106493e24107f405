import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { realServer, virtualService } from '../api/objects.ts';
import { ask, crdBase, pathsIn, WatchClient } from './client.ts';
import type { Reply } from './client.ts';
import { onEveryServer } from './environment.ts';
import { startApiServer } from './start-api-server.ts';

const names = ({ body }: Reply) => body.items.map(({ metadata }) => metadata.name);
const listMeta = ({ body }: Reply) =>
  body.metadata as {
    readonly continue?: string;
    readonly resourceVersion: string;
    readonly remainingItemCount?: number;
  };

onEveryServer('lists and watches', (server) => {
  const { services, service } = pathsIn(server.namespace);

  async function fill(...wanted: readonly string[]): Promise<void> {
    await ask(server, 'DELETE', services);
    for (const name of wanted) {
      const labels = { tier: name < 'c' ? 'front' : 'back', [`is-${name}`]: 'yes' };
      assert.equal((await ask(server, 'POST', services, virtualService({}, { name, labels }))).status, 201);
    }
  }
  const list = (query = '') => ask(server, 'GET', `${services}${query}`);
  const edit = (name: string, body: object) => ask(server, 'PATCH', service(name), body, 'merge');

  it('pages show one moment, whatever happens between them', async () => {
    await fill('a', 'b', 'c', 'd', 'e');
    const first = await list('?limit=2');
    assert.deepEqual(names(first), ['a', 'b']);
    assert.equal(listMeta(first).remainingItemCount, 3);
    await ask(server, 'DELETE', service('c'));
    await ask(server, 'POST', services, virtualService({}, { name: 'bb' }));
    const second = await list(`?limit=2&continue=${listMeta(first).continue}`);
    assert.deepEqual(names(second), ['c', 'd']);
    const third = await list(`?limit=2&continue=${listMeta(second).continue}`);
    assert.deepEqual(names(third), ['e']);
    assert.equal(listMeta(third).continue, '');
    assert.equal(listMeta(third).resourceVersion, listMeta(first).resourceVersion);
    assert.deepEqual(names(await list()), ['a', 'b', 'bb', 'd', 'e']);
  });

  const queries: readonly [what: string, query: string, expected: readonly string[] | number][] = [
    ['everything', '', ['a', 'b', 'c']],
    ['one label', '?labelSelector=tier%3Dfront', ['a', 'b']],
    ['another label', '?labelSelector=tier!%3Dfront', ['c']],
    ['a set', '?labelSelector=tier%20in%20(back,side)', ['c']],
    ['not in a set', '?labelSelector=tier%20notin%20(back)', ['a', 'b']],
    ['a label that is there', '?labelSelector=is-a', ['a']],
    ['a label that is not there', '?labelSelector=!is-a', ['b', 'c']],
    ['two labels', '?labelSelector=tier%3Dfront,is-b', ['b']],
    ['a name', '?fieldSelector=metadata.name%3Db', ['b']],
    ['another name', '?fieldSelector=metadata.name!%3Db', ['a', 'c']],
    ['any revision, whose pages are not cut', '?resourceVersion=0&limit=1', ['a', 'b', 'c']],
    ['a revision to come', '?resourceVersion=999999', 504],
    ['a revision that is none', '?resourceVersion=x', 400],
    ['a match without a revision', '?resourceVersionMatch=Exact', 422],
    ['initial events of a list', '?sendInitialEvents=true', 422],
    ['a token that is none', '?continue=x', 400],
    ['a selector that is none', '?labelSelector=a%20b%20c', 400],
  ];
  for (const [what, query, expected] of queries) {
    it(`a list by ${what}`, async () => {
      await fill('a', 'b', 'c');
      const reply = await list(query);
      if (typeof expected === 'number') assert.equal(reply.status, expected, reply.body.message);
      else assert.deepEqual(names(reply), expected);
    });
  }

  it('a list at an exact revision shows what was', async () => {
    await fill('a', 'b');
    const { resourceVersion } = listMeta(await list());
    await ask(server, 'DELETE', service('a'));
    const then = await list(`?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`);
    assert.deepEqual(names(then), ['a', 'b']);
  });

  it('selectable fields of a definition select', async () => {
    const base = `${crdBase}/namespaces/${server.namespace}/realservers`;
    for (const name of ['one', 'two']) {
      await ask(server, 'POST', base, realServer({ virtualServiceRef: { name } }, { name }));
    }
    const path = `${crdBase}/realservers?fieldSelector=spec.virtualServiceRef.name%3Dtwo`;
    assert.deepEqual(names(await ask(server, 'GET', path)), ['two']);
  });

  it('a collection is of one namespace or of all', async () => {
    await fill('a');
    const inShop = pathsIn(await server.openNamespace('shop')).services;
    await ask(server, 'POST', inShop, virtualService({}, { name: 'z' }));
    assert.deepEqual(names(await list()), ['a']);
    const { body } = await ask(server, 'GET', `${crdBase}/virtualservices`);
    const ours = body.items.filter(({ metadata }) => metadata.namespace?.startsWith(server.prefix));
    assert.deepEqual(ours.map(({ metadata }) => metadata.name).toSorted(), ['a', 'z']);
    assert.equal((await ask(server, 'DELETE', inShop)).status, 200);
  });

  it('a table has the columns of the definition, and the age', async () => {
    await fill('a');
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const { body } = await ask(server, 'GET', services, undefined, 'plain', { accept });
    const { columnDefinitions, rows } = body as unknown as {
      columnDefinitions: { name: string; priority: number }[];
      rows: { cells: unknown[]; object: { kind: string } }[];
    };
    assert.deepEqual(
      columnDefinitions.map(({ name, priority }) => [name, priority]),
      [
        ['Name', 0],
        ['VIP', 0],
        ['Ports', 0],
        ['Scheduler', 0],
        ['Forwarding', 0],
        ['Real-Servers', 0],
        ['Ready', 0],
        ['Age', 0],
        ['Reason', 1],
        ['Directors', 1],
        ['Grouping', 1],
        ['Persistence', 1],
      ],
    );
    const cells = rows[0]?.cells ?? [];
    assert.deepEqual(cells.slice(0, 7), ['a', null, null, 'wlc', 'NAT', null, 'Unknown']);
    assert.match(String(cells[7]), /^\d+s$/);
    assert.deepEqual(cells.slice(8), ['Pending', null, 'Separate', null]);
    assert.equal(rows[0]?.object.kind, 'PartialObjectMetadata');
  });

  const short = (events: readonly { type: string; object: { metadata: { name: string } } }[]) =>
    events.map(({ type, object }) => `${type} ${object.metadata.name}`);
  const watch = (query: string) => new WatchClient(server, `${services}?watch=true${query}`);

  it('a watch goes on from the revision of a list', async () => {
    await fill('a');
    const { resourceVersion } = listMeta(await list());
    await edit('a', { spec: { scheduler: 'rr' } });
    const client = watch(`&resourceVersion=${resourceVersion}`);
    await client.count(1);
    await edit('a', { spec: { scheduler: 'lc' } });
    await ask(server, 'POST', services, virtualService({}, { name: 'b' }));
    await ask(server, 'DELETE', service('a'));
    const events = await client.count(4);
    client.close();
    assert.deepEqual(short(events), ['MODIFIED a', 'MODIFIED a', 'ADDED b', 'DELETED a']);
    const revisions = events.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(revisions).size, 4, 'a deletion has a revision of its own');
  });

  it('a watch without a revision begins with what there is', async () => {
    await fill('a', 'b');
    const client = watch('');
    assert.deepEqual(short(await client.count(2)), ['ADDED a', 'ADDED b']);
    client.close();
  });

  it('initial events end with a bookmark that says so', async () => {
    await fill('a');
    const client = watch(
      '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
    );
    const [added, bookmark] = await client.count(2);
    client.close();
    assert.equal(added?.type, 'ADDED');
    assert.equal(bookmark?.type, 'BOOKMARK');
    assert.deepEqual(bookmark.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
    assert.equal((await list('?watch=true&sendInitialEvents=true')).status, 422);
  });

  it('bookmarks come to those who ask, and before the time is over', async () => {
    await fill('a');
    const { resourceVersion } = listMeta(await list());
    const client = watch(`&resourceVersion=${resourceVersion}&allowWatchBookmarks=true&timeoutSeconds=1`);
    const silent = watch(`&resourceVersion=${resourceVersion}&timeoutSeconds=1`);
    assert.equal(await client.ended, 'ended');
    assert.equal(await silent.ended, 'ended');
    // A real server promises none, and sends them about once a minute.
    if (!server.isReal) assert.equal(client.events.length, 1);
    for (const { type, object } of client.events) {
      assert.equal(type, 'BOOKMARK');
      assert.ok(Number(object.metadata.resourceVersion) >= Number(resourceVersion));
    }
    assert.deepEqual(silent.events, []);
  });

  it('a watch with a selector sees objects come and go by it', async () => {
    await fill('a');
    const { resourceVersion } = listMeta(await list());
    const client = watch(`&resourceVersion=${resourceVersion}&labelSelector=tier%3Dback`);
    await edit('a', { metadata: { labels: { tier: 'back' } } });
    await edit('a', { spec: { scheduler: 'rr' } });
    await edit('a', { metadata: { labels: { tier: 'front' } } });
    await edit('a', { spec: { scheduler: 'lc' } });
    await ask(server, 'POST', services, virtualService({}, { name: 'b', labels: { tier: 'back' } }));
    const events = await client.count(4);
    client.close();
    assert.deepEqual(short(events), ['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED b']);
    assert.equal(events[2]?.object.metadata.labels?.['tier'], 'back', 'the last state that matched');
  });

  it('a watch from before the window is told that it is too late', async () => {
    await fill('a');
    server.inProcess?.store.compact();
    const client = watch('&resourceVersion=1');
    const [event] = await client.count(1);
    assert.equal(event?.type, 'ERROR');
    assert.equal(event.object.code, 410);
    assert.equal(event.object.reason, 'Expired');
    assert.equal(await client.ended, 'ended');
  });

  it('initial events of a revision to come time out', async () => {
    const initial = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999';
    const client = watch(`&${initial}`);
    const [event] = await client.count(1);
    assert.equal(event?.type, 'ERROR');
    assert.equal(event.object.code, 504);
    assert.match(String(event.object['message']), /Too large resource version: 999999/);
    client.close();
  });

  it('a watch of tables names the columns once', async () => {
    await fill('a', 'b');
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const client = new WatchClient(server, `${services}?watch=true`, { accept });
    const [first, second] = await client.count(2);
    client.close();
    assert.equal(first?.object.kind, 'Table');
    assert.ok(Array.isArray(first.object['columnDefinitions']));
    assert.equal(second?.object['columnDefinitions'], null);
  });
});

/** kube-apiserver does so only when its cache and etcd have both forgotten; the next compaction may be minutes away. */
describe('the server in this process', () => {
  it('forgets on demand, and the token of a list has a successor that goes on from now', async () => {
    const server = await startApiServer();
    try {
      const { services, service } = pathsIn('default');
      const list = (query: string) => ask(server, 'GET', `${services}${query}`);
      for (const name of ['a', 'b', 'c']) await ask(server, 'POST', services, virtualService({}, { name }));
      const first = listMeta(await list('?limit=1'));
      await ask(server, 'DELETE', service('b'));
      server.store.compact();
      const expired = await list(`?limit=1&continue=${first.continue}`);
      assert.equal(expired.status, 410);
      assert.equal(expired.body.reason, 'Expired');
      assert.match(expired.body.message, /^The provided continue parameter is too old/);
      assert.deepEqual(names(await list(`?continue=${listMeta(expired).continue}`)), ['c']);
      const exact = `?resourceVersion=${first.resourceVersion}&resourceVersionMatch=Exact`;
      assert.equal((await list(exact)).status, 410);
    } finally {
      await server.close();
    }
  });

  it('a watch from a revision to come is silent until then, and has no initial events', async () => {
    const server = await startApiServer();
    try {
      const { services, service } = pathsIn('default');
      const edit = (scheduler: string) =>
        ask(server, 'PATCH', service('a'), { spec: { scheduler } }, 'merge');
      const watch = (query: string) => new WatchClient(server, `${services}?watch=true${query}`);
      await ask(server, 'POST', services, virtualService({}, { name: 'a' }));
      const client = watch(`&resourceVersion=${server.store.revision + 1}`);
      const unfiltered = watch(`&resourceVersion=${server.store.revision}`);
      while (server.faults.watches().length < 2) await setImmediate();
      await edit('rr');
      await unfiltered.count(1);
      await edit('lc');
      const [event] = await client.count(1);
      assert.equal(event?.object.metadata.resourceVersion, String(server.store.revision));
      client.close();
      unfiltered.close();
    } finally {
      await server.close();
    }
  });

  it('the window is as long as it was made', async () => {
    const small = await startApiServer({ watchWindow: 2 });
    try {
      const revisions: string[] = [];
      const { services } = pathsIn('default');
      for (const name of ['a', 'b', 'c', 'd']) {
        const { body } = await ask(small, 'POST', services, virtualService({}, { name }));
        revisions.push(body.metadata.resourceVersion ?? '');
      }
      const typeOfFirst = async (revision: string | undefined) => {
        const client = new WatchClient(small, `${services}?watch=true&resourceVersion=${revision}`);
        const [event] = await client.count(1);
        client.close();
        return event?.type;
      };
      assert.equal(await typeOfFirst(revisions[0]), 'ERROR');
      assert.equal(await typeOfFirst(revisions[1]), 'ADDED');
    } finally {
      await small.close();
    }
  });
});
