import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import { apiVersion } from '../api/objects.ts';
import { ask, pathsIn } from './client.ts';
import { onEveryServer } from './environment.ts';
import { valueAt } from './objects.ts';

onEveryServer('server-side apply', (server) => {
  const { services, service } = pathsIn(server.namespace);
  beforeEach(() => ask(server, 'DELETE', services));

  const apply = (
    manager: string,
    spec: object | undefined,
    more = '',
    subresource = '',
    rest: object = {},
  ) => {
    const object = { apiVersion, kind: 'VirtualService', metadata: { name: 'web' }, ...rest };
    const path = `${service('web')}${subresource}?fieldManager=${manager}${more}`;
    return ask(server, 'PATCH', path, spec === undefined ? object : { ...object, spec }, 'apply');
  };
  const ports = [{ port: 80, name: 'http' }];
  const owners = (body: unknown) =>
    (
      valueAt(body, '.metadata.managedFields') as {
        manager: string;
        operation: string;
        subresource?: string;
      }[]
    ).map(({ manager, operation, subresource }) => [manager, operation, subresource ?? ''].join(' ').trim());

  it('makes what is not there, and the second time changes nothing', async () => {
    const first = await apply('a', { ports });
    assert.equal(first.status, 201);
    assert.deepEqual(owners(first.body), ['a Apply']);
    assert.equal(valueAt(first.body, '.spec.scheduler'), 'wlc', 'defaults are there');
    // The default of a status is in what is read, and in the store from the first write on.
    const second = await apply('a', { ports });
    assert.equal(second.status, 200);
    const { metadata } = second.body;
    assert.deepEqual({ ...metadata, resourceVersion: '' }, { ...first.body.metadata, resourceVersion: '' });
    const third = await apply('a', { ports });
    assert.equal(third.body.metadata.resourceVersion, metadata.resourceVersion);
  });

  it('defaults belong to nobody, so that another manager can set them', async () => {
    await apply('a', { ports });
    const { status, body } = await apply('b', { scheduler: 'rr' });
    assert.equal(status, 200);
    assert.deepEqual(valueAt(body, '.spec.ports[0].name'), 'http');
    assert.equal(body.metadata.generation, 2);
    assert.deepEqual(owners(body), ['a Apply', 'b Apply']);
  });

  it('another value of an owned field is a conflict, the same value shares it, force takes it', async () => {
    await apply('a', { ports, scheduler: 'rr' });
    const refused = await apply('b', { scheduler: 'lc' });
    assert.equal(refused.status, 409);
    assert.equal(refused.body.message, 'Apply failed with 1 conflict: conflict with "a": .spec.scheduler');
    assert.deepEqual(valueAt(refused.body, '.details.causes[0].field'), '.spec.scheduler');
    assert.equal((await apply('b', { scheduler: 'rr' })).status, 200);
    assert.equal((await apply('b', { scheduler: 'lc' }, '&force=true')).status, 200);
    assert.equal((await apply('a', { ports, scheduler: 'rr' })).status, 409, 'now b owns it');
  });

  it('several conflicts are listed', async () => {
    await apply('a', { ports, scheduler: 'rr', onePacket: false });
    const { body } = await apply('b', {
      scheduler: 'lc',
      portGrouping: 'Together',
      ports: [{ port: 80, name: 'x' }],
    });
    assert.equal(
      body.message,
      'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.scheduler\n- .spec.ports[port=80,protocol="TCP"].name',
    );
  });

  it('what a manager no longer wants goes, unless somebody else wants it', async () => {
    await apply('a', { ports, scheduler: 'rr', persistence: { timeoutSeconds: 60 } });
    await apply('b', { scheduler: 'rr' });
    const { body } = await apply('a', { ports });
    assert.equal(valueAt(body, '.spec.scheduler'), 'rr');
    assert.equal(valueAt(body, '.spec.persistence'), undefined);
    assert.equal(valueAt((await apply('b', {})).body, '.spec.scheduler'), 'wlc', 'back to the default');
  });

  it('entries of a list with keys are merged by key', async () => {
    await apply('a', { ports: [{ port: 80, name: 'http' }] });
    await apply('b', { ports: [{ port: 443, name: 'https' }] });
    const { body } = await apply('b', { ports: [{ port: 8443, name: 'https' }] });
    assert.deepEqual(
      (valueAt(body, '.spec.ports') as { port: number }[]).map(({ port }) => port),
      [80, 8443],
    );
  });

  it('an update takes over what it changes', async () => {
    await apply('a', { ports, scheduler: 'rr' });
    const patched = await ask(
      server,
      'PATCH',
      `${service('web')}?fieldManager=hand`,
      { spec: { scheduler: 'lc' } },
      'merge',
    );
    assert.deepEqual(owners(patched.body), ['a Apply', 'hand Update']);
    const refused = await apply('a', { ports, scheduler: 'rr' });
    assert.match(
      refused.body.message,
      /conflict with "hand" using networking\.lvs-operator\.io\/v1alpha1: \.spec\.scheduler$/,
    );
  });

  const condition = {
    type: 'Ready',
    status: 'True',
    reason: 'Fine',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };

  it('a status is applied on its own, by a manager of its own', async () => {
    await apply('a', { ports });
    const { status, body } = await apply('c', { scheduler: 'rr' }, '', '/status', {
      status: { conditions: [condition] },
    });
    assert.equal(status, 200, body.message);
    assert.equal(valueAt(body, '.spec.scheduler'), 'wlc');
    assert.equal(valueAt(body, '.status.conditions[0].status'), 'True');
    assert.deepEqual(owners(body), ['a Apply', 'c Apply status']);
    assert.equal(body.metadata.generation, 1);
    const again = await apply('c', undefined, '', '/status', { status: { conditions: [condition] } });
    assert.equal(again.body.metadata.resourceVersion, body.metadata.resourceVersion);
  });

  it('a condition that is no longer applied goes', async () => {
    await apply('a', { ports });
    const conditions = [condition, { ...condition, type: 'Stalled' }];
    await apply('c', undefined, '', '/status', { status: { conditions } });
    const { body } = await apply('c', undefined, '', '/status', { status: { conditions: [condition] } });
    assert.equal((valueAt(body, '.status.conditions') as unknown[]).length, 1);
  });

  it('an empty list of conditions is none, and the default comes back', async () => {
    await apply('a', { ports });
    const write = (conditions: object[]) => apply('c', undefined, '', '/status', { status: { conditions } });
    await write([condition]);
    const { body } = await write([]);
    assert.equal(valueAt(body, '.status.conditions[0].reason'), 'Pending');
    assert.deepEqual(owners(body), ['a Apply']);
  });

  it('a uid on the way to a status is not read', async () => {
    await apply('a', { ports });
    const metadata = { name: 'web', uid: 'another' };
    const status = { conditions: [condition] };
    const reply = await apply('c', undefined, '', '/status', { metadata, status });
    assert.equal(reply.status, 200);
    assert.equal(valueAt(reply.body, '.status.conditions[0].status'), 'True');
  });

  it('an object that is created by POST belongs to who created it, defaults included', async () => {
    const object = { apiVersion, kind: 'VirtualService', metadata: { name: 'web' }, spec: { ports } };
    const { body } = await ask(server, 'POST', `${services}?fieldManager=maker`, object);
    assert.deepEqual(owners(body), ['maker Update']);
    assert.match((await apply('a', { scheduler: 'rr' })).body.message, /conflict with "maker"/);
    const status = await apply('c', undefined, '', '/status', { status: { conditions: [condition] } });
    assert.equal(status.status, 200, "the default of a status is nobody's");
  });

  const refusals: readonly [
    what: string,
    write: () => ReturnType<typeof ask>,
    status: number,
    message: RegExp,
  ][] = [
    ['no field manager', () => apply('', { ports }), 422, /fieldManager: Required value/],
    [
      'an unknown field',
      () => apply('a', { ports, colour: 'red' }),
      500,
      /\.spec\.colour: field not declared in schema/,
    ],
    ['an invalid value', () => apply('a', { ports: [{ port: 0 }] }), 422, /greater than or equal to 1/],
    [
      'managed fields of its own',
      () => apply('a', { ports }, '', '', { metadata: { name: 'web', managedFields: [] } }),
      400,
      /metadata\.managedFields must be nil/,
    ],
    ['a status of nothing', () => apply('a', undefined, '', '/status', { status: {} }), 404, /not found/],
    [
      'force without apply',
      async () => {
        await apply('a', { ports });
        return ask(server, 'PATCH', `${service('web')}?force=true`, {}, 'merge');
      },
      422,
      /force: Forbidden/,
    ],
    [
      'what is gone and had that uid',
      () => apply('a', { ports }, '', '', { metadata: { name: 'web', uid: 'gone' } }),
      409,
      /uid mismatch: the provided object specified uid gone, and no existing object was found/,
    ],
    [
      'a namesake of what was meant',
      async () => {
        await apply('a', { ports });
        return apply('a', { ports }, '', '', { metadata: { name: 'web', uid: 'another' } });
      },
      422,
      /metadata\.uid: Invalid value: "another": field is immutable/,
    ],
    [
      'another revision than the one that was seen',
      async () => {
        await apply('a', { ports });
        return apply('a', { ports, scheduler: 'rr' }, '', '', {
          metadata: { name: 'web', resourceVersion: '1' },
        });
      },
      409,
      /the object has been modified/,
    ],
  ];
  for (const [what, write, status, message] of refusals) {
    it(`refused with ${status}: ${what}`, async () => {
      const reply = await write();
      assert.equal(reply.status, status);
      assert.match(reply.body.message, message);
    });
  }
});
