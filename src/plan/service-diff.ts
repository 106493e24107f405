import { isSameRealServerConfig, isSameVirtualServiceConfig, serviceFlags } from '../ipvs/pure.ts';
import type {
  ObservedRealServer,
  ObservedVirtualService,
  RealServerConfig,
  VirtualServiceConfig,
} from '../ipvs/pure.ts';
import { formatEntry } from './absence.ts';
import type { DrainIndex } from './absence.ts';
import { defaultDrainSettings, drainRecord, isUdpService, stepDrain } from './drain.ts';
import type { DrainEnd, DrainStart } from './drain.ts';
import { ipvsChange } from './order.ts';
import type { Phases } from './order.ts';
import { isOwnedService } from './ownership.ts';
import type {
  ChangeReason,
  ChangesInput,
  DesiredRealServer,
  DesiredVirtualService,
  DrainRecord,
} from './types.ts';

/** What one pass knows while it goes through the table, and what it finds. */
export interface DiffContext {
  readonly input: ChangesInput;
  /** Records of earlier passes. */
  readonly before: DrainIndex;
  /** Keys whose removal is not believed yet; they stay as they are. */
  readonly heldKeys: ReadonlySet<string>;
  readonly phases: Phases;
  /** Records after this pass. */
  readonly drains: DrainRecord[];
  /** Whether a real server is deleted that still has connections, which nothing will serve again. */
  hasCutConnections: boolean;
}

/** A service that the kernel does not have. A real server that is drained stays out, unless it is the last resort. */
export function addService(key: string, desired: DesiredVirtualService, context: DiffContext): void {
  const { phases, input } = context;
  const isDrift = input.previous?.services.has(key) ?? false;
  const reason: ChangeReason = isDrift ? 'Drift' : 'New';
  const entering = [...desired.realServers].flatMap(([serverKey, server]) =>
    isProgrammed(server, desired) || entersLate({ key, serverKey, server, desired, context }) ? [server] : [],
  );
  const config = withFallback(
    desired.config,
    entering.some((server) => server.config.weight === 0),
  );
  phases.newServices.push(
    ipvsChange({ type: 'addVirtualService', service: desired.key, config }, reason, desired.owner),
  );
  for (const server of entering) {
    phases.newServices.push(
      ipvsChange(
        { type: 'addRealServer', service: desired.key, realServer: server.key, config: server.config },
        reason,
        server.owner,
      ),
    );
  }
}

/** A service that is wanted and there: SET what differs, add what is missing, drain what is too many. */
export function editService(
  key: string,
  desired: DesiredVirtualService,
  observed: ObservedVirtualService,
  context: DiffContext,
): void {
  if (isSettled(desired, observed)) return;
  const isAdopted = !isOwnedService(key, observed, context.input.ownedServices);
  let hasQuiesced = false;
  for (const [serverKey, server] of desired.realServers) {
    const there = observed.realServers.get(serverKey);
    const weight = settleRealServer({ key, desired, server, serverKey, there, isAdopted, context });
    hasQuiesced ||= weight === 0;
  }
  for (const [serverKey, there] of observed.realServers) {
    if (desired.realServers.has(serverKey)) continue;
    const weight = leave({ key, service: observed, serverKey, there, desired, context });
    hasQuiesced ||= weight === 0;
  }
  settleServiceConfig({ key, desired, observed, isAdopted, hasQuiesced, context });
}

/** Pairs that were found settled. Both sides are values, so what was true of a pair stays true. */
const settledPairs = new WeakMap<ObservedVirtualService, DesiredVirtualService>();

/**
 * Whether the kernel has exactly what is wanted: nothing to add, to set or to drain, whatever happened before. Of ten
 * thousand real servers an edit leaves all but a few in this state, and most of them are the objects of the last pass.
 */
