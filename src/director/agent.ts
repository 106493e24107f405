import { formatObjectRef, objectRefOf } from '../api/index.ts';
import type { DirectorConfiguration } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import type { PacketRules } from '../link/index.ts';
import { computeChanges, isRepair, quiesceDirector } from '../plan/index.ts';
import type {
  ChangePlan,
  ClusterFacts,
  DesiredState,
  DirectorFacts,
  HeldRemoval,
  Refusal,
} from '../plan/index.ts';
import { applyChanges, countByKind, countByReason, formatChangeKey, logFailures } from './apply.ts';
import type { ApplyResult, ChangeFailure } from './apply.ts';
import type { DesiredSource, DesiredView } from './desired-source.ts';
import { noHealth } from './director-health.ts';
import type { DirectorHealth, HealthState } from './director-health.ts';
import { DrainCounts } from './drain-counts.ts';
import { computeFacts } from './facts.ts';
import { computeFirstGoal, computeGoal } from './first-goal.ts';
import { ForeignHandsWatch } from './foreign-hands-watch.ts';
import type { Host, HostState } from './host.ts';
import type { DirectorMetrics } from './director-metrics.ts';
import type { LastGoodStore } from './last-good.ts';
import { isSameProperty, sameLedgerOr, sameOr } from './ledger.ts';
import type { Ledger, LedgerStore } from './ledger.ts';
import { logMaintenance, nextMaintenance } from './maintenance.ts';
import type { Maintenance, MaintenanceProgress } from './maintenance.ts';
import { MaintenanceWatch, tableForHealth } from './maintenance-watch.ts';
import { massRemovalPolicy, noMassRemoval } from './mass-removal-policy.ts';
import { RetryGate } from './retry-gate.ts';
import { SchedulerCatalogue } from './scheduler-catalogue.ts';
import type { StatusBoard } from './status-board.ts';
import { UplinkWatch } from './uplink-watch.ts';
import type { BoardInput } from './status-parts.ts';

export interface DirectorAgentOptions {
  readonly source: DesiredSource;
  readonly host: Host;
  readonly ledgerStore: LedgerStore;
  readonly lastGood: LastGoodStore;
  /** Undefined: every real server counts as up. */
  readonly health?: DirectorHealth | undefined;
  readonly board: StatusBoard;
  readonly configuration: DirectorConfiguration;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: DirectorMetrics | undefined;
}

/** Timers may fire this much early. */
const timerSlackMs = 20;
/** Rules and addresses follow deleted services in later rounds of one pass; more than this many is a bug of ours. */
const roundsPerPass = 6;

/**
 * The loop observe → plan → apply. Level-triggered: every round compares the whole goal with the whole belief about
 * the host, and whatever woke it only shortened the wait. One round at a time; wake-ups that arrive meanwhile are
 * served by one more round.
 */
export class DirectorAgent {
  readonly #options: DirectorAgentOptions;
  readonly #gate = new RetryGate();
  readonly #schedulers: SchedulerCatalogue;
  readonly #foreignHands: ForeignHandsWatch;
  readonly #uplinks = new UplinkWatch();
  readonly #drainCounts = new DrainCounts();
  readonly #maintenance: MaintenanceWatch;
  #ledger: Ledger;
  #held: HeldRemoval | undefined;
  #desired: DesiredState | undefined;
  #desiredFrom: { view: DesiredView; facts: DirectorFacts; allocations: Ledger['allocations'] } | undefined;
  #facts:
    | {
        readonly host: HostState;
        readonly facts: DirectorFacts;
        readonly unavailable: string;
        readonly cluster: ClusterFacts | undefined;
        readonly vips: Ledger['vips'];
      }
    | undefined;
  /** The last round that left nothing to do before a time. */
  #settled:
    | {
        readonly view: DesiredView;
        readonly desired: DesiredState;
        readonly health: HealthState;
        readonly maintenance: Maintenance | undefined;
        readonly hostVersion: number;
        /** Undefined: for good. */
        readonly untilMs: number | undefined;
        readonly told: BoardInput;
      }
    | undefined;
  #previous: { readonly desired: DesiredState; readonly packetRules: PacketRules } | undefined;
  #failures = new Map<string, ChangeFailure>();
  #wakeAtMs: number | undefined;
  #healthWakeAtMs: number | undefined;
  #lastFullCheckMs = Number.NEGATIVE_INFINITY;
  #lastLookMs = Number.NEGATIVE_INFINITY;
  #ownedServices: { readonly list: readonly string[]; readonly set: ReadonlySet<string> } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isLedgerBehind = false;
  #passFailure: string | undefined;
  #isWanted = false;
  #isStopped = false;
  #lastPassMs: number | undefined;
  #hasServedWhole = false;

