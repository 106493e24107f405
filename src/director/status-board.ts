import { formatObjectRef, mergeCondition, objectRefOf } from '../api/index.ts';
import type { ConditionVerdict, ObjectRef, VirtualServiceResource } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import type { Clock } from '../base/index.ts';
import type { Isolation } from '../health/index.ts';
import { isRepair, witnessFlag } from '../plan/index.ts';
import type { TroubledService } from '../plan/index.ts';
import { describeTrouble, isWorse } from './health-words.ts';
import type { ChangeFailure } from './apply.ts';
import type { HostState, KernelFacts } from './host.ts';
import type { Ledger } from './ledger.ts';
import { describeConnections, describeMaintenance, isDrained } from './maintenance.ts';
import type { MaintenanceProgress } from './maintenance.ts';
import {
  collectProblems,
  countRealServers,
  countServices,
  describeDrains,
  describeFailing,
  summarizeHealth,
} from './status-parts.ts';
import type { BoardInput } from './status-parts.ts';
import { formatTime, listCap } from './status.ts';
import type {
  DirectorCondition,
  DirectorConditionType,
  DirectorStatus,
  VirtualServiceStatus,
} from './status.ts';

export interface StatusBoardOptions {
  readonly version: string;
  readonly pid: number;
  readonly kernel: KernelFacts;
  readonly clock: Clock;
  /** Gets the newest status, at most once a second. */
  write(status: DirectorStatus): void;
  /** Gets what the status is made of, for who tells it elsewhere in other words. */
  readonly tell?: (input: BoardInput, conditions: readonly DirectorCondition[]) => void;
  /**
   * Whether an object that is refused makes the director itself less than ready. In files everything is one person's; in a
   * cluster the objects are those of tenants, who are told in their own status.
   * @default true
   */
  readonly answersForObjects?: boolean;
}

const leastIntervalMs = 1000;
const pauseMs = 300;
const firstDelayMs = 20;

