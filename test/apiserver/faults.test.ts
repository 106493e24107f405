import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { virtualService } from '../api/objects.ts';
import { ask, pathsIn, WatchClient } from './client.ts';
import { startApiServer } from './start-api-server.ts';
import type { ApiServer } from './start-api-server.ts';

const { services, service } = pathsIn('default');

describe('faults of an API server', () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer({ bookmarkMs: 3_600_000 });
    await ask(server, 'POST', services, virtualService());
  });
  after(() => server.close());
  afterEach(() => server.faults.clear());

  const list = () => ask(server, 'GET', services);
  const touch = (scheduler: string) => ask(server, 'PATCH', service('web'), { spec: { scheduler } }, 'merge');
  /** A watch that has begun. */
  async function watching(query = ''): Promise<WatchClient> {
    const client = new WatchClient(server, `${services}?watch=true${query}`);
    await client.count(1);
    return client;
  }

  for (const [code, reason] of [
    [410, 'Expired'],
    [429, 'TooManyRequests'],
    [500, 'InternalError'],
    [503, 'ServiceUnavailable'],
  ] as const) {
    it(`answers ${code} as often as asked, and then again what is true`, async () => {
      const answer = { do: 'answer', code, retryAfterSeconds: 3 } as const;
      const fault = server.faults.add({ verb: 'list', resource: 'virtualservices' }, answer, 2);
      for (let turn = 0; turn < 2; turn++) {
        const { status, body, headers } = await list();
        assert.deepEqual([status, body.reason], [code, reason]);
        assert.equal(headers.get('retry-after'), '3');
      }
      assert.equal((await list()).status, 200);
      assert.equal(fault.hits, 2);
    });
  }

  it('strikes only the requests that match', async () => {
    server.faults.add({ verb: 'patch', name: 'other' }, { do: 'drop' });
    const fault = server.faults.add({ verb: 'patch', name: 'web' }, { do: 'answer', code: 500 });
    assert.equal((await touch('rr')).status, 500);
    assert.equal((await list()).status, 200);
    fault.remove();
    assert.equal((await touch('wlc')).status, 200);
  });

  it('drops a connection, or resets it in the middle of an answer', async () => {
    server.faults.add({ verb: 'list' }, { do: 'drop' }, 1);
    await assert.rejects(list());
    server.faults.add({ verb: 'list' }, { do: 'reset', afterBytes: 20 }, 1);
    const response = await fetch(`${server.url}${services}`);
    assert.equal(response.status, 200);
    await assert.rejects(response.text());
  });

  it('delays an answer, or never gives one', async () => {
    server.faults.add({ verb: 'list' }, { do: 'delay', ms: 60 }, 1);
    const start = performance.now();
    await list();
    assert.ok(performance.now() - start > 50);
    server.faults.add({ verb: 'list' }, { do: 'stall' }, 1);
    const signal = AbortSignal.timeout(100);
    await assert.rejects(fetch(`${server.url}${services}`, { signal }), { name: 'TimeoutError' });
  });

  it('does the work and loses the answer', async () => {
    server.faults.add({ verb: 'patch' }, { do: 'lose-answer' }, 1);
    await assert.rejects(touch('sed'));
    const { body } = await ask(server, 'GET', service('web'));
    assert.equal((body['spec'] as { scheduler: string }).scheduler, 'sed');
  });

  it('shows an empty list, or the past', async () => {
    const { revision } = server.store;
    await ask(server, 'POST', services, virtualService({}, { name: 'late' }));
    server.faults.add({ verb: 'list' }, { do: 'empty-list' }, 1);
    assert.deepEqual((await list()).body.items, []);
    server.faults.add({}, { do: 'stale', revision });
    const { body } = await list();
    assert.equal(body.items.length, 1);
    assert.equal(body.metadata.resourceVersion, String(revision));
    assert.equal((await ask(server, 'GET', service('late'))).status, 404);
    server.faults.clear();
    assert.equal((await list()).body.items.length, 2);
    await ask(server, 'DELETE', service('late'));
  });

  it('stalls a watch without closing it', async () => {
    const [stalled, healthy] = [await watching('&timeoutSeconds=60'), await watching()];
    const [first] = server.faults.watches({ resource: 'virtualservices' });
    first?.stall();
    await touch('nq');
    await healthy.count(2);
    assert.equal(stalled.events.length, 1);
    stalled.close();
    healthy.close();
    await Promise.all([stalled.ended, healthy.ended]);
  });

  it('resets a watch in the middle of a line', async () => {
    const client = await watching();
    for (const watch of server.faults.watches()) watch.reset(true);
    assert.match(await client.ended, /^broke/);
    assert.match(client.rest, /^\{"type":"MODIFIED"/);
  });

  it('ends a watch, or tells it that it is too late', async () => {
    const ended = await watching();
    for (const watch of server.faults.watches()) watch.end();
    assert.equal(await ended.ended, 'ended');
    const expired = await watching();
    for (const watch of server.faults.watches()) watch.expire();
    assert.equal(await expired.ended, 'ended');
    assert.equal(expired.events.at(-1)?.object.code, 410);
    assert.deepEqual(server.faults.watches(), []);
  });

  it('sends what is no event', async () => {
    const client = await watching('&allowWatchBookmarks=true');
    const [watch] = server.faults.watches();
    const bytes = Buffer.from('{"type":"ADDED","object":{"kind":"Ä","metadata":{"name":"ü"}}}\n');
    watch?.raw(bytes.subarray(0, 35));
    watch?.raw(bytes.subarray(35));
    watch?.bookmark();
    const events = await client.count(3);
    assert.deepEqual(events[1]?.object.metadata.name, 'ü');
    assert.equal(events[2]?.type, 'BOOKMARK');
    client.close();
    await client.ended;
  });

  it('records who asked for what', async () => {
    server.requests.length = 0;
    await touch('rr');
    await ask(server, 'GET', '/version');
    const [write, read] = server.requests;
    assert.deepEqual(
      [write?.verb, write?.resource, write?.name, write?.status],
      ['patch', 'virtualservices', 'web', 200],
    );
    assert.equal(write?.userAgent, 'suite/1');
    assert.ok(write.bytesIn > 10);
    assert.equal(read?.verb, 'nonresource');
  });
});