  constructor(options: DirectorAgentOptions) {
    this.#options = options;
    this.#schedulers = new SchedulerCatalogue(options.host);
    this.#foreignHands = new ForeignHandsWatch(options.host, options.logger);
    this.#maintenance = new MaintenanceWatch(options.host);
    const { ledger, damage } = options.ledgerStore.read();
    this.#ledger = ledger;
    if (damage !== undefined) {
      options.logger.warn('ledger set aside, own entries are recognised by their kernel marks', {
        reason: damage,
      });
    }
  }

  /** Runs the first pass and then keeps going until `stop`. @throws LvsError when the host cannot be used at all. */
  async start(): Promise<void> {
    // A wake-up during the first pass must wait for its end as for that of any other.
    const first = this.pass();
    this.#running = first.catch(() => {});
    try {
      await first;
    } finally {
      this.#running = undefined;
    }
    if (this.#isWanted) this.wake();
    else this.#schedule();
  }

  /** Asks for a pass as soon as possible; cheap, and any number of calls make one pass. */
  wake(): void {
    if (this.#isStopped) return;
    this.#isWanted = true;
    if (this.#running === undefined) this.#run();
  }

  /** Ends the loop after the running round. The kernel table stays as it is. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#options.ledgerStore.settle();
    this.#options.board.flush();
  }

  /**
   * One pass: rounds until nothing is left to do now. It looks at the host first; one that a wake-up asked for only does
   * if the last look is as old as that of a quiet second would be. What others changed since then is found no later than
   * without the wake-up, and an edit does not wait for the look.
   */
  async pass(isLookDue = true): Promise<void> {
    const { clock, metrics } = this.#options;
    const beganMs = clock.monotonicMs();
    let outcome = 'failed';
    try {
      for (let round = 0; round < roundsPerPass; round++) {
        const isFollowedUp = await this.#round(isLookDue && round === 0);
        if (!isFollowedUp) break;
      }
      this.#hasServedWhole ||= this.#options.source.current().isComplete;
      outcome = 'done';
    } finally {
      this.#lastPassMs = clock.monotonicMs();
      metrics?.count('lvs_director_passes_total', { outcome });
      metrics?.observe('lvs_director_pass_duration_seconds', {}, (this.#lastPassMs - beganMs) / 1000);
    }
  }

  /** When a pass ended last, well or not; undefined before the first one. */
  get lastPassMs(): number | undefined {
    return this.#lastPassMs;
  }

  /** Whether a pass ever ended well that knew the whole goal. */
  get hasServedWhole(): boolean {
    return this.#hasServedWhole;
  }

  /** Undefined: it takes clients. */
  get maintenance(): Maintenance | undefined {
    return this.#ledger.maintenance;
  }

  /** The goal of the last pass. */
  get desired(): DesiredState | undefined {
    return this.#desired;
  }

  #run(): void {
    clearTimeout(this.#timer);
    this.#running = this.#serveWakes()
      .catch((error: unknown) => {
        this.#reportPassFailure(error);
      })
      .finally(() => {
        this.#running = undefined;
        this.#schedule();
      });
  }

  async #serveWakes(): Promise<void> {
    do {
      this.#isWanted = false;
      await this.pass(false);
      if (this.#passFailure !== undefined) this.#options.logger.info('passes succeed again');
      this.#passFailure = undefined;
    } while (this.#isWanted && !this.#isStopped);
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const { clock, configuration } = this.#options;
    const candidates = [this.#lastLookMs + configuration.driftCheckSeconds * 1000 - clock.monotonicMs()];
    // After a pass that failed they lie in the past.
    if (this.#passFailure === undefined) {
      for (const atMs of [this.#wakeAtMs, this.#healthWakeAtMs])
        if (atMs !== undefined) candidates.push(atMs - clock.wallMs());
      const { recheckAtMs } = this.#maintenance;
      if (recheckAtMs !== undefined) candidates.push(recheckAtMs - clock.monotonicMs());
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.max(10, Math.min(...candidates)));
  }

  /** @returns true when another round has to follow at once. */
  async #round(mustLook: boolean): Promise<boolean> {
    const { host, source, board, clock, ledgerStore, logger, configuration } = this.#options;
    const startMs = clock.monotonicMs();
    const isFullCheck = startMs - this.#lastFullCheckMs >= configuration.fullCheckSeconds * 1000;
    if (isFullCheck) {
      this.#lastFullCheckMs = startMs;
      this.#schedulers.forgetMisses();
    }
    const isLook =
      isFullCheck ||
      mustLook ||
      startMs - this.#lastLookMs >= configuration.driftCheckSeconds * 1000 - timerSlackMs;
    // Before the look, so that one that fails is not tried again at once.
    if (isLook) this.#lastLookMs = startMs;
    // Only another complete list can confirm a held removal.
    if (this.#held !== undefined) source.refresh();
    const view = source.current();
    // Connection counts end drains. They are read when it is time for it, and before anything that may be about drains.
    const mustCount =
      isLook ||
      this.#settled?.view.resources !== view.resources ||
      clock.wallMs() >= (this.#settled.untilMs ?? Number.POSITIVE_INFINITY);
    host.observe({ isFull: isFullCheck, isLook });
    if (mustCount) await host.countDraining(this.#drainCounts.take(this.#ledger.drains, true));
    const nowMs = clock.wallMs();
    const maintenance = nextMaintenance(view.cluster, this.#ledger.maintenance, nowMs);
    const { desired, health } = this.#judge(this.#goal(view, host.state), host.state, maintenance);
    const progress = this.#maintenance.look(maintenance, {
      nowMs: startMs,
      ledger: this.#ledger,
      desired: this.#desired,
    });
    host.observeSysctls(desired.sysctls, isLook);
    if (this.#isQuiet({ view, desired, health, maintenance, hasCounted: mustCount })) {
      if (this.#isLedgerBehind || ledgerStore.isMissing()) this.#writeLedger();
      this.#tellView(view, progress);
      return false;
    }

    // A server that was quiesced a moment ago has connections that nobody has counted yet.
    if (!mustCount) await host.countDraining(this.#drainCounts.take(this.#ledger.drains, false));
    // With thousands of servers, to judge and to plan take tens of milliseconds each: others get their turn in between.
    await new Promise((resolve) => setImmediate(resolve));
    const plan = computeChanges({
      desired,
      observed: host.state,
      ownedServices: this.#listOwnedServices(),
      ownedVips: this.#ledger.vips,
      drains: this.#ledger.drains,
      held: this.#held,
      listNumber: view.listNumber,
      isComplete: view.isComplete,
      nowMs,
      previous: this.#previous?.desired,
      previousPacketRules: this.#previous?.packetRules,
      massRemoval: view.isAbsenceConfirmed ? noMassRemoval : massRemovalPolicy(configuration),
    });
    this.#reportHold(plan);
    this.#record(plan, maintenance);
    const { changes, wakeAtMs } = this.#foreignHands.select(plan.changes, nowMs);
    const result = await applyChanges(changes, {
      hands: host,
      gate: this.#gate,
      nowMs: clock.monotonicMs(),
      desired,
    });
    logFailures(result.failures, logger);
    const isSettled = this.#finish({
      plan,
      result,
      desired,
      retryAtMs: wakeAtMs,
      isWithheld: changes.length < plan.changes.length,
    });
    const told: BoardInput = {
      view,
      desired,
      health,
      host: host.state,
      ledger: this.#ledger,
      held: this.#held,
      result,
      failures: this.#failures,
      foreignHands: this.#foreignHands.describe(),
      announcementProblem: host.announcementProblem,
      maintenance: progress,
      locate: (object, path) => source.locate(object, path),
    };
    board.update(told);
    const hostVersion = told.host.version;
    this.#settled = isSettled
      ? { view, desired, health, maintenance, hostVersion, untilMs: this.#wakeAtMs, told }
      : undefined;
    return plan.isFollowedUp && result.applied.length > 0;
  }

  /**
   * Folds the outcome of a round into what the next one starts from.
   * @returns whether nothing is left to do now.
   */
  #finish(round: {
    plan: ChangePlan;
    result: ApplyResult;
    desired: DesiredState;
    retryAtMs: number | undefined;
    isWithheld: boolean;
  }): boolean {
    const { plan, result, desired } = round;
    const { clock, logger } = this.#options;
    this.#foreignHands.record(result.applied, clock.wallMs());
    this.#count(result);
    this.#failures = this.#openFailures(plan, result);
    this.#wakeAtMs = earlier(plan.wakeAtMs, round.retryAtMs);
    if (result.failures.length === 0) this.#previous = { desired, packetRules: plan.packetRules };
    if (result.applied.length > 0) {
      logger.info('pass applied changes', { ...countByReason(result), failed: result.failures.length });
    }
    const isDone =
      result.failures.length === 0 && result.waiting === 0 && !round.isWithheld && !plan.isFollowedUp;
    return isDone && plan.held === undefined;
  }

  #count({ applied, failures }: ApplyResult): void {
    const { metrics } = this.#options;
    if (metrics === undefined) return;
    const refused = failures.map(({ change }) => change);
    for (const [changes, outcome] of [[applied, 'done'] as const, [refused, 'refused'] as const])
      for (const [change, number] of countByKind(changes))
        metrics.count('lvs_director_changes_total', { change, outcome }, number);
    metrics.count('lvs_director_drift_repairs_total', {}, applied.filter(isRepair).length);
  }

  /** What was refused just now, and what was refused before, is still wanted and waits for its next try. */
  #openFailures(plan: ChangePlan, result: ApplyResult): Map<string, ChangeFailure> {
    const failures = new Map<string, ChangeFailure>();
    if (this.#failures.size > 0) {
      const wanted = new Set(plan.changes.map(formatChangeKey));
      for (const change of result.applied) wanted.delete(formatChangeKey(change));
      for (const [key, failure] of this.#failures) if (wanted.has(key)) failures.set(key, failure);
    }
    for (const failure of result.failures) failures.set(failure.key, failure);
    return failures;
  }

  /** Nothing moved since the last round that left nothing to do, so neither would this one. */
  #isQuiet(round: {
    readonly view: DesiredView;
    readonly desired: DesiredState;
    readonly health: HealthState;
    readonly maintenance: Maintenance | undefined;
    readonly hasCounted: boolean;
  }): boolean {
    const last = this.#settled;
    return (
      last !== undefined &&
      last.desired === round.desired &&
      last.health === round.health &&
      last.maintenance === round.maintenance &&
      // Before the lists are complete nothing is removed.
      last.view.isComplete === round.view.isComplete &&
      last.hostVersion === this.#options.host.state.version &&
      !(round.hasCounted && this.#ledger.drains.length > 0)
    );
  }

  /** A new view with the same goal, or fewer connections: news for the status, and for nothing else. */
  #tellView(view: DesiredView, maintenance: MaintenanceProgress | undefined): void {
    const last = this.#settled;
    if (last === undefined || (last.view === view && last.told.maintenance === maintenance)) return;
    const told = { ...last.told, view, maintenance, result: nothingApplied };
    this.#options.board.update(told);
    this.#settled = { ...last, view, told };
  }

  /** The goal as the kernel should have it, now that some servers do not answer, or clients are to go elsewhere. */
  #judge(
    wanted: DesiredState,
    state: HostState,
    maintenance: Maintenance | undefined,
  ): { desired: DesiredState; health: HealthState } {
    const { health, clock } = this.#options;
    const quiesce = maintenance === undefined ? (desired: DesiredState) => desired : quiesceDirector;
    if (health === undefined) return { desired: quiesce(wanted), health: noHealth };
    const isMaintained = maintenance !== undefined || this.#ledger.maintenance !== undefined;
    const judged = health.judge(
      wanted,
      isMaintained ? tableForHealth(state.table, wanted, this.#ledger) : state.table,
      this.#uplinks.areAllDown(state.links, this.#facts?.facts.uplinks ?? []),
    );
    this.#healthWakeAtMs = judged.wakeInMs === undefined ? undefined : clock.wallMs() + judged.wakeInMs;
    return { desired: quiesce(judged.desired), health: judged.health };
  }

  #goal(view: DesiredView, state: HostState): DesiredState {
    const facts = this.#computeFacts(view, state);
    const from = this.#desiredFrom;
    const allocations = this.#ledger.allocations;
    if (
      this.#desired !== undefined &&
      from !== undefined &&
      from.view.resources === view.resources &&
      from.facts === facts &&
      from.allocations === allocations
    ) {
      return this.#desired;
    }
    const input = { ...view.resources, facts, allocations };
    const desired =
      this.#desired === undefined
        ? computeFirstGoal(input, this.#options.lastGood)
        : computeGoal({ ...input, lastAccepted: this.#desired.accepted });
    this.#options.lastGood.saveSoon({
      accepted: desired.accepted,
      view: view.resources,
      cluster: view.cluster?.facts,
      fileOf: (object) => this.#options.source.fileOf(objectRefOf(object)),
    });
    const told = new Set(this.#desired?.refusals.map(formatRefusal));
    for (const refusal of desired.refusals) {
      if (told.has(formatRefusal(refusal))) continue;
      const place = this.#options.source.locate(refusal.object, refusal.path);
      this.#options.logger[refusal.severity === 'error' ? 'error' : 'warn'](refusal.message, {
        object: formatObjectRef(refusal.object),
        reason: refusal.reason,
        ...(place === undefined ? {} : { at: place }),
      });
    }
    this.#desired = desired;
    this.#desiredFrom = { view, facts, allocations };
    return desired;
  }

  #computeFacts(view: DesiredView, state: HostState): DirectorFacts {
    const unavailableSchedulers = this.#schedulers.unavailable(view.resources.virtualServices);
    const unavailable = unavailableSchedulers.join(' ');
    const last = this.#facts;
    if (
      last !== undefined &&
      last.host.links === state.links &&
      last.host.addresses === state.addresses &&
      last.unavailable === unavailable &&
      last.cluster === view.cluster?.facts &&
      last.vips === this.#ledger.vips
    ) {
      return last.facts;
    }
    const facts = computeFacts({
      links: state.links,
      addresses: state.addresses,
      ownedVips: this.#ledger.vips,
      unavailableSchedulers,
      configuration: this.#options.configuration,
      cluster: view.cluster?.facts,
    });
    // Equal facts keep their identity: the goal is computed anew only when something that matters moved.
    const same =
      last !== undefined && JSON.stringify(last.facts) === JSON.stringify(facts) ? last.facts : facts;
    this.#facts = {
      host: state,
      facts: same,
      unavailable,
      cluster: view.cluster?.facts,
      vips: this.#ledger.vips,
    };
    return same;
  }

  /** What is owned goes to disk before the kernel is touched; if the disk refuses, service goes on and the board says so. */
  #record(plan: ChangePlan, maintenance: Maintenance | undefined): void {
    const before = this.#ledger;
    logMaintenance(before.maintenance, maintenance, this.#options.logger);
    const sysctlsBefore: Record<string, string> = { ...before.sysctlsBefore };
    let hasPacketRules = this.#ledger.hasPacketRules;
    for (const change of plan.changes) {
      if (change.type === 'setSysctl' && change.was !== undefined) sysctlsBefore[change.path] ??= change.was;
      if (change.type === 'setPacketRules') hasPacketRules = true;
    }
    for (const [path, value] of this.#options.host.sysctlsBefore) sysctlsBefore[path] ??= value;
    this.#held = plan.held;
    this.#ledger = sameLedgerOr(this.#ledger, {
      services: sameOr(this.#ledger.services, plan.ownedServices),
      vips: sameOr(this.#ledger.vips, plan.ownedVips),
      drains: sameOr(this.#ledger.drains, plan.drains),
      allocations: sameOr(this.#ledger.allocations, plan.allocations),
      sysctlsBefore: sameOr(this.#ledger.sysctlsBefore, sysctlsBefore),
      hasPacketRules,
      maintenance,
    });
    if (this.#desiredFrom !== undefined && this.#desiredFrom.allocations !== this.#ledger.allocations) {
      this.#desiredFrom = { ...this.#desiredFrom, allocations: this.#ledger.allocations };
    }
    const { ledgerStore } = this.#options;
    if (this.#isLedgerBehind || !isSameProperty(before, this.#ledger)) this.#writeLedger();
    else if (before !== this.#ledger || ledgerStore.isMissing())
      ledgerStore.writeSoon(this.#ledger, (error) => this.#noteLedger(error));
  }

  #listOwnedServices(): ReadonlySet<string> {
    const { services } = this.#ledger;
    if (this.#ownedServices?.list !== services) {
      this.#ownedServices = { list: services, set: new Set(services) };
    }
    return this.#ownedServices.set;
  }

  #writeLedger(): void {
    try {
      this.#options.ledgerStore.write(this.#ledger);
      this.#noteLedger(undefined);
    } catch (error) {
      this.#noteLedger(error);
    }
  }

  #noteLedger(error: unknown): void {
    this.#isLedgerBehind = error !== undefined;
    if (this.#isLedgerBehind) this.#options.metrics?.count('lvs_director_ledger_write_errors_total', {});
    this.#options.board.recordLedger(error);
  }

  /** A pass that goes wrong for the same reason every second is told once. */
  #reportPassFailure(error: unknown): void {
    const { logger, board } = this.#options;
    // The next pass that succeeds must say so, even if it finds nothing to do.
    this.#settled = undefined;
    const reason = formatErrorForPeople(error);
    if (reason !== this.#passFailure) logger.error('pass failed, the table stays as it is', { error });
    this.#passFailure = reason;
    board.recordPassFailure(error);
  }

  #reportHold(plan: ChangePlan): void {
    const { logger } = this.#options;
    if (plan.held === undefined) {
      if (this.#held !== undefined) logger.info('mass removal no longer held');
      return;
    }
    // A list that lacks even more begins a new hold, with a new wait.
    if (plan.held.listNumber !== this.#held?.listNumber) {
      logger.warn('mass removal held until a second complete list agrees', {
        entries: plan.held.keys.length,
      });
    }
  }
}

const nothingApplied: ApplyResult = { applied: [], failures: [], waiting: 0 };

function formatRefusal({ object, message }: Refusal): string {
  return `${formatObjectRef(object)} ${message}`;
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