/**
 * Turns what a round found into the status that people read. Computing it costs as much as a pass, so a round only
 * leaves its input here, and the status is made when it is written: at most once a second.
 */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  #conditions: readonly DirectorCondition[] = [];
  readonly #startedAt: string;
  #counters = { passes: 0, changes: 0, driftRepairs: 0, refusedOperations: 0 };
  #input: BoardInput | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pendingSinceMs: number | undefined;
  #lastWriteMs = Number.NEGATIVE_INFINITY;

  constructor(options: StatusBoardOptions) {
    this.#options = options;
    this.#startedAt = formatTime(options.clock.wallMs());
  }

  /** What the status is made of; nothing before the first round. */
  get current(): {
    readonly round: BoardInput | undefined;
    readonly conditions: readonly DirectorCondition[];
  } {
    return { round: this.#input, conditions: this.#conditions };
  }

  update(input: BoardInput): void {
    this.#input = input;
    const { result } = input;
    this.#counters = {
      passes: this.#counters.passes + 1,
      changes: this.#counters.changes + result.applied.length,
      driftRepairs: this.#counters.driftRepairs + result.applied.filter(isRepair).length,
      refusedOperations: this.#counters.refusedOperations + result.failures.length,
    };
    this.#setConditions(input);
    this.#schedule();
  }

  recordPassFailure(error: unknown): void {
    this.#set('Programmed', 'False', 'PassFailed', formatErrorForPeople(error));
    this.#set('Ready', 'False', 'PassFailed', formatErrorForPeople(error));
    this.#schedule();
  }

  recordLedger(error: unknown): void {
    if (error === undefined) this.#set('LedgerWritten', 'True', 'Written', 'The ledger is on disk.');
    else {
      this.#set(
        'LedgerWritten',
        'False',
        'WriteFailed',
        `The ledger cannot be written, drains would not survive a restart: ${formatErrorForPeople(error)}`,
      );
      this.#schedule();
    }
  }

  /** Writes what is pending, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pendingSinceMs = undefined;
    if (this.#input === undefined) return;
    this.#lastWriteMs = this.#options.clock.monotonicMs();
    this.#options.write(this.#compute(this.#input));
    this.#options.tell?.(this.#input, this.#conditions);
  }

  /**
   * The first status comes at once. Later ones wait for a pause between edits, of which the next may be on its way, but
   * not longer than a second.
   */
  #schedule(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isFirst = this.#lastWriteMs === Number.NEGATIVE_INFINITY;
    this.#pendingSinceMs ??= nowMs;
    const dueMs = Math.min(
      this.#pendingSinceMs + leastIntervalMs,
      Math.max(nowMs + (isFirst ? firstDelayMs : pauseMs), this.#lastWriteMs + leastIntervalMs),
    );
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), Math.max(0, dueMs - nowMs));
    this.#timer.unref();
  }

  #set(...[type, status, reason, message]: SetArguments): void {
    this.#setVerdict({ type, status, reason, message });
  }

  #setVerdict(verdict: ConditionVerdict<DirectorConditionType>): void {
    const now = formatTime(this.#options.clock.wallMs());
    this.#conditions = mergeCondition(this.#conditions, verdict, now);
  }

  #setConditions(input: BoardInput): void {
    const { view, failures, foreignHands, held, desired } = input;
    const errors = view.problems.filter((problem) => problem.severity === 'error').length;
    const refused = desired.refusals.filter((refusal) => refusal.severity === 'error').length;
    this.#setVerdict(view.condition);
    const failed = [...failures.values()];
    const partOf = (type: string): ChangeFailure | undefined =>
      failed.find((failure) => failure.change.type === type);
    this.#setPart('SysctlsApplied', partOf('setSysctl'), 'The kernel settings are as they should be.');
    this.#setPart('PacketRulesApplied', partOf('setPacketRules'), 'The packet rules are in place.');
    const addressFailure = partOf('bindVip') ?? partOf('releaseVip');
    if (addressFailure === undefined && input.announcementProblem !== undefined) {
      this.#set('AddressesBound', 'False', 'NotAnnounced', formatErrorForPeople(input.announcementProblem));
    } else this.#setPart('AddressesBound', addressFailure, 'The virtual addresses are bound.');
    const kernelFailure = partOf('ipvs');
    if (kernelFailure !== undefined) this.#setPart('Programmed', kernelFailure, '');
    else if (held !== undefined) {
      this.#set(
        'Programmed',
        'False',
        'RemovalHeld',
        `The removal of ${held.keys.length} entries waits for a second complete list.`,
      );
    } else this.#set('Programmed', 'True', 'TableEqualsGoal', 'The kernel table equals the goal.');
    if (foreignHands !== undefined) this.#set('ForeignHands', 'True', 'TableContested', foreignHands);
    else this.#set('ForeignHands', 'False', 'Alone', 'Nobody else changes what is ours.');
    this.#setHealth(input);
    const { answersForObjects = true } = this.#options;
    const areObjectsServed = !answersForObjects || (errors === 0 && refused === 0);
    const isReady = failed.length === 0 && areObjectsServed && view.isComplete && held === undefined;
    this.#setDrained(input.maintenance);
    if (input.maintenance !== undefined) {
      this.#set(
        'Ready',
        'False',
        'Maintenance',
        `${describeMaintenance(input.maintenance)} New clients are refused here, and what is open goes on. ` +
          '"lvs-operator undrain director" ends it.',
      );
    } else if (isReady) this.#set('Ready', 'True', 'Serving', 'Everything is served.');
    else
      this.#set(
        'Ready',
        'False',
        'Incomplete',
        'Something is not served; the other conditions and the problems say what.',
      );
  }

  #setDrained(maintenance: MaintenanceProgress | undefined): void {
    if (maintenance === undefined) {
      this.#conditions = this.#conditions.filter(({ type }) => type !== 'Drained');
    } else if (!maintenance.isQuiesced) {
      this.#set('Drained', 'False', 'Quiescing', 'Not every real server has weight 0 yet.');
    } else if (isDrained(maintenance)) {
      this.#set('Drained', 'True', 'NoConnections', 'No connection is left.');
    } else this.#set('Drained', 'False', 'ConnectionsLeft', describeConnections(maintenance.connections));
  }

  #setHealth(input: BoardInput): void {
    const { memory, isProberLate } = input.health;
    if (memory.isolation === undefined)
      this.#set('DirectorIsolated', 'False', 'Connected', 'Real servers are judged by their answers.');
    else this.#set('DirectorIsolated', 'True', memory.isolation, isolationMessages[memory.isolation]);
    if (isProberLate) {
      this.#set(
        'ChecksRunning',
        'False',
        'ProbesLate',
        'Real servers are not asked in time, so what is known of them is old. The prober is started again if it hangs; ' +
          'see whether this host has CPU to spare.',
      );
    } else this.#set('ChecksRunning', 'True', 'InTime', 'Real servers that have a check are asked in time.');
  }

  #setPart(type: SetArguments[0], failure: ChangeFailure | undefined, good: string): void {
    if (failure === undefined) this.#set(type, 'True', 'Applied', good);
    else this.#set(type, 'False', 'Refused', formatErrorForPeople(failure.error));
  }

  #compute(input: BoardInput): DirectorStatus {
    const { view, desired, host, ledger, held } = input;
    const problems = collectProblems(input);
    const listed = view.resources.virtualServices.slice(0, listCap);
    const byOwner = gatherOwnedParts(input, listed);
    const nowMs = this.#options.clock.wallMs();
    const isInMaintenance = input.maintenance !== undefined;
    return {
      version: this.#options.version,
      pid: this.#options.pid,
      startedAt: this.#startedAt,
      updatedAt: formatTime(nowMs),
      kernel: this.#options.kernel,
      conditions: this.#conditions,
      source: view.status,
      virtualServices: listed.map((resource) => describeVirtualService(resource, byOwner, isInMaintenance)),
      drains: describeDrains(input),
      failing: describeFailing(input),
      problems: problems.slice(0, listCap),
      held:
        held === undefined
          ? undefined
          : {
              entries: held.keys.length,
              since: formatTime(held.sinceMs),
              message: 'More than half of the entries would go; a second complete list has to agree.',
            },
      counts: {
        virtualServices: view.resources.virtualServices.length,
        services: countServices(desired),
        realServers: countRealServers(desired),
        drains: ledger.drains.length,
        checked: summarizeHealth(input).checked,
        failing: summarizeHealth(input).failing.length,
        problems: problems.length,
        foreignServices: countForeign(host, ledger),
      },
      counters: this.#counters,
    };
  }
}

