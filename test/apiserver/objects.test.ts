import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { addressPool, realServer, virtualService } from '../api/objects.ts';
import { ask, crdBase, pathsIn } from './client.ts';
import { onEveryServer } from './environment.ts';
import { valueAt } from './objects.ts';

onEveryServer('objects', (server) => {
  const { services, service } = pathsIn(server.namespace);
  beforeEach(async () => {
    for (const kind of ['virtualservices', 'realservers']) {
      await ask(server, 'DELETE', `${crdBase}/namespaces/${server.namespace}/${kind}`);
    }
  });

  const create = (spec: object = {}, metadata: object = {}) =>
    ask(server, 'POST', services, virtualService(spec, metadata));
  const patch = (body: object, name = 'web') => ask(server, 'PATCH', service(name), body, 'merge');
  const current = async (name = 'web') => (await ask(server, 'GET', service(name))).body;

  it('a new object gets identity, defaults and generation 1, and no status but the default', async () => {
    const { status, body } = await create({}, { name: 'web', uid: 'mine', generation: 7 });
    assert.equal(status, 201);
    assert.match(body.metadata.uid ?? '', /^[0-9a-f-]{36}$/);
    assert.match(body.metadata.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(body.metadata.generation, 1);
    assert.equal(body.metadata.namespace, server.namespace);
    assert.equal(valueAt(body, '.spec.ports[0].protocol'), 'TCP');
    assert.equal(valueAt(body, '.spec.drain.timeoutSeconds'), 300);
    assert.equal(valueAt(body, '.status.conditions[0].reason'), 'Pending');
  });

  it('a status is ignored where it cannot be written', async () => {
    const conditions = [
      {
        type: 'Ready',
        status: 'True',
        reason: 'No',
        message: '',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ];
    const object = { ...(virtualService() as object), status: { conditions } };
    assert.equal(
      valueAt((await ask(server, 'POST', services, object)).body, '.status.conditions[0].status'),
      'Unknown',
    );
    assert.equal(
      valueAt((await patch({ status: { conditions } })).body, '.status.conditions[0].status'),
      'Unknown',
    );
  });

  it('the generation counts changes of the spec, and nothing else', async () => {
    await create();
    const generations = [
      await patch({ metadata: { labels: { a: 'b' } } }),
      await patch({ spec: { scheduler: 'rr' } }),
      await ask(server, 'PATCH', `${service('web')}/status`, { status: { conditions: [] } }, 'merge'),
      await patch({ spec: { scheduler: 'lc' } }),
    ].map(({ body }) => body.metadata.generation);
    assert.deepEqual(generations, [1, 2, 2, 3]);
  });

  it('the status is written through its own door, which leaves everything else alone', async () => {
    const { body } = await create();
    const changed = { ...body, spec: { ports: [{ port: 81 }] }, status: { conditions: [] } };
    changed.metadata = { ...body.metadata, labels: { a: 'b' } };
    const { status, body: after } = await ask(server, 'PUT', `${service('web')}/status`, changed);
    assert.equal(status, 200);
    assert.equal(valueAt(after, '.spec.ports[0].port'), 80);
    assert.equal(after.metadata.labels, undefined);
    assert.deepEqual(after['status'], { conditions: [] });
  });

  it('a write that changes nothing is no write', async () => {
    await create();
    // The default of a status is in what is read, and in the store from the first write on.
    const { metadata } = (await patch({ spec: { scheduler: 'wlc' } })).body;
    const patched = await patch({ spec: { scheduler: 'wlc' } });
    assert.equal(patched.status, 200);
    assert.equal(patched.body.metadata.resourceVersion, metadata.resourceVersion);
    const updated = await ask(server, 'PUT', service('web'), await current());
    assert.equal(updated.body.metadata.resourceVersion, metadata.resourceVersion);
  });

  it('the second of two writers of one revision has a conflict', async () => {
    await create();
    const seen = await current();
    const edit = (scheduler: string) => ({ ...seen, spec: { ...(seen['spec'] as object), scheduler } });
    assert.equal((await ask(server, 'PUT', service('web'), edit('rr'))).status, 200);
    const { status, body } = await ask(server, 'PUT', service('web'), edit('lc'));
    assert.equal(status, 409);
    assert.equal(body.reason, 'Conflict');
    assert.match(
      body.message,
      /^Operation cannot be fulfilled on virtualservices\.networking\.lvs-operator\.io "web"/,
    );
    const { resourceVersion } = seen.metadata;
    assert.equal((await patch({ metadata: { resourceVersion }, spec: { scheduler: 'sh' } })).status, 409);
    assert.equal(valueAt(await current(), '.spec.scheduler'), 'rr');
  });

  const refusals: readonly [
    what: string,
    write: () => ReturnType<typeof ask>,
    status: number,
    reason: string | undefined,
    message: RegExp,
  ][] = [
    [
      'a name that is taken',
      async () => {
        await create();
        return create();
      },
      409,
      'AlreadyExists',
      /^virtualservices\.networking\.lvs-operator\.io "web" already exists$/,
    ],
    [
      'what is not there',
      () => ask(server, 'GET', service('absent')),
      404,
      'NotFound',
      /"absent" not found$/,
    ],
    [
      'a namespace that is not there',
      () => ask(server, 'POST', `${crdBase}/namespaces/none/virtualservices`, virtualService()),
      404,
      'NotFound',
      /^namespaces "none" not found$/,
    ],
    [
      'another namespace than in the path',
      () => create({}, { name: 'web', namespace: 'shop' }),
      400,
      'BadRequest',
      /namespace of the provided object does not match/,
    ],
    [
      'another kind than in the path',
      () => ask(server, 'POST', services, realServer()),
      422,
      'Invalid',
      /kind: Invalid value: "RealServer": must be VirtualService/,
    ],
    [
      'another version',
      () => ask(server, 'POST', services, { ...(virtualService() as object), apiVersion: 'v1' }),
      400,
      'BadRequest',
      /the API version in the data \(v1\) does not match/,
    ],
    ['no name', () => create({}, { name: '' }), 422, 'Invalid', /metadata\.name: Required value/],
    ['a name in capitals', () => create({}, { name: 'Web' }), 422, 'Invalid', /RFC 1123 subdomain/],
    [
      'a label that is no label',
      () => create({}, { name: 'web', labels: { a: 'b c' } }),
      422,
      'Invalid',
      /metadata\.labels: Invalid value: "b c"/,
    ],
    [
      'a label that is a number',
      () => create({}, { name: 'web', labels: { a: 1 } }),
      400,
      'BadRequest',
      /cannot unmarshal number into Go struct field ObjectMeta\.labels of type string/,
    ],
    [
      'no spec',
      () => ask(server, 'POST', services, { ...(virtualService() as object), spec: undefined }),
      422,
      'Invalid',
      /spec: Required value/,
    ],
    [
      'text for a number',
      () => create({ ports: [{ port: '80' }] }),
      422,
      'Invalid',
      /spec\.ports\[0\]\.port: Invalid value: "string": spec\.ports\[0\]\.port in body must be of type integer: "string"/,
    ],
    [
      'a number too small',
      () => create({ ports: [{ port: 0 }] }),
      422,
      'Invalid',
      /greater than or equal to 1/,
    ],
    [
      'an unknown word',
      () => create({ scheduler: 'best' }),
      422,
      'Invalid',
      /Unsupported value: "best": supported values: "rr"/,
    ],
    [
      'a text too long',
      () => create({ addresses: [{ pool: 'a'.repeat(254) }] }),
      422,
      'Invalid',
      /Too long: may not be more than 253/,
    ],
    [
      'a text that does not match',
      () => create({ addresses: [{ pool: 'A' }] }),
      422,
      'Invalid',
      /in body should match '/,
    ],
    ['an empty list', () => create({ ports: [] }), 422, 'Invalid', /should have at least 1 items/],
    [
      'a long list',
      () => create({ schedulerFlags: ['sh-port', 'sh-fallback', 'mh-port', 'mh-fallback', 'sh-port'] }),
      422,
      'Invalid',
      /Too many: 5: must have at most 4 items/,
    ],
    [
      'one key twice',
      () =>
        create({
          ports: [
            { port: 80, name: 'a' },
            { port: 80, name: 'b' },
          ],
        }),
      422,
      'Invalid',
      /spec\.ports\[1\]: Duplicate value: \{"port":80,"protocol":"TCP"\}/,
    ],
    [
      'a rule about one field',
      () => create({ addresses: [{ ip: 'x' }] }),
      422,
      'Invalid',
      /spec\.addresses\[0\]\.ip: Invalid value: "x": must be an IP address/,
    ],
    [
      'a rule about two fields',
      () => create({ onePacket: true, persistence: {}, ports: [{ port: 1, protocol: 'UDP' }] }),
      422,
      'Invalid',
      /spec\.onePacket: Forbidden: chooses a real server for every datagram/,
    ],
    [
      'rules are not tried on the wrong shape',
      () => create({ onePacket: true, scheduler: 'best' }),
      422,
      'Invalid',
      /some validation rules were not checked/,
    ],
    [
      'an update without a revision',
      async () => {
        await create();
        return ask(server, 'PUT', service('web'), virtualService());
      },
      422,
      'Invalid',
      /metadata\.resourceVersion: Invalid value: 0: must be specified for an update/,
    ],
    [
      'an update under another name',
      async () => {
        const { body } = await create();
        return ask(server, 'PUT', service('web'), { ...body, metadata: { ...body.metadata, name: 'other' } });
      },
      400,
      'BadRequest',
      /the name of the object \(other\) does not match the name on the URL \(web\)/,
    ],
    [
      'an update of an object of another time',
      async () => {
        const { body } = await create();
        return ask(server, 'PUT', service('web'), { ...body, metadata: { ...body.metadata, uid: 'other' } });
      },
      409,
      'Conflict',
      /Precondition failed: UID in precondition: other/,
    ],
    [
      'a patch into an object of another time',
      async () => {
        await create();
        return patch({ metadata: { uid: 'other' } });
      },
      422,
      'Invalid',
      /metadata\.uid: Invalid value: "other": field is immutable/,
    ],
    [
      'a strategic patch of a custom object',
      async () => {
        await create();
        return ask(server, 'PATCH', service('web'), {}, 'strategic');
      },
      415,
      'UnsupportedMediaType',
      /unknown format/,
    ],
    [
      'a field that cannot be selected',
      () => ask(server, 'GET', `${services}?fieldSelector=spec.scheduler%3Drr`),
      400,
      'BadRequest',
      /field label not supported: spec\.scheduler/,
    ],
  ];
  for (const [what, write, status, reason, message] of refusals) {
    it(`refused with ${status}: ${what}`, async () => {
      const reply = await write();
      assert.equal(reply.status, status, reply.body.message);
      assert.equal(reply.body.reason, reason);
      assert.match(reply.body.message, message);
      assert.equal(reply.body.kind, 'Status');
    });
  }

  it('a path without a resource is answered in plain words', async () => {
    const { status, body } = await ask(server, 'GET', `${crdBase}/nothing`);
    assert.deepEqual([status, body.message], [404, '404 page not found']);
  });

  it('an invalid object is told with one cause per field', async () => {
    const { body } = await create({ ports: [{ port: 0 }, { port: 70_000, name: 'a' }] });
    const causes = valueAt(body, '.details.causes') as { field: string; reason: string }[];
    assert.deepEqual(
      causes.map(({ field, reason }) => [field, reason]),
      [
        ['spec.ports[0].port', 'FieldValueInvalid'],
        ['spec.ports[1].port', 'FieldValueInvalid'],
        ['spec.ports', 'FieldValueRequired'],
      ],
    );
  });

  describe('unknown fields', () => {
    const odd = () => virtualService({ colour: 'red', ports: [{ port: 80, size: 1 }] });
    it('are refused by strict decoding, all at once', async () => {
      const { status, body } = await ask(server, 'POST', `${services}?fieldValidation=Strict`, odd());
      assert.equal(status, 400);
      assert.match(
        body.message,
        /strict decoding error: unknown field "spec\.colour", unknown field "spec\.ports\[0\]\.size"$/,
      );
    });
    it('are a warning by default, and are not stored', async () => {
      const { status, headers, body } = await ask(server, 'POST', services, odd());
      assert.equal(status, 201);
      assert.match(headers.get('warning') ?? '', /299 - "unknown field \\"spec\.colour\\"", 299 - /);
      assert.equal(valueAt(body, '.spec.colour'), undefined);
    });
    it('are dropped in silence where that is wanted', async () => {
      const { status, headers } = await ask(server, 'POST', `${services}?fieldValidation=Ignore`, odd());
      assert.equal(status, 201);
      assert.equal(headers.get('warning'), null);
    });
    it('are refused in a patch, too', async () => {
      await create();
      const path = `${service('web')}?fieldValidation=Strict`;
      const { status, body } = await ask(server, 'PATCH', path, { spec: { colour: 'red' } }, 'merge');
      assert.equal(status, 422);
      assert.match(body.message, /strict decoding error: unknown field "spec\.colour"/);
    });
    it('are refused in metadata', async () => {
      const object = virtualService({}, { colour: 'red' });
      const { status, body } = await ask(server, 'POST', `${services}?fieldValidation=Strict`, object);
      assert.equal(status, 400);
      assert.match(body.message, /unknown field "metadata\.colour"/);
    });
  });

  it('a null is an absent field', async () => {
    const { body } = await create({ scheduler: null, persistence: null });
    assert.equal(valueAt(body, '.spec.scheduler'), 'wlc');
    assert.equal(Object.hasOwn(body['spec'] as object, 'persistence'), false);
  });

  it('a generated name is made up from its beginning', async () => {
    const { body } = await create({}, { name: undefined, generateName: 'web-' });
    assert.match(body.metadata.name, /^web-[a-z0-9]{5}$/);
  });

  it('a JSON patch is applied as a whole or not at all', async () => {
    await create();
    const operations = [
      { op: 'test', path: '/spec/scheduler', value: 'wlc' },
      { op: 'replace', path: '/spec/scheduler', value: 'rr' },
      { op: 'add', path: '/spec/ports/0/name', value: 'http' },
      { op: 'add', path: '/metadata/labels', value: { 'example.org/a': 'b' } },
      { op: 'remove', path: '/metadata/labels/example.org~1a' },
    ];
    const { body } = await ask(server, 'PATCH', service('web'), operations, 'json');
    assert.equal(valueAt(body, '.spec.scheduler'), 'rr');
    assert.equal(valueAt(body, '.spec.ports[0].name'), 'http');
    const again = await ask(server, 'PATCH', service('web'), operations, 'json');
    assert.equal(again.status, 422);
    assert.equal(
      (await ask(server, 'PATCH', service('web'), [{ op: 'remove', path: '/spec/none' }], 'json')).status,
      422,
    );
  });

  it('dry-run says what would be, and stores nothing', async () => {
    const { status, body } = await ask(server, 'POST', `${services}?dryRun=All`, virtualService());
    assert.equal(status, 201);
    assert.equal(valueAt(body, '.spec.scheduler'), 'wlc');
    assert.equal((await ask(server, 'POST', `${services}?dryRun=Some`, virtualService())).status, 422);
    assert.equal((await ask(server, 'GET', service('web'))).status, 404);
  });

  it('cluster-wide kinds have no namespace', async () => {
    const pools = `${crdBase}/addresspools`;
    const name = server.clusterName('pool');
    const { status, body } = await ask(server, 'POST', pools, addressPool({}, { name }));
    assert.equal(status, 201);
    assert.equal(body.metadata.namespace, undefined);
    assert.equal(
      (await ask(server, 'GET', `${crdBase}/namespaces/${server.namespace}/addresspools`)).status,
      404,
    );
    assert.equal((await ask(server, 'DELETE', `${pools}/${name}`)).status, 200);
  });
});
