import type { AddressPoolStatus, ConditionVerdict } from '../api/index.ts';
import type { AddressPoolDecision } from './address-pool-decision.ts';
import { mergeConditions } from './conditions.ts';

const mostQuarantined = 200;
const mostWaitingFor = 16;
const mostOutside = 20;

/** @param now RFC 3339, for what changes */
export function addressPoolStatus(
  decision: AddressPoolDecision,
  stored: Pick<AddressPoolStatus, 'conditions'>,
  now: string,
): AddressPoolStatus {
  const { generation, addresses, allocated, quarantined } = decision;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const verdicts = addressPoolVerdicts(decision).map((verdict) => ({ ...verdict, ...observed }));
  return {
    ...observed,
    conditions: mergeConditions(stored.conditions, verdicts, now),
    counts: { addresses, allocated, quarantined: quarantined.length },
    quarantined: quarantined.slice(0, mostQuarantined).map(({ ip, since, version, waitingFor }) => ({
      ip,
      since,
      ...(version === undefined ? {} : { resourceVersion: version }),
      waitingFor: waitingFor.slice(0, mostWaitingFor),
    })),
  };
}

function addressPoolVerdicts({
  outside,
}: AddressPoolDecision): readonly Omit<ConditionVerdict, 'observedGeneration'>[] {
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Ready',
    message: 'The pool is in force.',
  } as const;
  if (outside.length === 0) return [ready];
  const shown = outside.slice(0, mostOutside).map(({ ip, owner }) => `${ip} (${owner})`);
  const more = outside.length > shown.length ? ` and ${outside.length - shown.length} more` : '';
  return [
    ready,
    {
      type: 'OutsidePool',
      status: 'True',
      reason: 'PoolShrunk',
      message:
        `In use but no longer in the pool: ${shown.join(', ')}${more}. They stay until their VirtualServices give them up; ` +
        'add them to the pool again, or give these VirtualServices other addresses.',
    },
  ];
}
