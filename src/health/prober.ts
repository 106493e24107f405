import type { Timers } from '../base/index.ts';
import type { Ask, Attempt } from './attempt.ts';
import { DueQueue } from './due-queue.ts';
import { LagMeter } from './lag-meter.ts';
import { failed, voided } from './outcome.ts';
import type { ProbeOutcome } from './outcome.ts';
import { ProbeStatistics } from './probe-statistics.ts';
import type { Probe, Question } from './question.ts';
import { firstProbeDelayMs, nextProbeAtMs, phaseOf } from './spread.ts';
import { isForbiddenTarget, isLoopback } from './target-guard.ts';
import { firstVerdict, isSuspect, nextVerdict } from './verdict.ts';
import type { Verdict, VerdictPolicy } from './verdict.ts';
import type { ProberOrder, ProberReport } from './worker-protocol.ts';

export interface ProberOptions {
  /** Monotonic, and the same for whoever reads the reports. */
  readonly nowMs: () => number;
  readonly timers: Timers;
  /** In [0, 1). */
  readonly chance: () => number;
  readonly prepare: (question: Question) => Ask;
  readonly report: (report: ProberReport) => void;
  /** Probes at once, of all targets together. @default defaultMaxInFlight */
  readonly maxInFlight?: number | undefined;
  /** For tests. @default false */
  readonly allowLoopback?: boolean | undefined;
}

interface JudgeState {
  readonly policy: VerdictPolicy;
  verdict: Verdict;
}

interface ProbeState {
  readonly id: number;
  readonly probe: Probe;
  readonly phase: number;
  /** What may be asked one question at a time. */
  readonly targetKey: string;
  readonly ask: Ask;
  readonly isForbidden: boolean;
  readonly judges: Map<number, JudgeState>;
  /** When its present or next turn is. */
  dueMs: number;
  isRemoved: boolean;
  flight: Flight | undefined;
}

/** A probe that is on its way. */
interface Flight {
  readonly startMs: number;
  deadlineMs: number;
  readonly lagAtStartMs: number;
  attempt: Attempt | undefined;
}

/** A timer that runs. */
interface Appointment {
  readonly atMs: number;
  readonly cancel: () => void;
}

/** 10,000 silent targets every 5 s with a timeout of 1 s are 2,000 at once, and each may dial twice. */
const defaultMaxInFlight = 4096;
/** Verdicts are told this soon; those that turn together travel together. */
const reportDelayMs = 20;
const statisticsDelayMs = 500;
/** A due probe whose target is just being asked something else, or for which there is no room, tries again after this. */
const busyDelayMs = 20;
/** Hold-ups of our own that a probe may suffer before its timeout says nothing about the server. */
const toleratedLagShare = 0.1;
const leastToleratedLagMs = 30;
/** What hold-ups may add to the time of a probe, as a multiple of its timeout; beyond that it says nothing. */
const longestRespite = 2;

