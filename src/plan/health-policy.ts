import type { VirtualServiceSpec } from '../api/index.ts';
import { defaultQuorum } from '../health/pure.ts';
import type { HealthPolicy } from './health-types.ts';
import type { DesiredVirtualService } from './types.ts';

/** What a VirtualService says about the health of its real servers, beside the check itself. */
export function healthPolicyOf({ onFailure }: VirtualServiceSpec): HealthPolicy {
  return { onFailure, quorum: defaultQuorum, panicThresholdPercent: 0, slowStartMs: undefined };
}

const answers = new WeakMap<DesiredVirtualService, boolean>();

/** Whether anything of health is asked for a service, so that judging it can change anything. */
export function needsHealth(service: DesiredVirtualService): boolean {
  let answer = answers.get(service);
  if (answer === undefined) {
    answer =
      service.policy.slowStartMs !== undefined ||
      [...service.realServers.values()].some(({ check, isSorry }) => check !== undefined || isSorry);
    answers.set(service, answer);
  }
  return answer;
}
