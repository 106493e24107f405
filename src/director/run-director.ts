import { hostname } from 'node:os';
import { openManifestFolder } from '../manifests/index.ts';
import { Metrics } from '../metrics/index.ts';
import { openDirectorEndpoint } from './director-endpoint.ts';
import { ownMetrics } from './director-metrics.ts';
import type { DirectorMetrics } from './director-metrics.ts';
import { LastGoodStore } from './last-good.ts';
import { acquireDirectorLock } from './lock.ts';
import { ManifestSource } from './manifest-source.ts';
import { openServing } from './serving.ts';
import type { DirectorOptions, Serving } from './serving.ts';

export interface RunDirectorOptions extends DirectorOptions {
  readonly manifestFolder: string;
}

export interface RunningDirector {
  /** Reads the goal again now, where it is not watched anyway. */
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
  const { clock, logger, listen } = options;
  const lock = await acquireDirectorLock();
  let serving: Serving | undefined;
  const metrics: DirectorMetrics = new Metrics(ownMetrics);
  const endpoint =
    listen === undefined
      ? undefined
      : await openDirectorEndpoint({
          ...options,
          listen,
          nodeName: hostname(),
          metrics,
          serving: () => serving,
          isReady: () => serving?.hasServedWhole === true,
        });
  const close = async (): Promise<void> => {
    await endpoint?.close();
    await lock.release();
  };
  try {
    const lastGood = new LastGoodStore(options.stateDirectory, logger);
    const source = new ManifestSource({
      folder: openManifestFolder(options.manifestFolder, clock),
      path: options.manifestFolder,
      loadLastGood: () => lastGood.load().objects,
      clock,
      logger,
    });
    const opened = openServing({ ...options, source, lastGood, metrics });
    serving = opened;
    source.watch(() => opened.wake());
    source.refresh();
    await opened.start();
    return {
      reload: () => {
        source.refresh();
        opened.wake();
      },
      stop: async () => {
        source.close();
        await opened.stop();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
