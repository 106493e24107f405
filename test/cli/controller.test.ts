import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { leaseType } from '../../src/kube/index.ts';
import { Environment, until } from '../apiserver/environment.ts';
import { productFile, runProduct } from './run-product.ts';

describe('lvs-operator controller', () => {
  const mistakes: [scenario: string, args: readonly string[], stderr: RegExp][] = [
    [
      'a lease of no time',
      ['--lease-duration', '0'],
      /--lease-duration must be a number of seconds from 0\.1/,
    ],
    [
      'a leader that outlives its lease',
      ['--lease-duration', '10', '--lease-renew-deadline', '10'],
      /--lease-duration must be longer than --lease-renew-deadline/,
    ],
    [
      'no time for a second attempt',
      ['--lease-retry-period', '6'],
      /--lease-renew-deadline must be at least twice --lease-retry-period/,
    ],
  ];
  for (const [scenario, args, stderr] of mistakes) {
    it(`refuses ${scenario}`, async () => {
      const run = await runProduct(['controller', ...args]);
      assert.equal(run.code, 2);
      assert.match(run.stderr, stderr);
    });
  }

  it('says that there is no cluster to be found', async () => {
    const env = { KUBERNETES_SERVICE_HOST: '', KUBERNETES_SERVICE_PORT: '' };
    const run = await runProduct(['controller'], { env });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /\[LVS_KUBE_CONFIG\]$/m);
  });

  it('leads until it is stopped, and gives the lease back', async (t) => {
    const environment = new Environment('in-process');
    await environment.open();
    t.after(() => environment.close());
    const args = ['--kubeconfig', environment.kubeconfigFile, '--namespace', environment.namespace];
    const child = spawn(process.execPath, [await productFile(), 'controller', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    t.after(() => child.kill('SIGKILL'));
    await until('it leads', async () => stderr.includes('"leading"'));
    const client = environment.connect();
    const lease = async () => {
      const name = { namespace: environment.namespace, name: 'lvs-operator-controller' };
      return (await client.get(leaseType, name))['spec'] as { holderIdentity: string };
    };
    assert.match((await lease()).holderIdentity, /_[0-9a-f-]{36}$/);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0, stderr);
    assert.equal((await lease()).holderIdentity, '');
  });
});
