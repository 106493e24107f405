import { readDirectorStatus } from '../api/index.ts';
import type { DirectorResource } from '../api/index.ts';
import type { NodeRecord } from '../cluster/index.ts';
import type { ReadableStore } from '../kube/index.ts';
import type { PolledDirector } from '../load/index.ts';
import { nodeOf } from './live-directors.ts';

/**
 * The directors that say where they tell their counters, on a node that is ready. The address is that of the Node, which
 * the director cannot choose: a status must not send us, and our token, to wherever it likes.
 */
export function polledDirectors(
  directors: Pick<ReadableStore<DirectorResource>, 'values'>,
  nodes: { get(name: string): NodeRecord | undefined },
): readonly PolledDirector[] {
  return [...directors.values()].flatMap((director) => {
    const { endpoint } = readDirectorStatus(director);
    const node = nodes.get(nodeOf(director));
    if (endpoint === undefined || node?.isReady !== true || node.internalAddress === undefined) return [];
    return [{ name: director.metadata.name, address: node.internalAddress, ...endpoint }];
  });
}