export function isSettled(desired: DesiredVirtualService, observed: ObservedVirtualService): boolean {
  if (settledPairs.get(observed) === desired) return true;
  let hasQuiesced = false;
  let expected = 0;
  for (const [key, server] of desired.realServers) {
    // How long it may stay is a matter of the clock.
    if (server.isLastResort) return false;
    if (!isProgrammed(server, desired)) continue;
    const there = observed.realServers.get(key);
    if (there === undefined || !isSameRealServerConfig(there.config, server.config)) return false;
    hasQuiesced ||= server.config.weight === 0;
    expected++;
  }
  if (observed.realServers.size !== expected) return false;
  if (!isSameVirtualServiceConfig(observed.config, withFallback(desired.config, hasQuiesced))) return false;
  settledPairs.set(observed, desired);
  return true;
}

/** One of our services that nobody wants: its real servers drain, and it goes when it has none. */
export function removeService(key: string, observed: ObservedVirtualService, context: DiffContext): void {
  const { input, phases } = context;
  let isEmpty = true;
  // New clients meanwhile: with every weight at 0 the kernel answers "port unreachable" at once, which is what they
  // would get without the service, too.
  for (const [serverKey, there] of observed.realServers) {
    const weight = leave({ key, service: observed, serverKey, there, desired: undefined, context });
    isEmpty &&= weight === undefined;
  }
  if (!isEmpty || !input.isComplete || context.heldKeys.has(key)) return;
  phases.deletedServices.push(
    ipvsChange(
      { type: 'deleteVirtualService', service: observed.key },
      'Removed',
      input.previous?.services.get(key)?.owner,
    ),
  );
}

interface SettleInput {
  readonly key: string;
  readonly desired: DesiredVirtualService;
  readonly server: DesiredRealServer;
  readonly serverKey: string;
  readonly there: ObservedRealServer | undefined;
  readonly isAdopted: boolean;
  readonly context: DiffContext;
}

/** @returns the weight that the kernel has after the pass; undefined: the server is not there. */
function settleRealServer(settle: SettleInput): number | undefined {
  const { key, desired, server, serverKey, there, isAdopted, context } = settle;
  const { phases, input } = context;
  const service = desired.key;
  if (!isProgrammed(server, desired)) {
    if (there !== undefined) {
      return leave({ key, service: desired, serverKey, there, desired, goal: server, context });
    }
    if (!entersLate({ key, serverKey, server, desired, context })) return undefined;
  }
  const goal = input.previous?.services.get(key)?.realServers.get(serverKey);
  const isDrift = goal !== undefined && isSameRealServerConfig(goal.config, server.config);
  const { config } = server;
  if (there === undefined) {
    phases.realServers.push(
      ipvsChange(
        { type: 'addRealServer', service, realServer: server.key, config },
        isDrift && goal.isDrained === server.isDrained ? 'Drift' : 'New',
        server.owner,
      ),
    );
    return config.weight;
  }
  if (isSameRealServerConfig(there.config, config)) return config.weight;
  const isQuiesced = config.weight === 0 && there.config.weight > 0;
  let reason: ChangeReason = 'Changed';
  if (isAdopted) reason = 'Adopted';
  else if (context.before.has(formatEntry(key, serverKey))) reason = 'Restored';
  else if (isDrift) reason = 'Drift';
  else if (isQuiesced) reason = 'Quiesced';
  const change = ipvsChange(
    { type: 'editRealServer', service, realServer: server.key, config },
    reason,
    server.owner,
  );
  (isQuiesced ? phases.quiesced : phases.realServers).push(change);
  return config.weight;
}

interface LeaveInput {
  readonly key: string;
  readonly service: Pick<ObservedVirtualService, 'key' | 'config'>;
  readonly serverKey: string;
  readonly there: ObservedRealServer;
  /** The desired service, when it stays. */
  readonly desired: DesiredVirtualService | undefined;
  /** The desired real server, when its object stays but keeps it out of service. */
  readonly goal?: DesiredRealServer;
  readonly context: DiffContext;
}

interface EnterLateInput {
  readonly key: string;
  readonly serverKey: string;
  readonly server: DesiredRealServer;
  readonly desired: DesiredVirtualService;
  readonly context: DiffContext;
}

