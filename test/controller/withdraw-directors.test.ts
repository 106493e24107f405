import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { before, describe, it } from 'node:test';
import { daemonSetType, progressOf, withdrawDirectors } from '../../src/controller/withdraw-directors.ts';
import { systemTimers } from '../../src/kube/index.ts';
import type { KubeClient, KubeObject } from '../../src/kube/index.ts';
import { onEveryServer, until } from '../apiserver/environment.ts';
import { valueAt } from '../apiserver/objects.ts';
import { podTemplate } from './withdrawn-pods.ts';

const time = {
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  timers: systemTimers,
};

onEveryServer('the withdrawal of all directors', (server) => {
  let client: KubeClient;
  const lines: string[] = [];
  const withdraw = (daemonSet: string, timeoutMs = 20_000, signal = new AbortController().signal) =>
    withdrawDirectors({
      connection: { client, ...time },
      namespace: server.namespace,
      daemonSet,
      timeoutMs,
      signal,
      report: (line) => lines.push(line),
    });
  const get = (name: string): Promise<KubeObject> =>
    client.get(daemonSetType, { namespace: server.namespace, name });
  /** As the DaemonSet controller of Kubernetes does it. */
  const setStatus = (name: string, status: object) =>
    client.mergePatch(
      daemonSetType,
      { namespace: server.namespace, name },
      { status: { currentNumberScheduled: 2, numberMisscheduled: 0, ...status } },
      { subresource: 'status' },
    );
  const create = (name: string, args: readonly string[]) =>
    client.create(daemonSetType, {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name, namespace: server.namespace },
      spec: {
        selector: { matchLabels: { app: name } },
        template: podTemplate({ app: name }, args),
      },
    });

  before(() => {
    client = server.connect();
  });

  it('turns every director into a clean-up that is done before its pod is ready', async () => {
    await create('lvs-director', [
      'director',
      '--node-name=$(NODE_NAME)',
      '--state-dir=/var/lib/lvs-operator',
      '--config=/etc/lvs-operator/director.yaml',
      '--listen=:9441',
    ]);
    await setStatus('lvs-director', {
      observedGeneration: 1,
      desiredNumberScheduled: 2,
      updatedNumberScheduled: 2,
      numberReady: 2,
    });
    const done = withdraw('lvs-director');
    await until('it is changed', async () => (await get('lvs-director')).metadata['generation'] === 2);
    const { spec } = await get('lvs-director');
    const folders = ['--state-dir=/var/lib/lvs-operator', '--config=/etc/lvs-operator/director.yaml'];
    assert.deepEqual(valueAt(spec, '.template.spec.initContainers[0].args'), ['cleanup', ...folders]);
    assert.deepEqual(valueAt(spec, '.template.spec.containers[0].args'), ['cleanup', '--stay', ...folders]);
    for (const container of ['initContainers[0]', 'containers[0]']) {
      const at = `.template.spec.${container}`;
      assert.deepEqual(valueAt(spec, `${at}.volumeMounts[0].name`), 'state');
      assert.deepEqual(valueAt(spec, `${at}.securityContext.capabilities.add`), ['NET_ADMIN', 'NET_RAW']);
      assert.equal(valueAt(spec, `${at}.livenessProbe`), undefined);
    }
    const progress = { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 1 };
    await setStatus('lvs-director', { ...progress, numberReady: 1 });
    await until('it has told of one', () => Promise.resolve(lines.includes('1 of 2 nodes are clean.')));
    await setStatus('lvs-director', { ...progress, updatedNumberScheduled: 2, numberReady: 2 });
    assert.equal(await done, true);
    assert.equal(lines.at(-1), '2 of 2 nodes are clean.');
  });

  it('is nothing where there is no director', async () => {
    assert.equal(await withdraw('none'), true);
  });

  it('touches no DaemonSet of others', async () => {
    await create('other', ['serve']);
    await assert.rejects(withdraw('other'), { code: 'LVS_KUBE_REFUSED' });
    assert.equal((await get('other')).metadata['generation'], 1);
  });

  it('says so when a node does not come along, and can be asked again and given up', async () => {
    await create('slow', ['director']);
    assert.equal(await withdraw('slow', 100), false);
    const stop = new AbortController();
    const done = withdraw('slow', 60_000, stop.signal);
    await sleep(50);
    stop.abort();
    assert.equal(await done, false);
    assert.equal((await get('slow')).metadata['generation'], 2, 'it is changed once');
  });
});

describe('progress', () => {
  const at = (status: object) =>
    progressOf({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'x' }, status }, 3);
  const table: [what: string, status: object, isDone: boolean][] = [
    ['nothing is told yet', {}, false],
    [
      'the template before is all ready',
      { observedGeneration: 2, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberReady: 1 },
      false,
    ],
    [
      'a pod is new and not ready',
      { observedGeneration: 3, desiredNumberScheduled: 1, updatedNumberScheduled: 1 },
      false,
    ],
    [
      'an old pod is ready still',
      { observedGeneration: 3, desiredNumberScheduled: 2, updatedNumberScheduled: 1, numberReady: 2 },
      false,
    ],
    [
      'all are new and ready',
      { observedGeneration: 3, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 2 },
      true,
    ],
    ['no node is a director', { observedGeneration: 3, desiredNumberScheduled: 0 }, true],
  ];
  for (const [what, status, isDone] of table) {
    it(`${isDone ? 'is complete' : 'goes on'} when ${what}`, () => assert.equal(at(status).isDone, isDone));
  }
});
