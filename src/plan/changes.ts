import type { IpvsTable } from '../ipvs/pure.ts';
import { isSamePacketRules, expireNodestConnPath } from '../link/pure.ts';
import type { PacketRules, SysctlProfile } from '../link/pure.ts';
import { findAbsence, formatEntry } from './absence.ts';
import { nextDrainLookMs } from './drain.ts';
import { defaultMassRemoval, judgeAbsence } from './hold.ts';
import type { AbsenceVerdict } from './hold.ts';
import { computeRulesGoal } from './leftover-rules.ts';
import { emptyPhases, inOrder } from './order.ts';
import type { Phases } from './order.ts';
import { groundOf } from './ground.ts';
import { computeVipOwnership, formatBinding, leftoverServices } from './ownership.ts';
import type { VipOwnership } from './ownership.ts';
import { pruneAllocations } from './prune-allocations.ts';
import { addService, editService, removeService } from './service-diff.ts';
import type { DiffContext } from './service-diff.ts';
import type { ChangePlan, ChangesInput } from './types.ts';

/**
 * What one pass does to the host, in a safe order (see `Phases`), and what the ledger must say before it is done.
 *
 * Equal states give no change. Nothing that is ours is ever deleted to be made anew: what differs is SET. Nothing
 * foreign is touched. Nothing is removed before every kind was read once, and no mass of things on the word of a single
 * list. Real servers leave by draining, services when they are empty, addresses when no service uses them.
 */
export function computeChanges(input: ChangesInput): ChangePlan {
  const phases = emptyPhases();
  const before = new Map(
    input.drains.map((record) => [formatEntry(record.service, record.realServer), record]),
  );
  const absence = judge(input, before);
  const context: DiffContext = {
    input,
    before,
    heldKeys: new Set(absence.held?.keys ?? []),
    phases,
    drains: [],
    hasCutConnections: false,
  };
  const leftover = leftoverServices(input);
  diffTable(context, leftover);

  const vips = computeVipOwnership(input);
  const { bound } = vips;
  const rules = computeRulesGoal({
    desired: input.desired.packetRules,
    leftover,
    bound,
    inForce: input.observed.packetRules,
    marks: input.desired.allocations.marks,
  });
  diffSysctls(rules, context);
  diffPacketRules(rules, input, phases);
  const hasMovedVip = diffVips(input, vips, phases);

  return {
    changes: inOrder(phases),
    packetRules: rules,
    drains: context.drains,
    held: absence.held,
    wakeAtMs: earliest([
      absence.wakeAtMs,
      ...context.drains.map((record) => nextDrainLookMs(record, input.nowMs)),
    ]),
    // Rules and addresses follow services, and the guard of an address follows the address.
    isFollowedUp: phases.deletedServices.length > 0 || phases.releasedVips.length > 0 || hasMovedVip,
    allocations: pruneAllocations(input, bound),
    ownedServices: listOwnedServices(input, leftover),
    ownedVips: vips.owned,
  };
}

/** Before the lists are complete nothing is absent: there is no list to be absent from. */
function judge(input: ChangesInput, before: DiffContext['before']): AbsenceVerdict {
  if (!input.isComplete) return { held: input.held, wakeAtMs: undefined };
  return judgeAbsence({
    ...findAbsence(input, before),
    held: input.held,
    listNumber: input.listNumber,
    nowMs: input.nowMs,
    policy: input.massRemoval ?? defaultMassRemoval,
  });
}

/** Sorted; the same list from pass to pass as long as it says the same. */
function listOwnedServices({ desired }: ChangesInput, leftover: IpvsTable): readonly string[] {
  const ground = groundOf(desired);
  if (ground !== undefined && leftover.size === 0) return ground.serviceKeys;
  return [...new Set([...desired.services.keys(), ...leftover.keys()])].toSorted();
}

function diffTable(context: DiffContext, leftover: IpvsTable): void {
  const { desired, observed } = context.input;
  for (const [key, service] of desired.services) {
    const there = observed.table.get(key);
    if (there === undefined) addService(key, service, context);
    else editService(key, service, there, context);
  }
  for (const [key, there] of leftover) removeService(key, there, context);
}

