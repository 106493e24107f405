import { createServer } from 'node:net';
import { LvsError } from '../base/index.ts';

export interface DirectorLock {
  release(): Promise<void>;
}

/**
 * At most one director per network namespace, because the IPVS table belongs to the namespace. The lock is an
 * abstract unix socket (unix(7)): it lives in the same namespace as the table, and the kernel drops it with the
 * process, so no stale lock survives a crash.
 * @throws LvsError LVS_LEDGER_LOCKED
 */
export async function acquireDirectorLock(): Promise<DirectorLock> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new LvsError(
          'LVS_LEDGER_LOCKED',
          'Another lvs-operator director is running in this network namespace.',
          {
            cause: error,
            hint: 'Stop it first: one IPVS table has one owner.',
          },
        ),
      );
    });
    server.listen('\0lvs-operator/director', resolve);
  });
  server.unref();
  return {
    release: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}
