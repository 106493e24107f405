import type { VirtualServiceSpec, WeightPolicySpec } from '../api/index.ts';
import type { LvsDynamicFeedbackPolicy, WeightPolicy } from '../weight/index.ts';

/** The policy as `weight` has it. */
export function weightPolicyOf({ weightPolicy }: Pick<VirtualServiceSpec, 'weightPolicy'>): WeightPolicy {
  switch (weightPolicy?.type) {
    case undefined:
    case 'Static':
      return { type: 'Static' };
    case 'CapacityEstimate':
    case 'InFlight': {
      const { type, base, minPercent, maxPercent } = weightPolicy;
      return { type, ...defined({ base, minPercent, maxPercent }) };
    }
    case 'LVSDynamicFeedback':
      return feedbackPolicy(weightPolicy.dynamicFeedback ?? {});
  }
}

function feedbackPolicy(spec: NonNullable<WeightPolicySpec['dynamicFeedback']>): LvsDynamicFeedbackPolicy {
  const { shares, periodSeconds, gain, target, scale, floor, threshold } = spec;
  return {
    type: 'LVSDynamicFeedback',
    ...defined({ gain, target, scale, floor, threshold }),
    ...(shares === undefined ? {} : { shares: defined(shares) }),
    ...(periodSeconds === undefined ? {} : { periodMs: periodSeconds * 1000 }),
  };
}

type Defined<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

/** Without the fields that are not set: `weight` has its own defaults. */
function defined<Fields extends Readonly<Record<string, unknown>>>(fields: Fields): Defined<Fields> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<Fields>;
}
