import type { DirectorConfiguration } from '../api/index.ts';
import type { MassRemovalPolicy } from '../plan/index.ts';

/** The configuration's limits in the units of the plan. */
export function massRemovalPolicy({ massRemoval }: DirectorConfiguration): MassRemovalPolicy {
  const { fraction, entries, confirmSeconds } = massRemoval;
  return { fraction, entries, confirmMs: confirmSeconds * 1000 };
}

/** Nothing is held: whoever made the list has seen to it. */
export const noMassRemoval: MassRemovalPolicy = {
  fraction: 1,
  entries: Number.MAX_SAFE_INTEGER,
  confirmMs: 0,
};
