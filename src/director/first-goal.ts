import { addProbeServices, computeDesiredState } from '../plan/index.ts';
import type { DesiredState, DesiredStateInput } from '../plan/index.ts';
import type { LastGoodStore } from './last-good.ts';

/**
 * The goal of a process that has no earlier one. What served before a bad edit goes on: where objects are refused, the
 * versions that an earlier process accepted are read from disk.
 */
export function computeFirstGoal(
  input: Omit<DesiredStateInput, 'lastAccepted'>,
  lastGood: Pick<LastGoodStore, 'load'>,
): DesiredState {
  const goal = computeGoal(input);
  if (!goal.refusals.some((refusal) => refusal.severity === 'error')) return goal;
  return computeGoal({ ...input, lastAccepted: lastGood.load().resources });
}

/** The goal of one director: what everybody would hold, and what its own probes need beside that. */
export function computeGoal(input: DesiredStateInput): DesiredState {
  return addProbeServices(computeDesiredState(input), input.facts);
}
