import { formatObjectRef } from '../api/index.ts';
import type { ObjectRef } from '../api/index.ts';
import { isLvsError, unreachable } from '../base/index.ts';
import type { LvsError, Logger } from '../base/index.ts';
import { formatRealServerKey, formatVirtualServiceKey, serviceFlags } from '../ipvs/index.ts';
import type { IpvsOperation, OperationOutcome } from '../ipvs/index.ts';
import type { PacketRules, SysctlProfile, VipBinding } from '../link/index.ts';
import type { Change, DesiredState } from '../plan/index.ts';
import type { RetryGate } from './retry-gate.ts';

/** The hands of a director: everything that a change can do to the host. Each throws or returns an LvsError. */
export interface Hands {
  /** One outcome per value, in the order of the profile. */
  writeSysctls(profile: SysctlProfile): readonly OperationOutcome[];
  applyPacketRules(rules: PacketRules): void;
  /** One outcome per binding. */
  bindVips(bindings: readonly VipBinding[]): readonly OperationOutcome[];
  releaseVips(bindings: readonly VipBinding[]): readonly OperationOutcome[];
  applyOperations(operations: readonly IpvsOperation[]): Promise<readonly OperationOutcome[]>;
}

export interface ChangeFailure {
  readonly change: Change;
  readonly error: LvsError;
  /** Same key, same kernel entry: what the retry gate counts. */
  readonly key: string;
  /** The object behind the change, where there is one. */
  readonly owner: ObjectRef | undefined;
  /** True for the first failure since the last success. */
  readonly isNew: boolean;
}

export interface ApplyOptions {
  readonly hands: Hands;
  readonly gate: RetryGate;
  /** Of the clock that the gate lives by. */
  readonly nowMs: number;
  /** The goal that the changes lead to. */
  readonly desired: Pick<DesiredState, 'services'>;
}

export interface ApplyResult {
  readonly applied: readonly Change[];
  readonly failures: readonly ChangeFailure[];
  /** Changes that wait for their retry time. */
  readonly waiting: number;
}

/**
 * Applies an ordered change list. Runs of changes of one type go to the kernel together. A failed change never stops
 * those of other services, but what depends on it waits: a service is not touched while its creation is refused, and
 * no absent real server leaves a service whose new real servers, raised weights or own edit were refused or wait for
 * another try. What was to be replaced goes on serving. A real server that its object drains leaves in any case.
 */
export async function applyChanges(changes: readonly Change[], options: ApplyOptions): Promise<ApplyResult> {
  const { hands, gate, nowMs, desired } = options;
  const applied: Change[] = [];
  const failures: ChangeFailure[] = [];
  const settle = (change: Change, outcome: OperationOutcome): void => {
    const key = formatChangeKey(change);
    if (outcome === 'done') {
      gate.recordSuccess(key);
      applied.push(change);
    } else {
      const isNew = gate.recordFailure(key, formatWish(change), nowMs);
      failures.push({
        change,
        error: outcome,
        key,
        owner: change.type === 'ipvs' ? change.owner : undefined,
        isNew,
      });
    }
  };
  /** Services with an earlier change that is not done. */
  const hindered = new Set<string>();
  const open = selectOpen(changes, gate, nowMs, hindered);
  let waiting = changes.length - open.length;
  for (const run of groupRuns(open)) {
    const ready = run.filter(
      (change) => !isLowering(change) || !hindered.has(serviceOf(change)) || isAskedFor(change, desired),
    );
    waiting += run.length - ready.length;
    const outcomes = await applyRun(ready, hands);
    ready.forEach((change, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined) return;
      settle(change, outcome);
      if (change.type === 'ipvs' && outcome !== 'done') hindered.add(serviceOf(change));
    });
  }
  return { applied, failures, waiting };
}

/** One line per failure that a person has not seen yet. */
export function logFailures(failures: readonly ChangeFailure[], logger: Logger): void {
  for (const { change, error, owner, isNew } of failures) {
    if (!isNew) continue;
    logger.warn('change refused', {
      change: formatChangeKey(change),
      ...(owner === undefined ? {} : { object: formatObjectRef(owner) }),
      error,
    });
  }
}

