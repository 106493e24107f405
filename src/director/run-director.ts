import { openManifestFolder } from '../manifests/index.ts';
import { LastGoodStore } from './last-good.ts';
import { acquireDirectorLock } from './lock.ts';
import { ManifestSource } from './manifest-source.ts';
import { openServing } from './serving.ts';
import type { DirectorOptions } from './serving.ts';

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
  const { clock, logger } = options;
  const lock = await acquireDirectorLock();
  try {
    const lastGood = new LastGoodStore(options.stateDirectory, logger);
    const source = new ManifestSource({
      folder: openManifestFolder(options.manifestFolder, clock),
      path: options.manifestFolder,
      loadLastGood: () => lastGood.load().objects,
      clock,
      logger,
    });
    const serving = openServing({ ...options, source, lastGood });
    source.watch(() => serving.wake());
    source.refresh();
    await serving.start();
    return {
      reload: () => {
        source.refresh();
        serving.wake();
      },
      stop: async () => {
        source.close();
        await serving.stop();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
