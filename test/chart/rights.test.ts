/** Controller and director at work with the tokens of their ServiceAccounts: what `deploy/` grants is enough, and needed. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import {
  configMapType,
  connectCluster,
  directorType,
  realServerType,
  secretType,
} from '../../src/cluster/index.ts';
import type { ClusterConnection } from '../../src/cluster/index.ts';
import { CheckReferences } from '../../src/director/check-references.ts';
import { clusterKindList, watchClusterKinds } from '../../src/director/cluster-kinds.ts';
import { DirectorObject } from '../../src/director/director-object.ts';
import { watchOwnDirector } from '../../src/director/own-director.ts';
import { withdrawDirectors } from '../../src/controller/index.ts';
import { retiredReport } from '../../src/director/director-report.ts';
import { askForOwnNode } from '../../src/director/own-node.ts';
import { AccessReview } from '../../src/endpoint/access-review.ts';
import type { Question } from '../../src/health/index.ts';
import { systemTimers } from '../../src/kube/index.ts';
import { onEveryServer, until } from '../apiserver/environment.ts';
import { serviceAccountToken } from '../apiserver/service-account.ts';
import { PodMetrics } from '../apiserver/pod-metrics.ts';
import type { KubeObject } from '../apiserver/objects.ts';
import { ClusterRig } from '../controller/cluster-rig.ts';
import { noLastGood } from '../director/cluster-rig.ts';
import { makeCertificate } from '../kube/certificates.ts';
import { RecordingLogger } from '../kube/objects.ts';
import {
  accountUser,
  applyAll,
  controllerAccount,
  directorAccount,
  grantedRights,
  readAccess,
} from './deployment.ts';
import { find, render } from './render.ts';

/** Granted, and asked for only when something happens that the suite below does not bring about. */
const rare: readonly (readonly [
  account: typeof controllerAccount | typeof directorAccount,
  right: string,
  when: string,
])[] = [
  [
    controllerAccount,
    'get virtualservices.networking.lvs-operator.io',
    'a status was written by somebody else',
  ],
  [controllerAccount, 'get addresspools.networking.lvs-operator.io', 'a status was written by somebody else'],
  [controllerAccount, 'get realservers.networking.lvs-operator.io', 'a status was written by somebody else'],
  [controllerAccount, 'get realserverslices.networking.lvs-operator.io', 'a slice was edited by a person'],
  [controllerAccount, 'update realserverslices.networking.lvs-operator.io', 'a slice was edited by a person'],
  [controllerAccount, 'patch events.events.k8s.io', 'an event repeats itself'],
  [controllerAccount, 'get /v1/counters', 'directors are asked, which ask whether that is allowed'],
  [directorAccount, 'get directors.networking.lvs-operator.io', 'its status was written by somebody else'],
];

/** What docs/health.md shows to tenants. */
const roleBinding = (namespace: string): KubeObject => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: 'lvs-check-references', namespace },
  roleRef: {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: 'lvs-operator-check-references',
  },
  subjects: [{ kind: 'ServiceAccount', ...directorAccount }],
});