/**
 * Whether a drained server that the kernel does not have enters all the same, because nobody else takes clients: only
 * one that says itself how long it may. Without that, being gone is all that tells that its drain is over.
 */
function entersLate({ key, serverKey, server, desired, context }: EnterLateInput): boolean {
  const { nowMs } = context.input;
  const { isLastResort, drainDeadlineMs } = server;
  if (!isLastResort || drainDeadlineMs === undefined || nowMs >= drainDeadlineMs) return false;
  context.drains.push(drainRecord(drainStart({ key, serverKey, goal: server, desired, context }), undefined));
  return true;
}

interface DrainStartInput {
  readonly key: string;
  readonly serverKey: string;
  readonly goal: DesiredRealServer | undefined;
  readonly desired: DesiredVirtualService | undefined;
  readonly context: DiffContext;
}

function drainStart({ key, serverKey, goal, desired, context }: DrainStartInput): DrainStart {
  const { input, before } = context;
  const previous = input.previous?.services.get(key);
  const service = desired?.key ?? input.observed.table.get(key)?.key;
  return {
    service: key,
    realServer: serverKey,
    reason: goal !== undefined ? 'Drained' : desired === undefined ? 'ServiceRemoved' : 'Removed',
    settings:
      desired?.drain ??
      before.get(formatEntry(key, serverKey))?.settings ??
      previous?.drain ??
      defaultDrainSettings,
    ownDeadlineMs: goal?.drainDeadlineMs,
    isUdp: service !== undefined && isUdpService(service, input.desired.allocations.marks),
    isLastResort: goal?.isLastResort ?? false,
    nowMs: input.nowMs,
  };
}

/** A real server that is on its way out. @returns its weight after the pass; undefined: it is deleted. */
function leave(input: LeaveInput): number | undefined {
  const { key, service, serverKey, there, desired, goal, context } = input;
  const { input: pass, phases } = context;
  const entry = formatEntry(key, serverKey);
  const before = context.before.get(entry);
  const previous = pass.previous?.services.get(key)?.realServers.get(serverKey);
  const owner = goal?.owner ?? previous?.owner;
  const isLastResort = goal?.isLastResort ?? false;
  const isAbsent = goal === undefined;
  if (isAbsent && (!pass.isComplete || context.heldKeys.has(entry))) {
    if (before !== undefined) context.drains.push(before);
    return there.config.weight;
  }
  const realServer = there.key;
  const remove = (reason: ChangeReason) => {
    const { active, inactive } = there.connections;
    if (active + inactive > 0) context.hasCutConnections = true;
    phases.deletedServers.push(
      ipvsChange({ type: 'deleteRealServer', service: service.key, realServer }, reason, owner),
    );
  };
  // dh refuses every client that it hashes to a server at weight 0 (ip_vs_dh_schedule), so there is no quiescing.
  if (service.config.scheduler === 'dh' && pass.isComplete && !isLastResort) {
    remove(goal?.isDrained ? 'Drained' : 'Removed');
    return undefined;
  }
  const start = drainRecord(drainStart({ key, serverKey, goal, desired, context }), before);
  const { record, end } = stepDrain(start, there, pass.nowMs, isLastResort);
  // Connections are counted for drains that are known. One that begins at weight 0 has a count of any age.
  const isCounted = before !== undefined || end === 'DrainDeadline';
  if (end !== undefined && isCounted && pass.isComplete) {
    remove(deleteReason(end));
    return undefined;
  }
  context.drains.push(record);
  const weight = isLastResort ? (goal?.config.weight ?? 0) : 0;
  const config: RealServerConfig = { ...(goal?.config ?? there.config), weight };
  if (!isSameRealServerConfig(there.config, config)) {
    const change = ipvsChange(
      { type: 'editRealServer', service: service.key, realServer, config },
      before !== undefined && isSameLeave(goal, previous)
        ? 'Drift'
        : leavingReason(there.config, weight, before),
      owner,
    );
    (weight === 0 ? phases.quiesced : phases.realServers).push(change);
  }
  return weight;
}

