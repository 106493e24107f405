import { isDirectorNode, nodeType, parseNode } from '../cluster/index.ts';
import type { ClusterConnection } from '../cluster/index.ts';
import { isKubeError } from '../kube/index.ts';

/**
 * What the API server says of our node, asked now. Only an answer counts: silence, a refusal, or a node that is unknown
 * is no reason to take anything from clients.
 */
export type NodeVerdict = 'Director' | 'NoDirector' | 'NotFound' | 'Unknown';

export async function askForOwnNode(
  { client }: Pick<ClusterConnection, 'client'>,
  nodeName: string,
  timeoutMs: number,
): Promise<NodeVerdict> {
  try {
    const node = parseNode(await client.get(nodeType, { name: nodeName }, { timeoutMs }));
    return isDirectorNode(node) ? 'Director' : 'NoDirector';
  } catch (error) {
    return isKubeError(error, 'LVS_KUBE_NOT_FOUND') ? 'NotFound' : 'Unknown';
  }
}
