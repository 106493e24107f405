import type { QuorumSpec, VirtualServiceSpec } from '../api/index.ts';
import { defaultQuorum } from '../health/pure.ts';
import type { QuorumPolicy } from '../health/pure.ts';
import type { HealthPolicy } from './health-types.ts';
import type { DesiredVirtualService } from './types.ts';

/** Nothing is asked. */
export const defaultHealthPolicy: HealthPolicy = {
  onFailure: 'Quiesce',
  quorum: defaultQuorum,
  hasOwnQuorum: false,
  panicThresholdPercent: 0,
  slowStartMs: undefined,
};

/** What a VirtualService says about the health of its real servers, beside the check itself. */
export function healthPolicyOf(spec: VirtualServiceSpec): HealthPolicy {
  const { onFailure, quorum, panicThresholdPercent, slowStart } = spec;
  return {
    onFailure,
    quorum: quorum === undefined ? defaultQuorum : quorumOf(quorum),
    hasOwnQuorum: quorum !== undefined,
    panicThresholdPercent,
    slowStartMs: slowStart === undefined ? undefined : slowStart.durationSeconds * 1000,
  };
}

function quorumOf({ minimum, minimumPercent, countIn, hysteresis }: QuorumSpec): QuorumPolicy {
  return {
    countIn,
    isPercent: minimumPercent !== undefined,
    minimum: minimumPercent ?? minimum ?? 1,
    hysteresis,
  };
}

const answers = new WeakMap<DesiredVirtualService, boolean>();

/** Whether anything of health is asked for a service, so that judging it can change anything. */
export function needsHealth(service: DesiredVirtualService): boolean {
  let answer = answers.get(service);
  if (answer === undefined) {
    answer =
      service.policy.slowStartMs !== undefined ||
      service.policy.hasOwnQuorum ||
      [...service.realServers.values()].some(({ check, isSorry }) => check !== undefined || isSorry);
    answers.set(service, answer);
  }
  return answer;
}
