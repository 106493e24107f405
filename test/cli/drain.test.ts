import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { directorType, nodeType, realServerType } from '../../src/cluster/index.ts';
import type { KubeClient, KubeObject } from '../../src/kube/index.ts';
import { Environment } from '../apiserver/environment.ts';
import { runProduct } from './run-product.ts';

describe('lvs-operator drain', () => {
  const environment = new Environment('in-process');
  let client: KubeClient;

  before(async () => {
    await environment.open();
    client = environment.connect();
    const { namespace } = environment;
    await client.create(realServerType, {
      apiVersion: 'networking.lvs-operator.io/v1alpha1',
      kind: 'RealServer',
      metadata: { name: 'web', namespace },
      spec: { virtualServiceRef: { name: 'web' }, addresses: ['198.51.100.11'], weight: 50 },
    });
    await client.create(directorType, {
      apiVersion: 'networking.lvs-operator.io/v1alpha1',
      kind: 'Director',
      metadata: { name: 'edge-1' },
      spec: {},
    });
    await client.create(nodeType, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'worker-1' } });
  });
  after(() => environment.close());

  const run = (...args: readonly string[]) =>
    runProduct([...args, '--kubeconfig', environment.kubeconfigFile]);
  const realServer = () => client.get(realServerType, { namespace: environment.namespace, name: 'web' });
  const node = () => client.get(nodeType, { name: 'worker-1' });
  const annotations = ({ metadata }: KubeObject) => metadata['annotations'] ?? {};

  it('drains a RealServer and nothing else of it, and takes it back', async () => {
    const { namespace } = environment;
    const named = ['realserver', 'web', '--namespace', namespace];
    const before = (await realServer())['spec'];
    assert.deepEqual(await run('drain', ...named), {
      code: 0,
      stdout: `RealServer ${namespace}/web drains: it gets no new connections.\n`,
      stderr: '',
    });
    assert.deepEqual((await realServer())['spec'], { ...(before as object), state: 'Drained' });
    assert.equal((await run('undrain', ...named)).code, 0);
    assert.deepEqual((await realServer())['spec'], before);
  });

  it('drains a node with a reason, and takes it back', async () => {
    assert.equal((await run('drain', 'node', 'worker-1', '--reason', 'new disks')).code, 0);
    assert.deepEqual(annotations(await node()), { 'networking.lvs-operator.io/drain': 'new disks' });
    assert.equal((await run('undrain', 'node', 'worker-1')).code, 0);
    assert.deepEqual(annotations(await node()), {});
  });

  const director = () => client.get(directorType, { name: 'edge-1' });
  /** What the director itself would say, about the spec that it has seen. */
  const say = async (status: 'True' | 'False', reason: string, message: string, generation?: number) => {
    const { metadata } = await director();
    const condition = {
      type: 'Drained',
      status,
      reason,
      message,
      lastTransitionTime: '2026-01-01T00:00:00Z',
      observedGeneration: generation ?? metadata['generation'],
    };
    await client.mergePatch(
      directorType,
      { name: 'edge-1' },
      { status: { conditions: [condition] } },
      { fieldManager: 'test', subresource: 'status' },
    );
  };
  const isDraining = async () =>
    ((await director())['spec'] as { maintenance?: { drain?: boolean } }).maintenance?.drain ?? false;
  const untilDraining = async () => {
    while (!(await isDraining())) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it('drains a director with a reason, without one, and takes it back', async () => {
    assert.deepEqual(await run('drain', 'director', 'edge-1', '--reason', 'new disks'), {
      code: 0,
      stdout: 'Director edge-1 drains: that node takes no new clients.\n',
      stderr: '',
    });
    assert.deepEqual((await director())['spec'], { maintenance: { drain: true, reason: 'new disks' } });
    assert.equal((await run('drain', 'lvsdir', 'edge-1')).code, 0);
    assert.deepEqual((await director())['spec'], { maintenance: { drain: true } });
    const { code, stdout } = await run('undrain', 'director', 'edge-1');
    assert.deepEqual([code, stdout], [0, 'Director edge-1 is back: that node takes new clients.\n']);
    assert.deepEqual((await director())['spec'], {});
  });

  it('waits until no connection is left, and believes nothing that is older than the wish', async () => {
    await say('True', 'NoConnections', 'No connection is left.');
    const running = run('drain', 'director', 'edge-1', '--wait');
    await untilDraining();
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await say('False', 'ConnectionsLeft', '2 connections are left (1 open, 1 closing).');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await say('True', 'NoConnections', 'No connection is left.');
    const { code, stdout, stderr } = await running;
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      'Director edge-1 drains: that node takes no new clients.',
      'Director edge-1 has not taken it in yet.',
      '2 connections are left (1 open, 1 closing).',
      'No connection is left.',
    ]);
    assert.equal((await run('undrain', 'director', 'edge-1')).code, 0);
  });

  it('waits no longer when somebody takes it back', async () => {
    const running = run('drain', 'director', 'edge-1', '--wait');
    await untilDraining();
    assert.equal((await run('undrain', 'director', 'edge-1')).code, 0);
    const { code, stderr } = await running;
    assert.deepEqual([code, stderr], [1, 'Director edge-1 is to drain no more: somebody took it back.\n']);
  });

  it('finds the kubeconfig as kubectl does', async () => {
    const env = { KUBECONFIG: environment.kubeconfigFile };
    const { code } = await runProduct(['undrain', 'node', 'worker-1'], { env });
    assert.equal(code, 0);
  });

  const mistakes: readonly (readonly [
    scenario: string,
    args: readonly string[],
    code: number,
    stderr: RegExp,
  ])[] = [
    ['what is not there', ['drain', 'realserver', 'nobody'], 1, /nobody.*\[LVS_KUBE_NOT_FOUND\]/s],
    [
      'what cannot be drained',
      ['drain', 'pod', 'a'],
      2,
      /"pod" cannot be drained; say what: \(realserver \| node \| director\)/,
    ],
    ['nothing', ['drain', 'node'], 2, /say what: /],
    ['two at once', ['undrain', 'node', 'a', 'b'], 2, /say what: /],
    [
      'a reason that would be lost',
      ['drain', 'realserver', 'web', '--reason', 'x'],
      2,
      /--reason belongs to a node or a director/,
    ],
    ['to wait for a node', ['drain', 'node', 'worker-1', '--wait'], 2, /--wait belongs to a director/],
    ['to wait for the end of nothing', ['undrain', 'director', 'edge-1', '--wait'], 2, /--wait/],
    ['a director that is not there', ['drain', 'director', 'nobody'], 1, /nobody.*\[LVS_KUBE_NOT_FOUND\]/s],
    [
      'a reason of two lines',
      ['drain', 'director', 'edge-1', '--reason', 'new\ndisks'],
      1,
      /spec\.maintenance\.reason/,
    ],
  ];
  for (const [scenario, args, code, stderr] of mistakes) {
    it(`refuses ${scenario}`, async () => {
      const result = await run(...args);
      assert.equal(result.code, code);
      assert.match(result.stderr, stderr);
    });
  }

  it('says where it looked for a cluster', async () => {
    const env = { KUBECONFIG: '', HOME: '/nonexistent', KUBERNETES_SERVICE_HOST: '' };
    const { code, stderr } = await runProduct(['drain', 'node', 'worker-1'], { env });
    assert.equal(code, 1);
    assert.match(stderr, /\[LVS_KUBE_CONFIG\]/);
    assert.doesNotMatch(stderr, /Director object/);
  });

  it('says that a director needs a cluster to be drained', async () => {
    const env = { KUBECONFIG: '', HOME: '/nonexistent', KUBERNETES_SERVICE_HOST: '' };
    const { code, stderr } = await runProduct(['drain', 'director', 'edge-1'], { env });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /only a cluster has; one that runs from manifests drains real server by real server/,
    );
  });
});
