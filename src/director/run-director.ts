import type { DirectorConfiguration } from '../api/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import { openManifestFolder } from '../manifests/index.ts';
import type { Libc } from '../netlink/index.ts';
import { DirectorAgent } from './agent.ts';
import { LastGoodStore } from './last-good.ts';
import { LedgerStore } from './ledger.ts';
import { acquireDirectorLock } from './lock.ts';
import { ManifestSource } from './manifest-source.ts';
import { openHost } from './open-host.ts';
import { StatusBoard } from './status-board.ts';
import { StatusFile } from './status-file.ts';

export interface RunDirectorOptions {
  readonly manifestFolder: string;
  readonly stateDirectory: string;
  readonly configuration: DirectorConfiguration;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  readonly pid: number;
  readonly netlinkDebug?: ((line: string) => void) | undefined;
  /** @default the C library of this process */
  readonly libc?: Libc | undefined;
}

export interface RunningDirector {
  /** Reads the manifests again now. */
  reload(): void;
  /** Ends the loop and every watch; the kernel keeps serving. */
  stop(): Promise<void>;
}

/**
 * Starts a director from a folder of manifests and returns after its first pass.
 * @throws LvsError when another director runs here, the state directory is not writable, or this kernel cannot be
 *   used; nothing is left open then.
 */
export async function runDirector(options: RunDirectorOptions): Promise<RunningDirector> {
  const { clock, configuration, logger } = options;
  const lock = await acquireDirectorLock();
  try {
    const ledgerStore = new LedgerStore(options.stateDirectory);
    const host = openHost(options);
    const lastGood = new LastGoodStore(options.stateDirectory, logger);
    const source = new ManifestSource({
      folder: openManifestFolder(options.manifestFolder, clock),
      path: options.manifestFolder,
      loadLastGood: () => lastGood.load(),
      clock,
      logger,
    });
    const kernel = host.readKernelFacts();
    logger.info('director starts', {
      version: options.version,
      kernel: kernel.release,
      ipvs: kernel.ipvsVersion,
    });
    host.applyTimeouts();
    const statusFile = new StatusFile(options.stateDirectory, logger);
    const board = new StatusBoard({
      version: options.version,
      pid: options.pid,
      kernel,
      clock,
      write: (status) => statusFile.write(status),
    });
    const agent = new DirectorAgent({
      source,
      host,
      ledgerStore,
      lastGood,
      board,
      configuration,
      clock,
      logger,
    });
    source.watch(() => agent.wake());
    source.refresh();
    await agent.start();
    logger.info('director serves', { pid: options.pid });
    return {
      reload: () => {
        source.refresh();
        agent.wake();
      },
      stop: async () => {
        source.close();
        await agent.stop();
        lastGood.flush();
        host.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