type SetArguments = [
  type: DirectorStatus['conditions'][number]['type'],
  status: 'True' | 'False',
  reason: string,
  message: string,
];

/** What belongs to each listed object, gathered once per status instead of once per object. */
interface OwnedParts {
  readonly addresses: Set<string>;
  serving: number;
  quiesced: number;
  failing: number;
  trouble: TroubledService | undefined;
  problem: { readonly reason: string; readonly message: string } | undefined;
}

function gatherOwnedParts(
  { desired, failures, health }: BoardInput,
  listed: readonly VirtualServiceResource[],
): ReadonlyMap<string, OwnedParts> {
  const byOwner = new Map<string, OwnedParts>(
    listed.map((resource) => [
      formatObjectRef(objectRefOf(resource)),
      {
        addresses: new Set(),
        serving: 0,
        quiesced: 0,
        failing: 0,
        trouble: undefined,
        problem: undefined,
      },
    ]),
  );
  const vipOfMark = new Map(Object.values(desired.allocations.marks).map(({ mark, vip }) => [mark, vip]));
  for (const service of desired.services.values()) {
    const parts = byOwner.get(formatObjectRef(service.owner));
    if (parts === undefined || service.isForProbes === true) continue;
    const vip = service.key.kind === 'address' ? service.key.vip : vipOfMark.get(service.key.mark);
    if (vip !== undefined) parts.addresses.add(vip);
    for (const realServer of service.realServers.values()) {
      if (realServer.isSorry) continue;
      if (realServer.config.weight > 0) parts.serving++;
      else parts.quiesced++;
    }
  }
  for (const troubled of summarizeHealth({ health }).services) {
    const parts = byOwner.get(troubled.object);
    if (parts === undefined) continue;
    parts.failing += troubled.total - troubled.up;
    if (parts.trouble === undefined || isWorse(troubled, parts.trouble)) parts.trouble = troubled;
  }
  for (const { object, severity, reason, message } of desired.refusals) {
    const parts = severity === 'error' ? byOwner.get(formatObjectRef(object)) : undefined;
    if (parts !== undefined) parts.problem ??= { reason, message };
  }
  for (const { owner, error } of failures.values()) {
    if (owner === undefined) continue;
    const parts = byOwner.get(formatObjectRef(owner));
    if (parts !== undefined) parts.problem ??= { reason: error.code, message: formatErrorForPeople(error) };
  }
  return byOwner;
}

const inMaintenance = {
  reason: 'Maintenance',
  message: 'This director is in maintenance and takes no new clients.',
};

function describeVirtualService(
  resource: VirtualServiceResource,
  byOwner: ReadonlyMap<string, OwnedParts>,
  isInMaintenance: boolean,
): VirtualServiceStatus {
  const object: ObjectRef = objectRefOf(resource);
  const parts = byOwner.get(formatObjectRef(object));
  const serving = parts?.serving ?? 0;
  const { reason, message } =
    parts?.problem ??
    (isInMaintenance ? inMaintenance : describeTrouble(parts?.trouble)) ??
    (serving === 0
      ? { reason: 'NoRealServers', message: 'No real server takes new connections.' }
      : { reason: 'Serving', message: '' });
  return {
    object,
    addresses: [...(parts?.addresses ?? [])],
    ports: resource.spec.ports.map(
      (port) => `${port.port}${port.endPort === undefined ? '' : `-${port.endPort}`}/${port.protocol}`,
    ),
    scheduler: resource.spec.scheduler,
    ready: reason === 'Serving' || reason === 'Degraded' || reason === 'HealthIgnored',
    reason,
    message,
    realServers: {
      serving,
      // Those that fail have no weight either, and are told apart.
      quiesced: Math.max(0, (parts?.quiesced ?? 0) - (parts?.failing ?? 0)),
      failing: parts?.failing ?? 0,
    },
  };
}

export function countForeign(host: HostState, ledger: Ledger): number {
  const owned = new Set(ledger.services);
  let count = 0;
  for (const [key, service] of host.table) {
    if (!owned.has(key) && (service.config.flags & witnessFlag) !== witnessFlag) count++;
  }
  return count;
}

const isolationMessages: Readonly<Record<Isolation, string>> = {
  MostServersFail:
    'Most real servers of most services stopped answering at once: this director is rather cut off than they are all ' +
    'down. It holds its verdicts until they answer again.',
  NoUplink:
    'No uplink of this node is up, or none has a carrier. The verdicts are held until one is and the real servers answer.',
};
