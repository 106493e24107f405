import type { LvsError } from '../base/index.ts';
import { errno } from '../netlink/pure.ts';
import type { ApplyStep } from './bulk-load.ts';
import type { IpvsFamily } from './family.ts';
import { explainRefusal } from './refusal.ts';
import { formatRealServerKey, formatVirtualServiceKey } from './types.ts';
import type { IpvsOperation } from './types.ts';
import { judgeRefusal } from './upsert.ts';

/** 'done' when the table is now as the operation asks. */
export type OperationOutcome = 'done' | LvsError;

/** An entry can flip between two states only under another writer's hands; a few turns outlast any but a fight. */
const attemptsMax = 4;

/**
 * Brings the refused and the unanswered operations of one batch to their end, one by one, in their order.
 *
 * By then the rest of the batch has been executed. That matters only to a service whose operations meet, two on one
 * entry or a deletion among others: there everything behind a late operation is carried out again, so that the last
 * word counts as if none had been late. The table is then as asked; an operation on a real server whose whole service
 * a later one deleted may still be reported as refused.
 *
 * @param verdicts one per step; undefined is success
 * @param outcomes by the caller's index, written here
 */
export function settleBatch(
  family: IpvsFamily,
  steps: readonly ApplyStep[],
  verdicts: readonly (LvsError | undefined)[],
  outcomes: OperationOutcome[],
): void {
  if (verdicts.every((verdict) => verdict === undefined)) return;
  const contested = contestedServices(steps);
  const late = new Set<string>();
  /** Services that were created here: their real servers were refused only because they came first. */
  const createdLate = new Set<string>();
  steps.forEach(({ operation, index, isPreparation }, i) => {
    const verdict = verdicts[i];
    const service = formatVirtualServiceKey(operation.service);
    // A preparation needs no verdict of its own: the step that completes it meets the same obstacle.
    if (isPreparation || (verdict === undefined && !late.has(service))) return;
    const refusal = late.has(service) ? 'not tried' : verdict;
    const { outcome, isExecuted } = settle(family, operation, refusal, createdLate);
    outcomes[index] = outcome;
    if (isExecuted && contested.has(service)) late.add(service);
  });
}

function settle(
  family: IpvsFamily,
  operation: IpvsOperation,
  first: LvsError | 'not tried' | undefined,
  createdLate: Set<string>,
): { outcome: OperationOutcome; isExecuted: boolean } {
  const service = formatVirtualServiceKey(operation.service);
  let next = operation;
  let refusal = first;
  let isExecuted = false;
  for (let attempt = 1; attempt <= attemptsMax && refusal !== undefined; attempt++) {
    if (refusal === 'not tried' || isVerdictLost(refusal)) {
      // Executed or not, every operation may be executed again.
    } else if (refusal.errno === errno.ESRCH && createdLate.has(service) && attempt === 1) {
      // Its service exists by now.
    } else {
      const verdict = judgeRefusal(next, refusal);
      if (verdict.type === 'done') return { outcome: 'done', isExecuted };
      if (verdict.type === 'refused') break;
      next = verdict.operation;
    }
    [refusal] = family.batch([next], 1);
    isExecuted = true;
  }
  if (refusal === undefined || refusal === 'not tried') {
    if (next.type === 'addVirtualService') createdLate.add(service);
    return { outcome: 'done', isExecuted };
  }
  return { outcome: explainRefusal(refusal, operation), isExecuted };
}

/** Services of which the outcome depends on the order of their operations in this batch. */
function contestedServices(steps: readonly ApplyStep[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const contested = new Set<string>();
  for (const { operation, isPreparation } of steps) {
    if (isPreparation) continue;
    const service = formatVirtualServiceKey(operation.service);
    const entry =
      'realServer' in operation ? `${formatRealServerKey(operation.realServer)} ${service}` : service;
    if (seen.has(entry) || operation.type === 'deleteVirtualService') contested.add(service);
    seen.add(entry);
  }
  return contested;
}

function isVerdictLost(error: LvsError): boolean {
  return error.code === 'LVS_NETLINK_OVERRUN' || error.code === 'LVS_NETLINK_NO_ANSWER';
}