describe('users of an API server', () => {
  const tokens = new Map([
    ['secret-1', { username: 'system:serviceaccount:lvs:controller', groups: ['system:serviceaccounts'] }],
  ]);
  let server: ApiServer;
  before(async () => {
    server = await startApiServer({ tokens, authorize: ({ verb }) => verb !== 'delete' });
  });
  after(() => server.close());

  const as = (token: string, method: string, path: string, body?: unknown) =>
    ask(server, method, path, body, 'plain', { authorization: `Bearer ${token}` });

  it('are known by their token, until it is replaced', async () => {
    assert.equal((await ask(server, 'GET', services)).status, 401);
    assert.equal((await as('secret-1', 'GET', services)).status, 200);
    const [user] = [...tokens.values()];
    tokens.delete('secret-1');
    if (user !== undefined) tokens.set('secret-2', user);
    const { status, body } = await as('secret-1', 'GET', services);
    assert.deepEqual([status, body.reason], [401, 'Unauthorized']);
    assert.equal((await as('secret-2', 'GET', services)).status, 200);
  });

  it('may do what they are allowed to do', async () => {
    const { status, body } = await as('secret-2', 'DELETE', service('web'));
    assert.equal(status, 403);
    assert.equal(
      body.message,
      'virtualservices.networking.lvs-operator.io "web" is forbidden: User "system:serviceaccount:lvs:controller" cannot delete resource "virtualservices" in API group "networking.lvs-operator.io" in the namespace "default"',
    );
  });

  it('are reviewed', async () => {
    const review = (spec: object) =>
      as('secret-2', 'POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec });
    const [good, bad] = [await review({ token: 'secret-2' }), await review({ token: 'secret-1' })];
    assert.equal((good.body['status'] as { authenticated?: boolean }).authenticated, true);
    assert.equal((bad.body['status'] as { authenticated?: boolean }).authenticated, undefined);
    const may = async (verb: string) => {
      const spec = { user: 'x', resourceAttributes: { verb, resource: 'virtualservices' } };
      const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
      return (await as('secret-2', 'POST', path, { spec })).body['status'];
    };
    assert.deepEqual([await may('get'), await may('delete')], [{ allowed: true }, { allowed: false }]);
  });
});