function diffSysctls(rules: PacketRules, { input, phases, hasCutConnections }: DiffContext): void {
  const was = input.observed.sysctls;
  for (const [path, value] of sysctlGoal(input.desired.sysctls, rules)) {
    if (was.get(path) === value) continue;
    const isRepair = input.previous?.sysctls.get(path) === value;
    phases.sysctls.push({ type: 'setSysctl', path, value, was: was.get(path), isRepair });
  }
  // Connections of a server that we delete for good would hang until they time out. With this sysctl the kernel ends
  // them at once; it goes back after, because it would do the same for a server that somebody deletes by mistake.
  if (hasCutConnections && input.desired.sysctls.get(expireNodestConnPath) === '0') {
    const change = { type: 'setSysctl', path: expireNodestConnPath, isRepair: false } as const;
    phases.deletedServers.unshift({ ...change, value: '1', was: '0' });
    phases.deletedServers.push({ ...change, value: '0', was: '1' });
  }
}

/** Source NAT of a draining service still needs tracked connections, though no desired service may. */
function* sysctlGoal(profile: SysctlProfile, rules: PacketRules): Iterable<readonly [string, string]> {
  for (const [path, value] of profile) {
    yield [path, path === conntrackPath && rules.sourceNat.length > 0 ? '1' : value];
  }
}

const conntrackPath = 'net/ipv4/vs/conntrack';

/** Remembers pairs that were found equal, since quiet passes compare the same two objects every time. */
const equalRules = new WeakMap<PacketRules, PacketRules>();

function diffPacketRules(
  goal: PacketRules,
  { observed, previousPacketRules }: ChangesInput,
  phases: Phases,
): void {
  const inForce = observed.packetRules;
  if (inForce !== undefined) {
    if (equalRules.get(goal) === inForce) return;
    if (isSamePacketRules(goal, inForce)) {
      equalRules.set(goal, inForce);
      return;
    }
  }
  // By the whole rules and not by `previous`: when a drain ends they change although the goal does not.
  const isRepair = previousPacketRules !== undefined && isSamePacketRules(goal, previousPacketRules);
  phases.packetRules.push({ type: 'setPacketRules', rules: goal, isRepair });
}

/** @returns whether a VIP moves between devices, and the old binding goes in the next pass. */
function diffVips(input: ChangesInput, { bound, isSettled }: VipOwnership, phases: Phases): boolean {
  if (isSettled) return false;
  const { desired, observed } = input;
  const present = new Set(observed.addresses.map(({ ip, device }) => formatBinding({ vip: ip, device })));
  const before = new Set(input.previous?.vips.map(formatBinding));
  const missing = new Set<string>();
  for (const binding of desired.vips) {
    if (present.has(formatBinding(binding))) continue;
    missing.add(binding.vip);
    phases.bindVips.push({ type: 'bindVip', binding, isRepair: before.has(formatBinding(binding)) });
  }
  if (!input.isComplete) return false;

  const wanted = new Map<string, string>(desired.vips.map((binding) => [binding.vip, binding.device]));
  const used = vipsInUse(input);
  let hasMovedVip = false;
  for (const binding of bound) {
    const device = wanted.get(binding.vip);
    if (device === binding.device) continue;
    if (device === undefined ? used.has(binding.vip) : missing.has(binding.vip)) {
      hasMovedVip ||= device !== undefined;
      continue;
    }
    phases.releasedVips.push({ type: 'releaseVip', binding });
  }
  return hasMovedVip;
}

/** VIPs of every service in the kernel, foreign ones too: an address in use is not taken away. */
function vipsInUse({ observed, desired }: ChangesInput): ReadonlySet<string> {
  const used = new Set<string>();
  const marks = new Set<number>();
  for (const { key } of observed.table.values()) {
    if (key.kind === 'address') used.add(key.vip);
    else marks.add(key.mark);
  }
  for (const { mark, vip } of Object.values(desired.allocations.marks)) if (marks.has(mark)) used.add(vip);
  return used;
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}
