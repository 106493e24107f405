import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import {
  apiServerSlices,
  connectCluster,
  endpointSliceType,
  nodeType,
  parseApiServerSlice,
  parseNode,
  parserOf,
  serviceCidrType,
  virtualServiceType,
  watchKind,
} from '../../src/cluster/index.ts';
import type { KubeObject, ReflectorHealth } from '../../src/kube/index.ts';
import { startApiServer } from '../apiserver/start-api-server.ts';
import { until } from '../kube/fake-time.ts';
import { RecordingLogger } from '../kube/objects.ts';
import { connectToServer, systemTime } from './connect-to-server.ts';

const logger = new RecordingLogger();

function node(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} };
}

describe('a kind that is watched', () => {
  it('is listed, followed and found by its indexes', async (t) => {
    const server = await startApiServer();
    const { connection, close } = await connectToServer(server);
    t.after(async () => {
      await close();
      await server.close();
    });
    await connection.client.create(nodeType, node('a'));
    const health: ReflectorHealth['kind'][] = [];
    const nodes = watchKind({
      connection,
      type: nodeType,
      parse: parseNode,
      indexes: { initial: ({ name }) => [name.slice(0, 1)] },
      logger,
      onHealth: ({ kind }) => health.push(kind),
    });
    nodes.start();
    t.after(() => nodes.stop());
    await nodes.store.whenSynced();
    await connection.client.create(nodeType, node('b'));
    await until(() => nodes.store.size === 2);
    assert.deepEqual(
      nodes.store.byIndex('initial', 'b').map(({ name }) => name),
      ['b'],
    );
    assert.deepEqual([nodes.health.kind, health], ['healthy', ['healthy']]);
  });

  it('takes only what the selector means', async (t) => {
    const server = await startApiServer();
    const { connection, close } = await connectToServer(server);
    t.after(async () => {
      await close();
      await server.close();
    });
    const slice = (name: string, service: string): KubeObject => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.7'] }],
      ports: [],
    });
    await connection.client.create(endpointSliceType, slice('kubernetes', 'kubernetes'));
    await connection.client.create(endpointSliceType, slice('other', 'other'));
    const slices = watchKind({
      connection,
      type: endpointSliceType,
      parse: parseApiServerSlice,
      logger,
      ...apiServerSlices,
    });
    slices.start();
    t.after(() => slices.stop());
    await slices.store.whenSynced();
    assert.deepEqual([...slices.store.values()], [{ name: 'kubernetes', addresses: ['192.0.2.7'] }]);
  });

  it('says by a code why it cannot be followed, and goes on when that is over', async (t) => {
    const server = await startApiServer();
    const { connection, close } = await connectToServer(server);
    t.after(async () => {
      await close();
      await server.close();
    });
    const fault = server.faults.add(
      { resource: 'servicecidrs' },
      { do: 'answer', code: 404, reason: 'NotFound' },
    );
    const kinds = watchKind({ connection, type: serviceCidrType, parse: parseNode, logger });
    kinds.start();
    t.after(() => kinds.stop());
    await until(() => kinds.health.kind === 'degraded');
    assert.equal(kinds.health.kind === 'degraded' && kinds.health.code, 'LVS_KUBE_NOT_FOUND');
    fault.remove();
    await kinds.store.whenSynced();
    await until(() => kinds.health.kind === 'healthy');
  });

  it('keeps the last good form of an object of ours that is malformed', async (t) => {
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'virtualservices.networking.lvs-operator.io' },
      spec: {
        group: virtualServiceType.group,
        scope: 'Namespaced',
        names: {
          kind: 'VirtualService',
          listKind: 'VirtualServiceList',
          plural: 'virtualservices',
          singular: 'virtualservice',
        },
        versions: [
          {
            name: virtualServiceType.version,
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
              },
            },
          },
        ],
      },
    };
    const server = await startApiServer({ definitions: [definition] });
    const { connection, close } = await connectToServer(server);
    t.after(async () => {
      await close();
      await server.close();
    });
    const name = { name: 'web', namespace: 'default' };
    await connection.client.create(virtualServiceType, {
      apiVersion: 'networking.lvs-operator.io/v1alpha1',
      kind: 'VirtualService',
      metadata: name,
      spec: { ports: [{ port: 80 }] },
    });
    const services = watchKind({
      connection,
      type: virtualServiceType,
      parse: parserOf('VirtualService'),
      logger,
    });
    services.start();
    t.after(() => services.stop());
    await services.store.whenSynced();
    await connection.client.mergePatch(virtualServiceType, name, { spec: { ports: [{ port: 99999 }] } });
    await until(() => services.store.malformed.size === 1);
    assert.match(services.store.malformed.get('default/web')?.message ?? '', /port/);
    assert.equal(services.store.get('default/web')?.spec.ports[0]?.port, 80);
  });
});

describe('a connection', () => {
  it('uses the service account of its pod, and knows the address that it calls', async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lvs-account-'));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(path.join(folder, 'token'), 'secret');
    await writeFile(path.join(folder, 'ca.crt'), 'authority');
    const open = (host: string) =>
      connectCluster({
        service: { host, port: '443' },
        serviceAccountFolder: folder,
        userAgent: 'suite',
        ...systemTime,
      });
    const addresses: (string | undefined)[] = [];
    for (const host of ['10.96.0.1', 'fd00::1', 'kubernetes.default.svc']) {
      const connection = open(host);
      addresses.push(await connection.serverAddress());
      await connection.close();
    }
    assert.deepEqual(addresses, ['10.96.0.1', 'fd00::1', undefined]);
  });

  it('says what to do where there are no credentials', () => {
    assert.throws(
      () => connectCluster({ userAgent: 'suite', ...systemTime }),
      (error) => isLvsError(error, 'LVS_KUBE_CONFIG') && /--kubeconfig/.test(error.hint ?? ''),
    );
  });
});
