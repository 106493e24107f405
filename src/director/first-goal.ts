import { computeDesiredState } from '../plan/index.ts';
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
  const goal = computeDesiredState(input);
  if (!goal.refusals.some((refusal) => refusal.severity === 'error')) return goal;
  return computeDesiredState({ ...input, lastAccepted: lastGood.load().resources });
}
