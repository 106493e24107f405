import type { ObjectRef } from '../api/index.ts';
import type { IpvsOperation } from '../ipvs/pure.ts';
import type { Change, ChangeReason } from './types.ts';

/**
 * The steps of a pass, in the order in which no packet meets half a service:
 *
 *  1. sysctls           the host forwards before anything asks it to
 *  2. newServices       each with its real servers; closed to the world until 5 and 6
 *  3. serviceEdits      the mh/sh fallback goes on before anything is quiesced
 *  4. realServers       added and raised before others are lowered: there is always somebody to answer
 *  5. packetRules       a port opens only when its service is complete, a mark counts only when its service exists
 *  6. bindVips          an address comes up behind its guard
 *  7. quiesced          weight 0
 *  8. deletedServers    drained
 *  9. relaxedServices   the fallback goes off when nothing is quiesced any more
 * 10. deletedServices   empty by now
 * 11. releasedVips      unused since an earlier pass
 */
export interface Phases {
  readonly sysctls: Change[];
  readonly newServices: Change[];
  readonly serviceEdits: Change[];
  readonly realServers: Change[];
  readonly packetRules: Change[];
  readonly bindVips: Change[];
  readonly quiesced: Change[];
  readonly deletedServers: Change[];
  readonly relaxedServices: Change[];
  readonly deletedServices: Change[];
  readonly releasedVips: Change[];
}

export function emptyPhases(): Phases {
  return {
    sysctls: [],
    newServices: [],
    serviceEdits: [],
    realServers: [],
    packetRules: [],
    bindVips: [],
    quiesced: [],
    deletedServers: [],
    relaxedServices: [],
    deletedServices: [],
    releasedVips: [],
  };
}

export function inOrder(phases: Phases): readonly Change[] {
  return [
    ...phases.sysctls,
    ...phases.newServices,
    ...phases.serviceEdits,
    ...phases.realServers,
    ...phases.packetRules,
    ...phases.bindVips,
    ...phases.quiesced,
    ...phases.deletedServers,
    ...phases.relaxedServices,
    ...phases.deletedServices,
    ...phases.releasedVips,
  ];
}

export function ipvsChange(
  operation: IpvsOperation,
  reason: ChangeReason,
  owner: ObjectRef | undefined,
): Change {
  return { type: 'ipvs', operation, reason, owner };
}
