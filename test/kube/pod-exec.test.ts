import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { connectCluster, podType } from '../../src/cluster/index.ts';
import { execInPod, isKubeError, systemTimers } from '../../src/kube/index.ts';
import type { PodCommandResult } from '../../src/kube/index.ts';
import { onEveryServer } from '../apiserver/environment.ts';
import type { PodExecOutcome } from '../apiserver/pod-exec.ts';
import { systemTime } from '../cluster/connect-to-server.ts';

let outcome: PodExecOutcome = { stdout: '', stderr: '', exitCode: 0 };

onEveryServer(
  'a program in a pod',
  (environment) => {
    const command = (pod: string) => ({
      namespace: environment.namespace,
      pod,
      container: 'main',
      command: ['say', 'a b', 'ä&c=d'],
      timeoutMs: 10_000,
    });
    const exec = (pod: string): Promise<PodCommandResult> =>
      execInPod(environment.credentials, command(pod), systemTimers);

    before(async () => {
      await environment.connect().create(podType, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'here', namespace: environment.namespace },
        spec: { containers: [{ name: 'main', image: 'example.org/main' }] },
      });
    });
    after(() => (outcome = { stdout: '', stderr: '', exitCode: 0 }));

    /** A real API server here has no kubelet behind it; in the one of this process every pod has one. */
    const itWithout = (name: string, test: () => Promise<void>) => {
      if (environment.isReal) it(name, test);
    };
    const itWith = (name: string, test: () => Promise<void>) => {
      if (!environment.isReal) it(name, test);
    };

    itWithout('is no program where there is no kubelet, and says that it was not run', async () => {
      await assert.rejects(exec('here'), (error) => isKubeError(error, 'LVS_KUBE_UNREACHABLE'));
    });

    itWith('prints, and ends well or with its exit code', async () => {
      const stdout = 'ä'.repeat(100_000);
      outcome = { stdout, stderr: '', exitCode: 0 };
      assert.deepEqual(await exec('here'), { stdout, stderr: '', exitCode: 0, message: '' });
      outcome = { stdout: 'half', stderr: 'no', exitCode: 3 };
      const failed = await exec('here');
      assert.deepEqual([failed.stdout, failed.stderr, failed.exitCode], ['half', 'no', 3]);
      assert.match(failed.message, /non-zero exit code/);
    });

    it('is refused with the reason of the API server', async () => {
      const kubeconfig = { file: environment.kubeconfigFile };
      const connection = connectCluster({ kubeconfig, userAgent: 'suite', ...systemTime });
      try {
        await assert.rejects(connection.exec(command('nobody')), (error) => {
          assert.ok(isKubeError(error, 'LVS_KUBE_NOT_FOUND'), String(error));
          assert.match(error.message, /pods "nobody" not found/);
          return true;
        });
      } finally {
        await connection.close();
      }
    });
  },
  { podExec: () => Promise.resolve(outcome) },
);
