import type { Condition } from '../api/index.ts';
import type { EventNote } from '../kube/index.ts';

export type TransitionNote = Pick<EventNote, 'type' | 'reason' | 'action' | 'note'>;

/**
 * What people should hear of when a status changes: the turns of its conditions and not their waiting. An event is told
 * once per turn; what stays as it is, or only counts differently, is told by the status alone.
 */
export function transitionNotes(
  before: readonly Condition[],
  after: readonly Condition[],
): readonly TransitionNote[] {
  return after.flatMap((condition) => {
    const last = before.find(({ type }) => type === condition.type);
    const isSame = last?.status === condition.status && last.reason === condition.reason;
    return isSame ? [] : describeTurn(condition, last);
  });
}

function describeTurn(condition: Condition, last: Condition | undefined): readonly TransitionNote[] {
  const { status, reason, message: note } = condition;
  const isTrue = status === 'True';
  switch (condition.type) {
    case 'Accepted':
      if (isTrue) return [{ type: 'Normal', reason: 'Accepted', action: 'Allocate', note }];
      // To wait is no mistake.
      return [
        { type: reason === 'AddressQuarantined' ? 'Normal' : 'Warning', reason, action: 'Allocate', note },
      ];
    case 'AddressAssigned':
      if (!isTrue) return [];
      return reason === 'OutsidePool'
        ? [{ type: 'Warning', reason, action: 'Allocate', note }]
        : [{ type: 'Normal', reason: 'AddressAssigned', action: 'Allocate', note }];
    case 'Programmed':
      if (isTrue) return [{ type: 'Normal', reason, action: 'Program', note }];
      return isWaiting(reason) ? [] : [{ type: 'Warning', reason, action: 'Program', note }];
    case 'RealServersAvailable':
      if (isTrue && isTroubled(reason))
        return [{ type: 'Warning', reason: 'RealServersFailing', action: 'Check', note }];
      if (isTrue) return [{ type: 'Normal', reason: 'RealServersAvailable', action: 'Resolve', note }];
      // Who never had any is just being made.
      return last?.status === 'True'
        ? [{ type: 'Warning', reason: 'RealServersUnavailable', action: 'Resolve', note }]
        : [];
    case 'OutsidePool':
      return [{ type: 'Warning', reason: 'PoolShrunk', action: 'Allocate', note }];
    default:
      return [];
  }
}

/** Clients are served, and not by all that should serve them. */
function isTroubled(reason: string): boolean {
  return reason === 'Degraded' || reason === 'HealthIgnored';
}

function isWaiting(reason: string): boolean {
  return ['DirectorsPending', 'NoAddress', 'NoDirectors', 'AddressQuarantined'].includes(reason);
}
