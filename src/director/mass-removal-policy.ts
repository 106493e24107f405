import type { DirectorConfiguration } from '../api/index.ts';
import type { MassRemovalPolicy } from '../plan/index.ts';

/** The configuration's limits in the units of the plan. */
export function massRemovalPolicy({ massRemoval }: DirectorConfiguration): MassRemovalPolicy {
  const { fraction, entries, confirmSeconds } = massRemoval;
  return { fraction, entries, confirmMs: confirmSeconds * 1000 };
}