/** Whether a server on its way out was to leave in the same manner before, so that other hands must have moved it. */
function isSameLeave(goal: DesiredRealServer | undefined, previous: DesiredRealServer | undefined): boolean {
  if (previous === undefined) return true;
  if (goal === undefined) return !previous.isLastResort;
  return previous.isLastResort === goal.isLastResort && isSameRealServerConfig(previous.config, goal.config);
}

function leavingReason(
  there: Pick<RealServerConfig, 'weight'>,
  weight: number,
  before: DrainRecord | undefined,
): ChangeReason {
  if (weight === 0) return there.weight > 0 ? 'Quiesced' : 'Changed';
  return there.weight === 0 && before !== undefined ? 'Restored' : 'Changed';
}

function deleteReason(end: DrainEnd): ChangeReason {
  return end === 'Drained' ? 'Drained' : 'DrainDeadline';
}

/**
 * Whether the kernel should have a real server in the long run; the others drain if they are there. dh has nobody take
 * over from a server at weight 0, which is what a maintenance wants and nobody else.
 */
function isProgrammed(server: DesiredRealServer, { config }: DesiredVirtualService): boolean {
  const isServed = server.config.weight > 0 || server.isInMaintenance === true;
  return !server.isDrained && (config.scheduler !== 'dh' || isServed);
}

interface ServiceConfigInput {
  readonly key: string;
  readonly desired: DesiredVirtualService;
  readonly observed: ObservedVirtualService;
  readonly isAdopted: boolean;
  readonly hasQuiesced: boolean;
  readonly context: DiffContext;
}

function settleServiceConfig(input: ServiceConfigInput): void {
  const { desired, observed, hasQuiesced, context } = input;
  const { phases } = context;
  const goal = withFallback(desired.config, hasQuiesced);
  if (isSameVirtualServiceConfig(observed.config, goal)) return;
  const edit = (config: VirtualServiceConfig, reason: ChangeReason) =>
    ipvsChange({ type: 'editVirtualService', service: desired.key, config }, reason, desired.owner);

  // A fallback that is no longer needed is still needed while this pass lowers and deletes.
  const isRelaxed = isFallbackOn(observed.config) && !isFallbackOn(goal) && canFallBack(goal);
  const first = isRelaxed ? { ...goal, flags: (goal.flags | serviceFlags.SCHED1) >>> 0 } : goal;
  if (!isSameVirtualServiceConfig(observed.config, first)) {
    phases.serviceEdits.push(edit(first, serviceReason(input, first)));
  }
  if (isRelaxed) phases.relaxedServices.push(edit(goal, 'FallbackWhileQuiesced'));
}

function serviceReason(
  { key, desired, observed, isAdopted, context: { input } }: ServiceConfigInput,
  goal: VirtualServiceConfig,
): ChangeReason {
  if (isAdopted) return 'Adopted';
  const withoutFallback = { ...goal, flags: (goal.flags & ~serviceFlags.SCHED1) >>> 0 };
  if (isFallbackOn(goal) && isSameVirtualServiceConfig(observed.config, withoutFallback)) {
    return 'FallbackWhileQuiesced';
  }
  const before = input.previous?.services.get(key);
  return before !== undefined && isSameVirtualServiceConfig(before.config, desired.config)
    ? 'Drift'
    : 'Changed';
}

/**
 * mh and sh answer "no destination" to a client that they hash to a quiesced server, unless their fallback flag is set
 * (ip_vs_mh_get_fallback, ip_vs_sh_get_fallback); SCHED1 is that flag for both.
 */
function withFallback(config: VirtualServiceConfig, hasQuiesced: boolean): VirtualServiceConfig {
  return hasQuiesced && canFallBack(config)
    ? { ...config, flags: (config.flags | serviceFlags.SCHED1) >>> 0 }
    : config;
}

function canFallBack({ scheduler }: Pick<VirtualServiceConfig, 'scheduler'>): boolean {
  return scheduler === 'mh' || scheduler === 'sh';
}

function isFallbackOn(config: VirtualServiceConfig): boolean {
  return canFallBack(config) && (config.flags & serviceFlags.SCHED1) !== 0;
}
