import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { nodeType, realServerType } from '../../src/cluster/index.ts';
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
      /"pod" cannot be drained; say what: \(realserver \|/,
    ],
    ['nothing', ['drain', 'node'], 2, /say what: /],
    ['two at once', ['undrain', 'node', 'a', 'b'], 2, /say what: /],
    [
      'a reason that would be lost',
      ['drain', 'realserver', 'web', '--reason', 'x'],
      2,
      /--reason belongs to a node/,
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
  });
});