export function countByKind(changes: readonly Change[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const change of changes) {
    const kind = change.type === 'ipvs' ? change.operation.type : change.type;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** For the log. */
export function countByReason(result: ApplyResult): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const change of result.applied) {
    const name = change.type === 'ipvs' ? change.reason : change.type;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function selectOpen(
  changes: readonly Change[],
  gate: RetryGate,
  nowMs: number,
  hindered: Set<string>,
): readonly Change[] {
  const closedServices = new Set<string>();
  const isOpen = (change: Change): boolean =>
    gate.isOpen(formatChangeKey(change), () => formatWish(change), nowMs);
  return changes.filter((change) => {
    if (change.type === 'ipvs') {
      const service = formatVirtualServiceKey(change.operation.service);
      if (closedServices.has(service)) return false;
      if (isOpen(change)) return true;
      if (change.operation.type === 'addVirtualService') closedServices.add(service);
      if (!isLowering(change)) hindered.add(service);
      return false;
    }
    return isOpen(change);
  });
}

async function applyRun(run: readonly Change[], hands: Hands): Promise<readonly OperationOutcome[]> {
  const [first] = run;
  if (first === undefined) return [];
  switch (first.type) {
    case 'setSysctl':
      return hands.writeSysctls(
        new Map(run.flatMap((change) => (change.type === 'setSysctl' ? [[change.path, change.value]] : []))),
      );
    case 'setPacketRules':
      return run.map((change) =>
        attempt(() => change.type === 'setPacketRules' && hands.applyPacketRules(change.rules)),
      );
    case 'bindVip':
      return hands.bindVips(run.flatMap((change) => (change.type === 'bindVip' ? [change.binding] : [])));
    case 'releaseVip':
      return hands.releaseVips(
        run.flatMap((change) => (change.type === 'releaseVip' ? [change.binding] : [])),
      );
    case 'ipvs':
      return hands.applyOperations(
        run.flatMap((change) => (change.type === 'ipvs' ? [change.operation] : [])),
      );
    default:
      return unreachable(first);
  }
}

/**
 * Runs of one type; the order between runs is the plan's and is kept. What lowers a service begins a run of its own:
 * it goes to the kernel only when the outcome of what raised it is known.
 */
function groupRuns(changes: readonly Change[]): Change[][] {
  const runs: Change[][] = [];
  let last: Change | undefined;
  for (const change of changes) {
    const run = runs.at(-1);
    const isSameKind = last?.type === change.type && isLowering(last) === isLowering(change);
    if (run !== undefined && isSameKind) run.push(change);
    else runs.push([change]);
    last = change;
  }
  return runs;
}

/** Whether a service is worse off after this change: a real server leaves, or the fallback that made up for it goes. */
function isLowering(change: Change): boolean {
  if (change.type !== 'ipvs') return false;
  const { operation, reason } = change;
  switch (operation.type) {
    case 'deleteVirtualService':
    case 'deleteRealServer':
      return true;
    case 'editRealServer':
      return operation.config.weight === 0;
    case 'editVirtualService':
      return reason === 'FallbackWhileQuiesced' && (operation.config.flags & serviceFlags.SCHED1) === 0;
    case 'addVirtualService':
    case 'addRealServer':
      return false;
  }
}

/** Whether an object names the real server that leaves; the others leave because no object does. */
function isAskedFor(change: Change, desired: Pick<DesiredState, 'services'>): boolean {
  if (change.type !== 'ipvs' || !('realServer' in change.operation)) return false;
  const realServer = formatRealServerKey(change.operation.realServer);
  return desired.services.get(serviceOf(change))?.realServers.has(realServer) ?? false;
}

function serviceOf(change: Change): string {
  return change.type === 'ipvs' ? formatVirtualServiceKey(change.operation.service) : '';
}

function attempt(action: () => unknown): OperationOutcome {
  try {
    action();
    return 'done';
  } catch (error) {
    if (isLvsError(error)) return error;
    throw error;
  }
}

/** Same key, same entry of the host: what failures and retries are counted by. */
export function formatChangeKey(change: Change): string {
  switch (change.type) {
    case 'setSysctl':
      return `sysctl ${change.path}`;
    case 'setPacketRules':
      return 'packet rules';
    case 'bindVip':
    case 'releaseVip':
      return `VIP ${change.binding.vip} on ${change.binding.device}`;
    case 'ipvs': {
      const service = formatVirtualServiceKey(change.operation.service);
      return 'realServer' in change.operation
        ? `${service} > ${formatRealServerKey(change.operation.realServer)}`
        : service;
    }
  }
}

/** Two changes of one entry with the same text ask the kernel for the same. */
function formatWish(change: Change): string {
  switch (change.type) {
    case 'setSysctl':
      return change.value;
    case 'setPacketRules':
      return JSON.stringify(change.rules);
    case 'bindVip':
    case 'releaseVip':
      return change.type;
    case 'ipvs':
      return JSON.stringify(change.operation);
  }
}
