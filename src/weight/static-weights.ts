import { defaultBaseWeight } from './base-shares.ts';
import type { PolicyEngine, PolicyOutcome, Pool } from './member.ts';
import type { WeightPolicy } from './policy.ts';

/** The configured weights as they are: because the policy says so, or because the scheduler leaves no choice. */
export class StaticWeights implements PolicyEngine {
  readonly periodMs = 5000;
  readonly #outcome: PolicyOutcome;

  /** @param obstacle why a policy that would move weights cannot, under this scheduler */
  constructor(policy: WeightPolicy, obstacle: string | undefined) {
    const isHindered = policy.type !== 'Static' && obstacle !== undefined;
    this.#outcome = {
      reason: isHindered ? 'SchedulerIgnoresWeights' : 'Configured',
      isFromLoad: false,
      isPanic: false,
      message: isHindered
        ? `Weights do not follow the load: ${obstacle}.`
        : 'The configured weights are used, as the policy says.',
    };
  }

  step({ members, shares }: Pool): PolicyOutcome {
    for (const [index, member] of members.entries()) {
      member.trace.reason = this.#outcome.reason;
      member.trace.configured = shares.configured[index] ?? 1;
      member.advised = member.server.baseWeight ?? defaultBaseWeight;
    }
    return this.#outcome;
  }
}
