/** Who may write what only the controller, or only one director, is to write: under the roles and policies of the chart. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ask, crdBase } from '../apiserver/client.ts';
import type { Connection, Reply } from '../apiserver/client.ts';
import { onEveryServer, until } from '../apiserver/environment.ts';
import { serviceAccountToken, withToken } from '../apiserver/service-account.ts';
import { applyAll, controllerAccount, directorAccount, readAccess } from './deployment.ts';

const apiVersion = 'networking.lvs-operator.io/v1alpha1';
const rbac = '/apis/rbac.authorization.k8s.io/v1';

type Act = (as: Connection) => Promise<Reply>;

onEveryServer(
  'the admission policies',
  (server) => {
    const actors = new Map<string, Connection>();
    const as = (name: string): Connection => actors.get(name) ?? assert.fail(name);
    const inNamespace = `${crdBase}/namespaces/${server.namespace}`;
    const slices = `${inNamespace}/realserverslices`;
    const slice = (name: string, podUID = 'invented') => ({
      apiVersion,
      kind: 'RealServerSlice',
      metadata: { name, ownerReferences: [owner] },
      spec: {
        virtualServiceName: 'web',
        realServerName: 'web',
        endpoints: [{ address: '10.0.0.7', phase: 'Serving', podUID }],
      },
    });
    const realServer = { virtualServiceRef: { name: 'web' }, addresses: ['10.0.0.7'] };
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'gone-but-never-looked-for' };
    const node = (name: string): string => server.clusterName(name);
    const director = (name: string) => ({
      apiVersion,
      kind: 'Director',
      metadata: { name: node(name) },
    });

    before(async () => {
      await applyAll(server, readAccess());
      const account = async (actor: string, namespace: string, name: string, nodeName?: string) => {
        const where = { namespace, name, ...(nodeName === undefined ? {} : { nodeName }) };
        actors.set(actor, withToken(server, await serviceAccountToken(server, where)));
      };
      await account('controller', controllerAccount.namespace, controllerAccount.name);
      await account('director a', directorAccount.namespace, directorAccount.name, node('a'));
      await account('director b', directorAccount.namespace, directorAccount.name, node('b'));
      await account('director c', directorAccount.namespace, directorAccount.name, node('c'));
      await account('director without a node', directorAccount.namespace, directorAccount.name);
      await account('tenant', server.namespace, 'tenant');
      await account('wide', server.namespace, 'wide');
      await account('garbage collector', 'kube-system', 'generic-garbage-collector');
      actors.set('administrator', server);
      // A tenant with every right in his namespace, and programs with every right in the cluster: all too common.
      const everything = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
      const roleRef = (kind: string, name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name });
      const subject = (name: string, namespace = server.namespace) => ({
        kind: 'ServiceAccount',
        name,
        namespace,
      });
      const wide = server.clusterName('wide');
      // More than the chart grants: what is refused to a director then is refused by the policy.
      const patching = server.clusterName('patching');
      const directors = [
        { apiGroups: ['networking.lvs-operator.io'], resources: ['directors'], verbs: ['patch'] },
      ];
      for (const [path, body] of [
        [`namespaces/${server.namespace}/roles`, { metadata: { name: 'all' }, rules: everything }],
        [
          `namespaces/${server.namespace}/rolebindings`,
          { metadata: { name: 'all' }, roleRef: roleRef('Role', 'all'), subjects: [subject('tenant')] },
        ],
        ['clusterroles', { metadata: { name: wide }, rules: everything }],
        [
          'clusterrolebindings',
          {
            metadata: { name: wide },
            roleRef: roleRef('ClusterRole', wide),
            subjects: [subject('wide'), subject('generic-garbage-collector', 'kube-system')],
          },
        ],
        ['clusterroles', { metadata: { name: patching }, rules: directors }],
        [
          'clusterrolebindings',
          {
            metadata: { name: patching },
            roleRef: roleRef('ClusterRole', patching),
            subjects: [subject(directorAccount.name, directorAccount.namespace)],
          },
        ],
      ] as const) {
        const made = await ask(server, 'POST', `${rbac}/${path}`, body);
        assert.equal(made.status, 201, made.body.message);
      }
      // On a real server, roles and policies take a moment to be known.
      const refused = async (actor: string, path: string, body: object) => {
        const { status, body: said } = await ask(as(actor), 'POST', `${path}?dryRun=All`, body);
        return status === 403 && said.message.includes('ValidatingAdmissionPolicy');
      };
      await until('slices are guarded', () => refused('tenant', slices, slice('none')));
      await until('directors are guarded', () => refused('wide', `${crdBase}/directors`, director('none')));
      const made = await ask(server, 'POST', slices, slice('kept', 'real'));
      assert.equal(made.status, 201, made.body.message);
      const pool = server.clusterName('pool');
      for (const [path, kind, name, spec] of [
        [`${inNamespace}/virtualservices`, 'VirtualService', 'web', { ports: [{ port: 80 }] }],
        [`${inNamespace}/realservers`, 'RealServer', 'web', realServer],
        [`${crdBase}/addresspools`, 'AddressPool', pool, { addresses: ['192.0.2.0/24'] }],
      ] as const) {
        const body = { apiVersion, kind, metadata: { name }, spec };
        const { status: code, body: said } = await ask(server, 'POST', path, body);
        assert.equal(code, 201, said.message);
      }
      for (const name of ['a', 'b']) {
        const one = await ask(server, 'POST', `${crdBase}/directors`, director(name));
        assert.equal(one.status, 201, one.body.message);
      }
    });

    const status = { conditions: [] };
    const createSlice: Act = (who) => ask(who, 'POST', `${slices}?dryRun=All`, slice('forged'));
    const applySlice: Act = (who) => {
      const query = 'dryRun=All&fieldManager=test&force=true';
      return ask(who, 'PATCH', `${slices}/forged?${query}`, slice('forged'), 'apply');
    };
    const patchSlice: Act = (who) =>
      ask(who, 'PATCH', `${slices}/kept?dryRun=All`, { spec: slice('kept').spec }, 'merge');
    const updateSlice: Act = async (who) => {
      const { body } = await ask(who, 'GET', `${slices}/kept`);
      return ask(who, 'PUT', `${slices}/kept?dryRun=All`, { ...body, spec: slice('kept').spec });
    };
    const disown: Act = (who) =>
      ask(who, 'PATCH', `${slices}/kept?dryRun=All`, { metadata: { ownerReferences: null } }, 'merge');
    const deleteSlice: Act = (who) => ask(who, 'DELETE', `${slices}/kept?dryRun=All`);
    const deleteSlices: Act = (who) => ask(who, 'DELETE', `${slices}?dryRun=All`);
    const patchStatus =
      (path: string): Act =>
      (who) =>
        ask(who, 'PATCH', `${path}/status?dryRun=All`, { status }, 'merge');
    const virtualServiceStatus = patchStatus(`${inNamespace}/virtualservices/web`);
    const realServerStatus = patchStatus(`${inNamespace}/realservers/web`);
    const poolStatus = patchStatus(`${crdBase}/addresspools/${server.clusterName('pool')}`);
    const createDirector =
      (name: string): Act =>
      (who) =>
        ask(who, 'POST', `${crdBase}/directors?dryRun=All`, director(name));
    const directorStatus = (name: string): Act => patchStatus(`${crdBase}/directors/${node(name)}`);
    const patchDirector =
      (name: string, patch: object): Act =>
      (who) =>
        ask(who, 'PATCH', `${crdBase}/directors/${node(name)}?dryRun=All`, patch, 'merge');
    const maintain = (name: string): Act => patchDirector(name, { spec: { maintenance: { drain: true } } });
    const maintainAtOnce: Act = (who) =>
      ask(who, 'POST', `${crdBase}/directors?dryRun=All`, {
        ...director('c'),
        spec: { maintenance: { drain: true } },
      });
    const label = (name: string): Act => patchDirector(name, { metadata: { labels: { seen: 'yes' } } });
    const isThere = 'already exists';
    const byController = /are written by the controller of lvs-operator only/;

    const table: readonly (readonly [who: string, what: string, act: Act, refused?: RegExp | string])[] = [
      ['controller', 'creates a slice', createSlice],
      ['controller', 'applies a slice', applySlice],
      ['controller', 'patches a slice', patchSlice],
      ['controller', 'updates a slice', updateSlice],
      ['controller', 'deletes a slice', deleteSlice],
      ['controller', 'writes the status of a VirtualService', virtualServiceStatus],
      ['controller', 'writes the status of a RealServer', realServerStatus],
      ['controller', 'writes the status of an AddressPool', poolStatus],
      ['controller', 'creates a Director', createDirector('c'), /cannot create resource "directors"/],
      ['administrator', 'creates a slice', createSlice],
      ['administrator', 'deletes a slice', deleteSlice],
      ['administrator', 'writes the status of a VirtualService', virtualServiceStatus],
      ['administrator', 'creates a Director', createDirector('c')],
      ['administrator', 'writes the status of a Director', directorStatus('a')],
      ['administrator', 'takes a director out for maintenance', maintain('a')],
      ['tenant', 'creates a slice', createSlice, byController],
      ['tenant', 'applies a slice', applySlice, byController],
      ['tenant', 'patches a slice', patchSlice, byController],
      ['tenant', 'updates a slice', updateSlice, byController],
      ['tenant', 'takes the owner of a slice away', disown, byController],
      ['tenant', 'deletes a slice', deleteSlice, byController],
      ['tenant', 'deletes every slice', deleteSlices, byController],
      ['tenant', 'writes the status of a VirtualService', virtualServiceStatus, byController],
      ['tenant', 'writes the status of a RealServer', realServerStatus, byController],
      [
        'tenant',
        'changes a VirtualService of his own',
        (who) =>
          ask(
            who,
            'PATCH',
            `${inNamespace}/virtualservices/web?dryRun=All`,
            { spec: { scheduler: 'wlc' } },
            'merge',
          ),
      ],
      ['wide', 'creates a slice', createSlice, byController],
      ['wide', 'writes the status of an AddressPool', poolStatus, byController],
      [
        'wide',
        'creates a Director',
        createDirector('c'),
        /a Director and its status are written by the director on its node only/,
      ],
      ['wide', 'takes a director out for maintenance', maintain('a')],
      ['tenant', 'takes a director out for maintenance', maintain('a'), /cannot patch resource "directors"/],
      ['wide', 'writes the status of a Director', directorStatus('a'), /on its node only/],
      ['garbage collector', 'deletes a slice', deleteSlice],
      ['garbage collector', 'takes the owner of a slice away', disown],
      ['garbage collector', 'changes a slice', patchSlice, byController],
      ['garbage collector', 'creates a slice', createSlice, byController],
      ['director a', 'creates its own Director', createDirector('a'), isThere],
      [
        'director a',
        'creates the Director of another node',
        createDirector('b2'),
        /the director on node .*-a writes the Director of that name only, and not .*-b2/,
      ],
      ['director a', 'writes the status of its own Director', directorStatus('a')],
      ['director a', 'writes the status of another Director', directorStatus('b'), /and not .*-b/],
      [
        'director a',
        'takes itself out for maintenance',
        maintain('a'),
        /is written by people, and not by a director/,
      ],
      ['director c', 'creates its own Director', createDirector('c')],
      [
        'director c',
        'begins its life in maintenance',
        maintainAtOnce,
        /is written by people, and not by a director/,
      ],
      ['director a', 'takes another director out for maintenance', maintain('b'), /is written by people/],
      ['director a', 'puts a label on its own Director', label('a')],
      ['director b', 'writes the status of its own Director', directorStatus('b')],
      ['director b', 'writes the status of another Director', directorStatus('a'), /and not .*-a/],
      ['director a', 'creates a slice', createSlice, /cannot create resource "realserverslices"/],
      [
        'director a',
        'writes the status of a VirtualService',
        virtualServiceStatus,
        /cannot patch resource "virtualservices\/status"/,
      ],
      [
        'director without a node',
        'writes the status of a Director',
        directorStatus('a'),
        /the token of this director names no node/,
      ],
    ];

    describe('let', () => {
      for (const [who, what, act, refused] of table) {
        if (refused !== undefined) continue;
        it(`the ${who} who ${what}`, async () => {
          const { status: code, body } = await act(as(who));
          assert.ok(code < 300, body.message);
        });
      }
    });

    describe('refuse', () => {
      for (const [who, what, act, refused] of table) {
        if (refused === undefined) continue;
        it(`the ${who} who ${what}`, async () => {
          const { status: code, body } = await act(as(who));
          // What is admitted and there already is refused in other words.
          if (refused === isThere) assert.ok(code === 409 && body.message.includes(isThere), body.message);
          else {
            assert.equal(code, 403, body.message);
            assert.match(body.message, refused as RegExp);
          }
        });
      }
    });

    it('tell nothing of who may when they are gone: the control of the tests above', async () => {
      for (const name of ['lvs-controller', 'lvs-director']) {
        const binding = `validatingadmissionpolicybindings/${name}.networking.lvs-operator.io`;
        const { status: code } = await ask(
          server,
          'DELETE',
          `/apis/admissionregistration.k8s.io/v1/${binding}`,
        );
        assert.equal(code, 200);
      }
      await until('slices are free', async () => (await createSlice(as('tenant'))).status === 201);
      await until(
        'directors are free',
        async () => (await directorStatus('b')(as('director a'))).status === 200,
      );
    });
  },
  { usesRoles: true },
);