onEveryServer(
  'the rights that deploy/ grants',
  (server) => {
    let rig: ClusterRig;
    const connections: ClusterConnection[] = [];
    const nodeName = server.clusterName('a');

    const connectAs = (file: string): ClusterConnection => {
      const connection = connectCluster({
        kubeconfig: { file },
        userAgent: 'lvs-test',
        clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
        timers: systemTimers,
        random: Math.random,
      });
      connections.push(connection);
      return connection;
    };

    /** A real server tells of a refusal only who was refused, and then what is waited for does not come. */
    const assertNothingRefused = (): void => {
      const { requests = [] } = server.inProcess ?? {};
      assert.deepEqual(
        requests.filter(({ status }) => status === 403),
        [],
      );
    };

    /** Whoever has no right to read an endpoint is refused by name, which takes both reviews. */
    const assertCanReview = async ({ client, clock }: ClusterConnection): Promise<void> => {
      const token = await serviceAccountToken(server, controllerAccount);
      const access = new AccessReview({
        transport: client.transport,
        clock,
        logger: new RecordingLogger(),
      });
      assert.equal(await access.review(`Bearer ${token}`, '/never-granted'), 'forbidden');
      assert.equal(await access.review(`Bearer ${token}`, '/v1/counters'), 'allowed');
    };

    before(async () => {
      await applyAll(server, readAccess());
      rig = new ClusterRig(server);
      await rig.node('a');
    });
    after(async () => {
      await rig.close();
      for (const connection of connections) await connection.close();
    });

    it('are enough for a controller', async () => {
      const kubeconfigFile = await server.kubeconfigOf(controllerAccount);
      const options = { kubeconfigFile, leaseNamespace: controllerAccount.namespace };
      await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.12'], default: true });
      await rig.start(options);
      await rig.start(options);
      await rig.virtualService('web', { weightPolicy: { type: 'CapacityEstimate' } });
      await rig.realServer('web', 'web');
      await rig.pod('web-1', '10.8.0.1', { app: 'web' });
      await rig.waitFor('web', 'RealServersAvailable', 'True Serving');
      await rig.director('a');
      await rig.waitFor('web', 'Ready', 'True Ready');
      await until('events are written', async () => (await rig.events('web')).includes('Programmed'));
      const { requests } = server.inProcess ?? {};
      await until('metrics are read', async () =>
        Promise.resolve(requests?.some(({ group }) => group === 'metrics.k8s.io') ?? true),
      );
      // Whoever leads gives the lease back, and the other takes it.
      await rig.stopLeader();
      await rig.pod('web-2', '10.8.0.2', { app: 'web' });
      await until('the other leads', async () => (await rig.endpoints('web')).length === 2);
      await rig.remove(realServerType, 'web');
      await rig.waitFor('web', 'RealServersAvailable', 'False NoRealServers');
      await rig.director('gone');
      await server
        .connect()
        .transport.request({ method: 'DELETE', path: `/api/v1/nodes/${server.clusterName('gone')}` });
      await until(
        'the Director of a node that is gone is removed',
        async () => (await rig.get(directorType, server.clusterName('gone'))) === undefined,
      );
      await assertCanReview(connectAs(kubeconfigFile));
      assertNothingRefused();
    });

    it('are enough for a director', async () => {
      const connection = connectAs(await server.kubeconfigOf({ ...directorAccount, nodeName }));
      const logger = new RecordingLogger();
      const kinds = clusterKindList(
        watchClusterKinds({ connection, logger, remembered: noLastGood, onHealth: () => {} }),
      );
      for (const kind of kinds) kind.start();
      await until('every kind is followed', async () =>
        Promise.resolve(kinds.every(({ store }) => store.state.kind === 'synced')),
      );
      assert.equal(await askForOwnNode(connection, nodeName, 10_000), 'Director');
      await rig.remove(directorType, nodeName);
      const watched = watchOwnDirector({ connection, nodeName, logger, onHealth: () => {}, wasThere: false });
      const own = new DirectorObject({ connection, nodeName, logger, own: watched });
      const kernel = { release: '6.1', ipvsVersion: '1.2.1', connectionTableSize: 4096 };
      const identity = { version: '0.0.0', nodeName, kernel, schedulers: ['wlc'], endpoint: undefined };
      own.start();
      own.publish(retiredReport(identity, Date.now()));
      await until(
        'its Director is written',
        async () => (await rig.get(directorType, nodeName))?.['status'] !== undefined,
      );
      await assertCanReview(connection);
      await own.stop(1000);
      await Promise.all(kinds.map((kind) => kind.stop()));
      assertNothingRefused();
    });

    it('show a director what checks refer to where a tenant has bound the role, by name alone', async () => {
      const connection = connectAs(await server.kubeconfigOf({ ...directorAccount, nodeName }));
      const admin = server.connect();
      const pair = makeCertificate('client');
      const base64 = (text: string) => Buffer.from(text).toString('base64');
      const { namespace } = server;
      const secret = {
        metadata: { name: 'client', namespace },
        type: 'kubernetes.io/tls',
        data: { 'tls.crt': base64(pair.cert), 'tls.key': base64(pair.key) },
      };
      await admin.create(secretType, secret);
      await admin.create(configMapType, {
        metadata: { name: 'ca', namespace },
        data: { 'ca.crt': pair.cert },
      });
      const references = new CheckReferences({
        client: connection.client,
        timers: { after: (delayMs, callback) => systemTimers.after(Math.min(delayMs, 200), callback) },
        random: Math.random,
        logger: new RecordingLogger(),
        onChange: () => {},
      });
      const refers = {
        caBundle: { name: 'ca', key: 'ca.crt' },
        clientCertificate: { name: 'client' },
      };
      const object = { kind: 'VirtualService', namespace, name: 'web' } as const;
      references.want([{ object, namespace, references: refers }]);
      await until('both are refused', async () => Promise.resolve(references.problems.length === 2));
      assert.deepEqual(
        references.problems.map(({ reason }) => reason),
        ['CheckReferenceDenied', 'CheckReferenceDenied'],
      );
      await applyAll(server, [roleBinding(namespace)]);
      await until('both are read', async () => Promise.resolve(references.problems.length === 0));
      const question: Question = {
        type: 'smtp',
        heloName: 'a.example',
        startTls: { isVerified: true, minVersion: 'TLSv1.2', references: refers },
      };
      const filled = references.fill(question, namespace);
      assert.equal(filled.type === 'smtp' && filled.startTls?.clientCertificate?.key, pair.key);
      references.close();
      for (const type of [secretType, configMapType]) {
        await assert.rejects(connection.client.listPage(type, { namespace }, { limit: 1 }), /forbidden/);
        await assert.rejects(connection.client.get(type, { name: 'x', namespace: 'default' }), /forbidden/);
      }
    });

    it('are enough for the hook that withdraws directors before an uninstall', async () => {
      const objects = render();
      const isHook = (object: KubeObject) => object.metadata.annotations?.['helm.sh/hook'] !== undefined;
      await applyAll(server, [
        ...objects.filter((object) => isHook(object) && object.kind !== 'Job'),
        find(objects, 'DaemonSet', 'lvs-director'),
      ]);
      const connection = connectAs(
        await server.kubeconfigOf({ namespace: controllerAccount.namespace, name: 'lvs-withdraw' }),
      );
      const told: string[] = [];
      const isDone = await withdrawDirectors({
        connection,
        namespace: directorAccount.namespace,
        daemonSet: 'lvs-director',
        timeoutMs: 0,
        signal: new AbortController().signal,
        report: (line) => told.push(line),
      });
      // Nobody plays the DaemonSet controller here, but nothing was refused.
      assert.deepEqual([isDone, told], [false, ['Waiting for the directors to be replaced.']]);
    });

    it('are needed, each of them', () => {
      // A real API server does not say which right a request has needed.
      if (server.inProcess === undefined) return;
      const { usedRights: used } = server.inProcess;
      const excused = new Map(
        rare.map(([account, right, when]) => [`${accountUser(account)}: ${right}`, when]),
      );
      const unused = [...grantedRights(readAccess())].filter((right) => !used.has(right));
      for (const right of unused) console.log(`not needed here: ${right} (${excused.get(right)})`);
      assert.deepEqual(
        unused.filter((right) => !excused.has(right)),
        [],
      );
    });
  },
  { usesRoles: true, podMetrics: new PodMetrics() },
);
