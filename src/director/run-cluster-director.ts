import { connectCluster, countAnswers } from '../cluster/index.ts';
import type { ConnectClusterOptions } from '../cluster/index.ts';
import { makeGuard } from '../endpoint/index.ts';
import { Metrics, clusterMetrics } from '../metrics/index.ts';
import { ClusterDirector } from './cluster-director.ts';
import { openDirectorEndpoint } from './director-endpoint.ts';
import { ownMetrics } from './director-metrics.ts';
import { acquireDirectorLock } from './lock.ts';
import type { RunningDirector } from './run-director.ts';
import type { DirectorOptions } from './serving.ts';

export interface RunClusterDirectorOptions extends DirectorOptions {
  readonly nodeName: string;
  readonly credentials: Pick<ConnectClusterOptions, 'kubeconfig' | 'service'>;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
}

/**
 * Starts a director from the objects of a cluster and returns after its first pass.
 * @throws LvsError when another director runs here, there are no credentials, the state directory is not writable, or
 *   this kernel cannot be used; nothing is left open then.
 */
export async function runClusterDirector(options: RunClusterDirectorOptions): Promise<RunningDirector> {
  const { credentials, clock, timers, random, version } = options;
  const metrics = new Metrics({ ...ownMetrics, ...clusterMetrics });
  const connection = connectCluster({
    ...credentials,
    onAnswer: countAnswers(metrics),
    clock,
    timers,
    random,
    userAgent: `lvs-operator-director/${version}`,
  });
  const lock = await acquireDirectorLock();
  const { listen, nodeName } = options;
  const guard = listen && makeGuard(listen, nodeName, clock, connection.client.transport);
  const director = new ClusterDirector({
    ...options,
    connection,
    metrics,
    endpoint:
      listen === undefined || guard === undefined
        ? undefined
        : { port: listen.port, certificateSHA256: guard.certificate.sha256 },
  });
  const endpoint =
    listen === undefined
      ? undefined
      : await openDirectorEndpoint({
          ...options,
          listen,
          guard,
          metrics,
          serving: () => director.serving,
          isReady: () => director.isReady,
        });
  try {
    await director.start();
  } catch (error) {
    await endpoint?.close();
    await director.close();
    await lock.release();
    throw error;
  }
  return {
    reload: () => director.reload(),
    stop: async () => {
      await director.stop();
      await endpoint?.close();
      await lock.release();
    },
  };
}