/**
 * Runs probes at their times and judges what comes of them. Lives on a thread of its own, so that nothing else holds up
 * its clock; what holds it up nevertheless is measured, and a probe gets that time back before it fails: a machine that is
 * always busy still tells who is silent, only later. After a hold-up of twice the timeout it is void instead.
 *
 * Guarantees: a probe ends by its total deadline, unless the prober was held up; one probe at a time per target (address and port); at most
 * `maxInFlight` at once, and those beyond wait without being failures; nothing is sent to a forbidden address; adding,
 * removing or editing one probe moves no other.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #limit: number;
  readonly #lag: LagMeter;
  readonly #probes = new Map<number, ProbeState>();
  readonly #judges = new Map<number, ProbeState>();
  readonly #due = new DueQueue<ProbeState>();
  readonly #deadlines = new DueQueue<{ readonly state: ProbeState; readonly flight: Flight }>();
  readonly #busyTargets = new Set<string>();
  readonly #statistics = new ProbeStatistics();
  readonly #news = new Map<number, Verdict>();
  #delayMs = 0;
  #missed = 0;
  #inFlight = 0;
  #wake: Appointment | undefined;
  #nextReport: Appointment | undefined;
  #statisticsDueMs = 0;
  #isClosed = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#limit = options.maxInFlight ?? defaultMaxInFlight;
    this.#lag = new LagMeter(options.nowMs, options.timers);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  update(order: Extract<ProberOrder, { type: 'update' }>): void {
    for (const id of order.removedJudges) this.#removeJudge(id);
    for (const id of order.removedProbes) this.#removeProbe(id);
    const nowMs = this.#options.nowMs();
    order.addedProbes.forEach(({ id, probe, ordinal }, index) => {
      const { target, question, intervalMs } = probe;
      const state: ProbeState = {
        id,
        probe,
        phase: phaseOf(ordinal),
        targetKey: `${target.ip} ${target.port} ${target.route?.mark ?? ''}`,
        ask: this.#options.prepare(question),
        isForbidden: this.#isForbidden(probe),
        judges: new Map(),
        dueMs: nowMs + firstProbeDelayMs(index, order.addedProbes.length, intervalMs),
        isRemoved: false,
        flight: undefined,
      };
      this.#probes.set(id, state);
      this.#due.push(state.dueMs, state);
    });
    for (const { id, probeId, policy, beginning } of order.addedJudges) {
      const state = this.#probes.get(probeId);
      if (state === undefined) continue;
      state.judges.set(id, { policy, verdict: firstVerdict(beginning, nowMs) });
      this.#judges.set(id, state);
    }
    this.#arm();
  }

  /** Ends every probe that is under way. Nothing is reported afterwards. */
  close(): void {
    this.#isClosed = true;
    for (const id of this.#probes.keys()) this.#removeProbe(id);
    this.#wake?.cancel();
    this.#wake = undefined;
    this.#nextReport?.cancel();
    this.#lag.stop();
  }

  #removeProbe(id: number): void {
    const state = this.#probes.get(id);
    if (state === undefined) return;
    this.#probes.delete(id);
    this.#statistics.forget(id);
    for (const judgeId of state.judges.keys()) this.#removeJudge(judgeId);
    // Its entry in the queue is dropped when it comes up.
    state.isRemoved = true;
    if (state.flight === undefined) return;
    state.flight.attempt?.abandon();
    this.#land(state);
  }

  #removeJudge(id: number): void {
    this.#judges.get(id)?.judges.delete(id);
    this.#judges.delete(id);
    this.#news.delete(id);
  }

  /** One timer for everything that is due. */
  #arm(): void {
    if (this.#isClosed) return;
    // Most have landed long before; nobody has to wake up for those.
    this.#deadlines.dropWhile(({ state, flight }) => state.flight !== flight);
    // Without room nothing is started, however due it is; the next one that lands makes room and comes here.
    const dueMs = this.#inFlight < this.#limit ? this.#due.nextAtMs : undefined;
    const atMs = Math.min(dueMs ?? Infinity, this.#deadlines.nextAtMs ?? Infinity);
    if (atMs === Infinity || (this.#wake !== undefined && this.#wake.atMs <= atMs)) return;
    this.#wake?.cancel();
    const delayMs = Math.max(1, Math.ceil(atMs - this.#options.nowMs()));
    const cancel = this.#options.timers.after(delayMs, () => {
      this.#wake = undefined;
      this.#run();
      this.#arm();
    });
    this.#wake = { atMs, cancel };
  }

  #run(): void {
    const nowMs = this.#options.nowMs();
    for (let late = this.#deadlines.popDue(nowMs); late !== undefined; late = this.#deadlines.popDue(nowMs)) {
      if (late.state.flight === late.flight) this.#expire(late.state, late.flight, nowMs);
    }
    while (this.#inFlight < this.#limit) {
      const state = this.#due.popDue(nowMs);
      if (state === undefined) return;
      if (state.isRemoved) continue;
      if (this.#busyTargets.has(state.targetKey)) this.#due.push(nowMs + busyDelayMs, state);
      else this.#start(state);
    }
  }

  #start(state: ProbeState): void {
    const { probe, targetKey } = state;
    const startMs = this.#options.nowMs();
    const flight: Flight = {
      startMs,
      deadlineMs: startMs + probe.timeoutMs,
      lagAtStartMs: this.#lag.totalMs,
      attempt: undefined,
    };
    state.flight = flight;
    this.#delayMs += Math.max(0, startMs - state.dueMs);
    this.#inFlight++;
    this.#busyTargets.add(targetKey);
    this.#lag.start();
    if (state.isForbidden) return this.#settle(state, flight, voided('TargetForbidden'));
    const attempt = state.ask(probe.target, probe.timeoutMs, (outcome) =>
      this.#settle(state, flight, outcome),
    );
    // It may be over already.
    if (state.flight !== flight) return;
    flight.attempt = attempt;
    this.#deadlines.push(flight.deadlineMs, { state, flight });
  }

  #isForbidden({ target }: Probe): boolean {
    if (this.#options.allowLoopback === true && isLoopback(target.ip)) return false;
    return isForbiddenTarget(target.ip);
  }

  #expire(state: ProbeState, flight: Flight, nowMs: number): void {
    const { timeoutMs } = state.probe;
    const dueMs = flight.startMs + timeoutMs;
    const respiteMs = flight.deadlineMs - dueMs;
    // A timer that comes late is a hold-up, too, whether or not the meter has seen it.
    const lagMs = Math.max(this.#lag.totalMs - flight.lagAtStartMs, nowMs - dueMs - respiteMs);
    const owedMs = lagMs - respiteMs;
    const isHeldUp = owedMs > Math.max(leastToleratedLagMs, toleratedLagShare * timeoutMs);
    if (isHeldUp && nowMs + owedMs <= dueMs + longestRespite * timeoutMs) {
      flight.deadlineMs = nowMs + owedMs;
      this.#deadlines.push(flight.deadlineMs, { state, flight });
      return;
    }
    const reason = flight.attempt?.abandon() ?? 'ConnectFailed';
    this.#settle(state, flight, isHeldUp ? voided('ProberLate') : failed(reason));
  }

  #settle(state: ProbeState, flight: Flight, outcome: ProbeOutcome): void {
    if (state.flight !== flight) return;
    this.#land(state);
    const nowMs = this.#options.nowMs();
    const sample = { probeId: state.id, atMs: nowMs, latencyMs: nowMs - flight.startMs };
    this.#statistics.add(checkNameOf(state.probe.question), outcome, sample);
    for (const [judgeId, judge] of state.judges) {
      const next = nextVerdict(judge.verdict, outcome, judge.policy, nowMs);
      if (isNews(judge.verdict, next)) this.#news.set(judgeId, next);
      judge.verdict = next;
    }
    this.#scheduleReport(nowMs);
    const { intervalMs } = state.probe;
    const last = { startMs: flight.startMs, endMs: nowMs };
    const nextMs = nextProbeAtMs(state.phase, intervalMs, last, this.#options.chance());
    this.#missed += turnsBetween(state.dueMs, nextMs, intervalMs);
    state.dueMs = nextMs;
    this.#due.push(nextMs, state);
    this.#arm();
  }

  #land(state: ProbeState): void {
    state.flight = undefined;
    this.#inFlight--;
    this.#busyTargets.delete(state.targetKey);
    if (this.#inFlight === 0) this.#lag.stop();
  }

  #scheduleReport(nowMs: number): void {
    if (this.#isClosed) return;
    const soonMs = nowMs + reportDelayMs;
    const atMs = this.#news.size > 0 ? soonMs : Math.max(soonMs, this.#statisticsDueMs);
    if (this.#nextReport !== undefined && this.#nextReport.atMs <= atMs) return;
    this.#nextReport?.cancel();
    const cancel = this.#options.timers.after(atMs - nowMs, () => this.#report());
    this.#nextReport = { atMs, cancel };
  }

  #report(): void {
    this.#nextReport = undefined;
    const nowMs = this.#options.nowMs();
    const verdicts = [...this.#news].map(([judgeId, verdict]) => ({ judgeId, verdict }));
    this.#news.clear();
    if (nowMs >= this.#statisticsDueMs) {
      this.#statisticsDueMs = nowMs + statisticsDelayMs;
      const punctuality = { delayMs: this.#delayMs, missed: this.#missed, heldUpMs: this.#lag.totalMs };
      this.#options.report({ verdicts, ...this.#statistics.take(), punctuality });
    } else if (verdicts.length > 0) {
      this.#options.report({ verdicts, samples: [], totals: undefined });
    }
    if (!this.#statistics.isEmpty) this.#scheduleReport(nowMs);
  }
}

/** Questions are named as checks are: HTTP over TLS is one of its own. */
function checkNameOf(question: Question): string {
  return question.type === 'http' && question.tls !== undefined ? 'https' : question.type;
}

/** Turns that lie between two that were taken. Jitter moves each by less than the tenth that is added here. */
function turnsBetween(dueMs: number, nextMs: number, intervalMs: number): number {
  return Math.max(0, Math.floor((nextMs - dueMs) / intervalMs + 0.1) - 1);
}

/** Whether somebody beyond this thread wants to know: not how long a row of contradictions is, but that there is one. */
function isNews(before: Verdict, after: Verdict): boolean {
  return (
    before !== after &&
    (before.isUp !== after.isUp ||
      before.isProven !== after.isProven ||
      before.reason !== after.reason ||
      isSuspect(before) !== isSuspect(after))
  );
}
