/** A connection to the API server of a test, by a kubeconfig as people have it, and objects put there directly. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectCluster } from '../../src/cluster/index.ts';
import type { ClusterConnection } from '../../src/cluster/index.ts';
import { systemTimers } from '../../src/kube/index.ts';
import type { ApiServer } from '../apiserver/start-api-server.ts';

export const systemTime = {
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  timers: systemTimers,
  random: () => 0,
};

export interface TestConnection {
  readonly connection: ClusterConnection;
  /** The kubeconfig file. */
  readonly file: string;
  readonly close: () => Promise<void>;
}

export async function connectToServer(server: ApiServer, token?: string): Promise<TestConnection> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lvs-cluster-'));
  const file = path.join(folder, 'config');
  await writeFile(file, server.kubeconfig(token));
  const connection = connectCluster({ kubeconfig: { file }, userAgent: 'suite', ...systemTime });
  return {
    connection,
    file,
    close: async () => {
      await connection.close();
      await rm(folder, { recursive: true });
    },
  };
}
