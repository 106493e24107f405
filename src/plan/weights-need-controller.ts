import { followsLoad } from '../api/index.ts';
import type { RealServerGroup } from './enter-real-servers.ts';
import type { RefusalList } from './refusals.ts';
import type { VirtualServiceDraft } from './service-draft.ts';

/** From files there is nobody who adds up what all directors see: the service runs, with the weights that are written. */
export function warnOfWeightsWithoutController(
  { resource, owner }: VirtualServiceDraft,
  { slices, realServers }: RealServerGroup,
  refusals: RefusalList,
): void {
  const { weightPolicy } = resource.spec;
  if (weightPolicy === undefined || !followsLoad(resource.spec)) return;
  if (slices !== undefined || realServers.length === 0) return;
  refusals.warn({
    object: owner,
    path: ['spec', 'weightPolicy', 'type'],
    reason: 'NeedsCluster',
    message:
      `${weightPolicy.type} needs a cluster, whose controller adds up what its directors see; this director runs from ` +
      'files and keeps the weights as they are written.',
  });
}
