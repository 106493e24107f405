import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ask, WatchClient } from './client.ts';
import { onEveryServer } from './environment.ts';
import { valueAt } from './objects.ts';

onEveryServer('built-in kinds', (server) => {
  const within = `namespaces/${server.namespace}`;
  const core = `/api/v1/${within}`;
  const leases = `/apis/coordination.k8s.io/v1/${within}/leases`;
  const slices = `/apis/discovery.k8s.io/v1/${within}/endpointslices`;
  const events = `/apis/events.k8s.io/v1/${within}/events`;
  const pod = (name: string) => ({
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'none' }] },
  });

  it('entries of a list do not say what they are, those of a watch do', async () => {
    await ask(server, 'POST', `${core}/pods`, pod('listed'));
    const { body } = await ask(server, 'GET', `${core}/pods`);
    assert.equal(body.kind, 'PodList');
    assert.equal(body.items[0]?.kind, undefined);
    const client = new WatchClient(server, `${core}/pods?watch=1`);
    const [event] = await client.count(1);
    client.close();
    assert.equal(event?.object.kind, 'Pod');
  });

  it('a pod is selected by its node, and its status is written on its own', async () => {
    const bound = { ...pod('bound'), spec: { ...pod('').spec, nodeName: 'n1' } };
    const { body: made } = await ask(server, 'POST', `${core}/pods`, {
      ...bound,
      status: { podIP: '10.0.0.1' },
    });
    assert.equal(valueAt(made, '.status.phase'), 'Pending');
    assert.equal(valueAt(made, '.status.podIP'), undefined, 'a status of its own is not for the maker');
    const status = {
      phase: 'Running',
      podIPs: [{ ip: '10.0.0.1' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    await ask(server, 'PATCH', `${core}/pods/bound/status`, { status }, 'strategic');
    const path = '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1,status.phase%3DRunning';
    const { body } = await ask(server, 'GET', path);
    assert.deepEqual(
      body.items.map(({ metadata }) => metadata.name),
      ['bound'],
    );
    assert.deepEqual(valueAt(body.items[0], '.status.podIPs'), [{ ip: '10.0.0.1' }]);
  });

  it('a strategic merge patch merges lists by their keys', async () => {
    const condition = (type: string, status: string) => ({ type, status });
    const conditionsOf = (body: unknown) =>
      (valueAt(body, '.status.conditions') as { type: string; status: string }[]).map(
        ({ type, status }) => `${type}=${status}`,
      );
    const patch = (conditions: object[]) =>
      ask(server, 'PATCH', `${core}/pods/merged/status`, { status: { conditions } }, 'strategic');
    await ask(server, 'POST', `${core}/pods`, pod('merged'));
    await patch([condition('Ready', 'False'), condition('Initialized', 'True')]);
    const { body } = await patch([condition('Ready', 'True')]);
    assert.deepEqual(conditionsOf(body), ['Ready=True', 'Initialized=True']);
    const { body: less } = await patch([{ $patch: 'delete', type: 'Ready' }]);
    assert.deepEqual(conditionsOf(less), ['Initialized=True']);
  });

  it('a lease is updated by one of two who saw it', async () => {
    const lease = { metadata: { name: 'leader' }, spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } };
    const { body } = await ask(server, 'POST', leases, lease);
    const take = (holderIdentity: string) =>
      ask(server, 'PUT', `${leases}/leader`, { ...body, spec: { ...lease.spec, holderIdentity } });
    assert.equal((await take('b')).status, 200);
    assert.equal((await take('c')).status, 409);
    assert.equal(
      (await ask(server, 'PUT', `${leases}/leader`, lease)).status,
      422,
      'never without a revision',
    );
  });

  it('a node keeps its status when it is made, a config map is replaced without a revision', async () => {
    const status = { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] };
    const { body } = await ask(server, 'POST', '/api/v1/nodes', {
      metadata: { name: server.clusterName('n1') },
      status,
    });
    assert.deepEqual(valueAt(body, '.status.addresses'), status.addresses);
    const map = (value: string) => ({ metadata: { name: 'settings' }, data: { a: value } });
    await ask(server, 'POST', `${core}/configmaps`, map('1'));
    assert.equal((await ask(server, 'PUT', `${core}/configmaps/settings`, map('2'))).status, 200);
  });

  it('a secret is stored in base64, however it was written', async () => {
    const secret = { metadata: { name: 'key' }, stringData: { a: 'text' } };
    const { body } = await ask(server, 'POST', `${core}/secrets`, secret);
    assert.deepEqual(
      [body['data'], body['stringData'], body['type']],
      [{ a: 'dGV4dA==' }, undefined, 'Opaque'],
    );
  });

  const refusals: readonly [what: string, path: string, body: object, message: RegExp][] = [
    [
      'a pod without containers',
      `${core}/pods`,
      { metadata: { name: 'x' }, spec: {} },
      /spec\.containers: Required value/,
    ],
    [
      'a slice without addresses',
      slices,
      { metadata: { name: 'x' }, addressType: 'IPv4', endpoints: [{ addresses: [] }] },
      /endpoints\[0\]\.addresses: .*at least 1/,
    ],
    [
      'a slice of an unknown family',
      slices,
      { metadata: { name: 'x' }, addressType: 'IPv5', endpoints: [] },
      /Unsupported/,
    ],
    [
      'a service without a port number',
      `${core}/services`,
      { metadata: { name: 'x' }, spec: { ports: [{}] } },
      /spec\.ports\[0\]\.port: /,
    ],
  ];
  for (const [what, path, body, message] of refusals) {
    it(`refused: ${what}`, async () => {
      const reply = await ask(server, 'POST', path, body);
      assert.equal(reply.status, 422);
      assert.match(reply.body.message, message);
    });
  }

  const factOf = (fields: object) => ({
    metadata: { name: 'fact' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'lvs-operator.io/controller',
    reportingInstance: 'controller-0',
    action: 'Allocate',
    reason: 'AddressAssigned',
    note: 'It has 192.0.2.1.',
    type: 'Normal',
    regarding: { kind: 'VirtualService', name: 'web', namespace: server.namespace, uid: 'fact' },
    ...fields,
  });
  const facts: readonly [what: string, fields: object, problems: readonly string[]][] = [
    ['of no time', { eventTime: null }, ['eventTime: Required value']],
    ['of another type', { type: 'Bad' }, ['type: Invalid value: "": has invalid value: Bad']],
    ['by nobody', { reportingController: undefined }, ['reportingController: Required value']],
    [
      'without action, reason and instance',
      { action: '', reason: '', reportingInstance: '' },
      ['reportingInstance: Required value', 'action: Required value', 'reason: Required value'],
    ],
    [
      'that is told at length',
      { note: 'a'.repeat(1025) },
      ['message: Invalid value: "": can have at most 1024 characters'],
    ],
    [
      'that is a series of one',
      { series: { count: 1 } },
      ['series.count: Invalid value: "": should be at least 2', 'series.lastObservedTime: Required value'],
    ],
    [
      'about what has no namespace, outside of default',
      { regarding: { kind: 'AddressPool', name: 'p', uid: 'u' } },
      ['involvedObject.namespace: Invalid value: "": does not match event.namespace'],
    ],
  ];
  for (const [what, fields, problems] of facts) {
    it(`refused: an event ${what}`, async () => {
      const { status, body } = await ask(server, 'POST', events, factOf(fields));
      assert.equal(status, 422);
      for (const problem of problems) assert.ok(body.message.includes(problem), body.message);
    });
  }

  it('an event is a fact, and only its series grows', async () => {
    await ask(server, 'POST', events, factOf({}));
    const patch = (fields: object) => ask(server, 'PATCH', `${events}/fact`, fields, 'merge');
    const series = { count: 2, lastObservedTime: '2026-01-01T00:01:00.000000Z' };
    assert.equal((await patch({ series })).status, 200);
    const { status, body } = await patch({ note: 'It had 192.0.2.1.' });
    assert.equal(status, 422);
    assert.match(body.message, /message: Invalid value: "It had 192\.0\.2\.1\.": field is immutable/);
  });

  it('an event is the same in both of its groups', async () => {
    const regarding = { kind: 'VirtualService', name: 'web', namespace: server.namespace, uid: 'u' };
    const event = {
      metadata: { name: 'web.1' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'lvs-operator.io/controller',
      reportingInstance: 'controller-0',
      action: 'Allocate',
      reason: 'R',
      note: 'N',
      type: 'Normal',
      regarding,
    };
    const { status, body } = await ask(server, 'POST', events, event);
    assert.equal(status, 201, body.message);
    const path = `${core}/events?fieldSelector=involvedObject.uid%3Du`;
    const [seen] = (await ask(server, 'GET', path)).body.items;
    assert.equal(seen?.['message'], 'N');
    assert.deepEqual(seen['involvedObject'], regarding);
    await ask(server, 'PATCH', `${core}/events/web.1`, { count: 2 }, 'merge');
    const { body: again } = await ask(server, 'GET', `${events}/web.1`);
    assert.equal(again['deprecatedCount'], 2);
    assert.equal(again.apiVersion, 'events.k8s.io/v1');
  });

  it('discovery says the same in both of its forms', async () => {
    const get = async (path: string, accept = 'application/json') =>
      (await ask(server, 'GET', path, undefined, 'plain', { accept })).body as unknown;
    const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const whole = (await get('/apis', aggregated)) as {
      items: {
        metadata: { name: string };
        versions: { version: string; resources: { resource: string }[] }[];
      }[];
    };
    const plain = (await get('/apis')) as { groups: { name: string }[] };
    assert.deepEqual(
      whole.items.map(({ metadata }) => metadata.name),
      plain.groups.map(({ name }) => name),
    );
    for (const { metadata, versions } of whole.items) {
      const [version] = versions;
      const list = (await get(`/apis/${metadata.name}/${version?.version}`)) as {
        resources: { name: string }[];
      };
      assert.deepEqual(
        list.resources
          .map(({ name }) => name)
          .filter((name) => !name.includes('/'))
          .toSorted(),
        version?.resources.map(({ resource }) => resource).toSorted(),
      );
    }
    assert.equal((await ask(server, 'GET', '/apis/none/v1')).status, 404);
    const index = (await get('/openapi/v3')) as { paths: Record<string, { serverRelativeURL: string }> };
    for (const { serverRelativeURL } of Object.values(index.paths)) {
      assert.equal((await ask(server, 'GET', serverRelativeURL)).status, 200, serverRelativeURL);
    }
  });
});
