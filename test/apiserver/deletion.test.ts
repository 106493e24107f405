import assert from 'node:assert/strict';
import { it } from 'node:test';
import { realServer, virtualService } from '../api/objects.ts';
import { ask, crdBase, pathsIn, WatchClient } from './client.ts';
import { onEveryServer } from './environment.ts';
import { valueAt } from './objects.ts';

onEveryServer('deletion', (server) => {
  const { services, service } = pathsIn(server.namespace);
  const realServers = `${crdBase}/namespaces/${server.namespace}/realservers`;

  async function make(name: string, metadata: object = {}): Promise<string> {
    const { status, body } = await ask(server, 'POST', services, virtualService({}, { name, ...metadata }));
    assert.equal(status, 201, body.message);
    return body.metadata.uid ?? '';
  }

  async function makeChild(name: string, uid: string, owner: string): Promise<void> {
    const apiVersion = 'networking.lvs-operator.io/v1alpha1';
    const ownerReferences = [
      { apiVersion, kind: 'VirtualService', name: owner, uid, blockOwnerDeletion: true },
    ];
    const { status } = await ask(server, 'POST', realServers, realServer({}, { name, ownerReferences }));
    assert.equal(status, 201);
  }

  /** Resolves when the object is gone. */
  async function isGone(path: string): Promise<void> {
    const [, base = '', name = ''] = /^(.*)\/([^/]+)$/.exec(path) ?? [];
    const query = `watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;
    const client = new WatchClient(server, `${base}?${query}&fieldSelector=metadata.name%3D${name}`);
    for (let seen = 1; ; seen++) {
      const events = await client.count(seen);
      const isThere = (await ask(server, 'GET', path)).status === 200;
      if (!isThere || events.at(-1)?.type === 'DELETED') break;
    }
    client.close();
  }

  it('without finalizers ends at once, and says what ended', async () => {
    const uid = await make('plain');
    const { status, body } = await ask(server, 'DELETE', service('plain'));
    assert.equal(status, 200);
    assert.equal(body['status'], 'Success');
    assert.deepEqual(body['details'], {
      name: 'plain',
      group: 'networking.lvs-operator.io',
      kind: 'virtualservices',
      uid,
    });
    assert.equal((await ask(server, 'DELETE', service('plain'))).status, 404);
  });

  it('waits for finalizers, takes no new ones, and ends with the last', async () => {
    await make('held', { finalizers: ['example.org/a', 'example.org/b'] });
    const { body } = await ask(server, 'DELETE', service('held'));
    assert.ok(body.metadata.deletionTimestamp);
    assert.equal(body.metadata.generation, 2);
    const again = await ask(server, 'DELETE', service('held'));
    assert.equal(again.body.metadata.resourceVersion, body.metadata.resourceVersion);
    const set = (finalizers: readonly string[]) =>
      ask(server, 'PATCH', service('held'), { metadata: { finalizers } }, 'merge');
    const more = await set(['example.org/a', 'example.org/b', 'example.org/c']);
    assert.equal(more.status, 422);
    assert.match(more.body.message, /no new finalizers can be added if the object is being deleted/);
    assert.equal((await set(['example.org/b'])).status, 200);
    assert.equal((await ask(server, 'GET', service('held'))).status, 200);
    assert.equal((await set([])).status, 200);
    assert.equal((await ask(server, 'GET', service('held'))).status, 404);
  });

  it('is refused where the object is not the one that was meant', async () => {
    await make('meant');
    const body = { preconditions: { uid: 'other' } };
    const refused = await ask(server, 'DELETE', service('meant'), body);
    assert.equal(refused.status, 409);
    assert.match(
      refused.body.message,
      /the UID in the precondition \(other\) does not match the UID in record \(.*\)\. The object might have been deleted and then recreated/,
    );
    const byRevision = await ask(server, 'DELETE', service('meant'), {
      preconditions: { resourceVersion: '1' },
    });
    assert.equal(byRevision.status, 409);
    assert.equal((await ask(server, 'DELETE', `${service('meant')}?dryRun=All`)).status, 200);
    assert.equal((await ask(server, 'GET', service('meant'))).status, 200);
  });

  it('of a namespace lets nothing new in, and takes its content along', async () => {
    const shop = await server.openNamespace('shop');
    const inside = pathsIn(shop).services;
    const held = virtualService({}, { name: 'held', finalizers: ['example.org/a'] });
    assert.equal((await ask(server, 'POST', inside, held)).status, 201);
    const { body } = await ask(server, 'DELETE', `/api/v1/namespaces/${shop}`);
    assert.equal(valueAt(body, '.status.phase'), 'Terminating');
    const late = await ask(server, 'POST', inside, virtualService());
    assert.equal(late.status, 403);
    assert.match(late.body.message, /because it is being terminated/);
    await ask(server, 'PATCH', `${inside}/held`, { metadata: { finalizers: null } }, 'merge');
    if (!server.collectsGarbage) return;
    await isGone(`/api/v1/namespaces/${shop}`);
    assert.equal((await ask(server, 'GET', `${inside}/held`)).status, 404);
  });

  // What kube-controller-manager does, where there is one.
  if (server.collectsGarbage) {
    it('of an owner deletes what it alone owns', async () => {
      const uid = await make('owner');
      await makeChild('child', uid, 'owner');
      await ask(server, 'DELETE', service('owner'));
      await isGone(`${realServers}/child`);
      assert.equal((await ask(server, 'GET', `${realServers}/child`)).status, 404);
    });

    it('in the foreground ends after the dependents', async () => {
      const uid = await make('owner');
      await makeChild('child', uid, 'owner');
      const { body } = await ask(server, 'DELETE', `${service('owner')}?propagationPolicy=Foreground`);
      assert.deepEqual(body.metadata.finalizers, ['foregroundDeletion']);
      await isGone(service('owner'));
      assert.equal((await ask(server, 'GET', `${realServers}/child`)).status, 404);
    });

    it('that orphans leaves the dependents without their owner', async () => {
      const uid = await make('owner');
      await makeChild('child', uid, 'owner');
      await ask(server, 'DELETE', service('owner'), { propagationPolicy: 'Orphan' });
      await isGone(service('owner'));
      const { body } = await ask(server, 'GET', `${realServers}/child`);
      assert.deepEqual(body.metadata.ownerReferences, []);
      await ask(server, 'DELETE', `${realServers}/child`);
    });
  }

  it('of a pod on a node waits for the kubelet, which there is none', async () => {
    const pods = `/api/v1/namespaces/${server.namespace}/pods`;
    const pod = (name: string, nodeName: string) => ({
      metadata: { name },
      spec: { containers: [{ name: 'main', image: 'none' }], ...(nodeName === '' ? {} : { nodeName }) },
    });
    await ask(server, 'POST', pods, pod('bound', 'n1'));
    await ask(server, 'POST', pods, pod('free', ''));
    assert.equal((await ask(server, 'DELETE', `${pods}/free`)).status, 200);
    assert.equal((await ask(server, 'GET', `${pods}/free`)).status, 404);
    const { body } = await ask(server, 'DELETE', `${pods}/bound`);
    assert.equal(body.metadata.deletionGracePeriodSeconds, 30);
    assert.equal((await ask(server, 'GET', `${pods}/bound`)).status, 200);
    await ask(server, 'DELETE', `${pods}/bound?gracePeriodSeconds=0`);
    assert.equal((await ask(server, 'GET', `${pods}/bound`)).status, 404);
  });
});
