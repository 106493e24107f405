import { defaultDirectorConfiguration } from '../api/index.ts';
import type { DirectorConfiguration } from '../api/index.ts';
import { readDirectorConfiguration } from '../manifests/index.ts';

/**
 * The configuration of this node, or the defaults when no file is named.
 * @throws LvsError LVS_CONFIG_INVALID that lists every mistake with file and line.
 */
export function readConfiguration(path: string | undefined): DirectorConfiguration {
  return path === undefined ? defaultDirectorConfiguration() : readDirectorConfiguration(path);
}
