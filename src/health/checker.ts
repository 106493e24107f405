import type { Logger, Timers } from '../base/index.ts';
import { noSharing, shareProbes } from './share-probes.ts';
import type { Check, Judge, Sharing } from './share-probes.ts';
import { beginningFrom, firstVerdict } from './verdict.ts';
import type { Verdict } from './verdict.ts';
import type { ProbeWorker, WorkerEvents, WorkerSettings } from './worker-thread.ts';
import type {
  JudgeOrder,
  ProbeSample,
  ProbeStart,
  ProbeTotals,
  ProberReport,
  Punctuality,
} from './worker-protocol.ts';

export interface CheckerOptions extends WorkerSettings {
  /** Of the shared clock. */
  readonly nowMs: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly startWorker: (settings: WorkerSettings, events: WorkerEvents) => ProbeWorker;
  /** Something that `verdictOf` answers has changed. Called once per report, however many verdicts it holds. */
  readonly onVerdicts: () => void;
}

/** How the prober itself does. */
export interface ProberHealth {
  readonly probes: number;
  /** Probes whose last end is longer ago than they may take, by a wide margin: the prober is stuck or starved. */
  readonly overdue: number;
  /** Of the probe that has waited longest, the milliseconds since it last ended; 0 without probes. */
  readonly oldestAgeMs: number;
  /** How often the thread had to be started again. */
  readonly restarts: number;
  /** Of all threads so far. */
  readonly punctuality: Punctuality;
}

/** What is known of the probe that a check reads. */
export interface ProbeRecord {
  /** Since it last ended, on whichever thread; before its first end, since it was wanted. */
  readonly ageMs: number;
  /** `passed`, or the reason of its failure or of its being void; undefined before its first end. */
  readonly outcome: string | undefined;
  /** When the certificate ends that was last verified. Wall clock. */
  readonly certificateEndsMs: number | undefined;
}

/** Started again after so long, doubled up to the limit while it goes on failing. */
const restartDelayMs = 1000;
const longestRestartDelayMs = 30_000;
/** A probe is overdue when its last end is this many intervals, and its timeout, ago. */
const overdueIntervals = 3;
const overdueGraceMs = 5000;
/** How often it is asked whether every probe is overdue; twice in a row means that the thread hangs. */
const watchdogMs = 5000;

interface Watch {
  readonly probe: ProbeStart['probe'];
  /** When its thread took it up, or it last ended. */
  seenMs: number;
  /** When it last ended on any thread; before that, when it was wanted. */
  endedMs: number;
  sample: ProbeSample | undefined;
  /** A probe that fails tells no certificate; the last one that passed stands. */
  certificateEndsMs: number | undefined;
}

const punctual: Punctuality = { delayMs: 0, missed: 0, heldUpMs: 0 };

/**
 * Keeps checks and their verdicts, and a prober on a thread of its own. Level-triggered: it is told all checks that should
 * be, and changes what differs. Verdicts live here too: when the thread dies, the next one goes on from them.
 */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #verdicts = new Map<number, Verdict>();
  readonly #watches = new Map<number, Watch>();
  /** By type of question, of the thread that runs; those of threads that died are added up in `#past`. */
  #totals: readonly ProbeTotals[] = [];
  #past: readonly ProbeTotals[] = [];
  #punctuality = punctual;
  #pastPunctuality = punctual;
  #sharing: Sharing = noSharing;
  #worker: ProbeWorker | undefined;
  #nextOrdinal = 0;
  #restarts = 0;
  #restartDelayMs = restartDelayMs;
  #cancelRestart: () => void = () => {};
  #cancelWatchdog: () => void = () => {};
  #isClosed = false;

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** All checks that should run from now on. Those that are unchanged do not notice. */
  setChecks(checks: readonly Check[]): void {
    const nowMs = this.#options.nowMs();
    const change = shareProbes(this.#sharing, checks, ({ id }) => this.#verdicts.get(id));
    this.#sharing = change.sharing;
    for (const id of change.removedJudges) this.#verdicts.delete(id);
    for (const id of change.removedProbes) this.#watches.delete(id);
    for (const { judge, beginning } of change.addedJudges)
      this.#verdicts.set(judge.id, firstVerdict(beginning, nowMs));
    const addedProbes = change.addedProbes.map(({ id, probe }) => this.#watch(id, probe, nowMs));
    const addedJudges = change.addedJudges.map(({ judge, beginning }) => ({
      ...this.#order(judge),
      beginning,
    }));
    const { removedProbes, removedJudges } = change;
    const isChange =
      addedProbes.length + addedJudges.length + removedProbes.length + removedJudges.length > 0;
    if (this.#worker !== undefined && isChange)
      this.#worker.post({ type: 'update', addedProbes, removedProbes, addedJudges, removedJudges });
    else if (this.#sharing.probes.size > 0) this.#start();
  }

  /** Undefined: there is no such check. */
  verdictOf(checkId: string): Verdict | undefined {
    const judge = this.#sharing.judgeOf.get(checkId);
    return judge === undefined ? undefined : this.#verdicts.get(judge.id);
  }

  /** Undefined: there is no such check. */
  recordOf(checkId: string): ProbeRecord | undefined {
    const judge = this.#sharing.judgeOf.get(checkId);
    const probe = judge === undefined ? undefined : this.#sharing.probes.get(judge.probeKey);
    const watch = probe === undefined ? undefined : this.#watches.get(probe.id);
    if (watch === undefined) return undefined;
    const { endedMs, sample, certificateEndsMs } = watch;
    return { ageMs: this.#options.nowMs() - endedMs, outcome: sample?.outcome, certificateEndsMs };
  }

  /** Since this checker began, threads that died included. */
  totals(): readonly ProbeTotals[] {
    return addTotals(this.#past, this.#totals);
  }

  proberHealth(): ProberHealth {
    const nowMs = this.#options.nowMs();
    let overdue = 0;
    let oldestAgeMs = 0;
    for (const { probe, seenMs, endedMs } of this.#watches.values()) {
      oldestAgeMs = Math.max(oldestAgeMs, nowMs - endedMs);
      if (nowMs - seenMs > overdueIntervals * probe.intervalMs + probe.timeoutMs + overdueGraceMs) overdue++;
    }
    const punctuality = addPunctuality(this.#pastPunctuality, this.#punctuality);
    return { probes: this.#watches.size, overdue, oldestAgeMs, restarts: this.#restarts, punctuality };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRestart();
    this.#cancelWatchdog();
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #watch(id: number, probe: ProbeStart['probe'], nowMs: number): ProbeStart {
    const { endedMs = nowMs, sample, certificateEndsMs } = this.#watches.get(id) ?? {};
    this.#watches.set(id, { probe, seenMs: nowMs, endedMs, sample, certificateEndsMs });
    return { id, probe, ordinal: this.#nextOrdinal++ };
  }

  #order({ id, probeKey, policy }: Judge): Omit<JudgeOrder, 'beginning'> {
    return { id, probeId: this.#sharing.probes.get(probeKey)?.id ?? 0, policy };
  }

  /** Starts a thread with everything that should run, each judge from the verdict that is held here. */
  #start(): void {
    if (this.#worker !== undefined || this.#isClosed) return;
    this.#cancelRestart();
    const { startWorker, maxInFlight, allowLoopback, nowMs } = this.#options;
    const worker = startWorker(
      { maxInFlight, allowLoopback },
      { onReport: (report) => this.#take(report), onExit: (error) => this.#restartLater(error) },
    );
    this.#worker = worker;
    this.#guard(false);
    const probes = [...this.#sharing.probes.values()];
    const startMs = nowMs();
    worker.post({
      type: 'update',
      addedProbes: probes.map(({ id, probe }) => this.#watch(id, probe, startMs)),
      removedProbes: [],
      addedJudges: probes.flatMap(({ judges }) =>
        judges.map((judge) => ({ ...this.#order(judge), beginning: this.#beginning(judge) })),
      ),
      removedJudges: [],
    });
  }

  #beginning({ id }: Judge): JudgeOrder['beginning'] {
    const verdict = this.#verdicts.get(id);
    return verdict === undefined ? { kind: 'new', initialState: 'Down' } : beginningFrom(verdict);
  }

  /**
   * Watches over the thread. Reports that wait to be read after a pause of this thread are read before the second look.
   */
  #guard(wasStuck: boolean): void {
    this.#cancelWatchdog();
    this.#cancelWatchdog = this.#options.timers.after(watchdogMs, () => {
      const { probes, overdue } = this.proberHealth();
      const isStuck = probes > 0 && overdue === probes;
      if (!isStuck || !wasStuck) return this.#guard(isStuck);
      void this.#worker?.terminate();
      this.#restartLater(new Error('it hangs'));
    });
  }

  #restartLater(error: Error | undefined): void {
    const { logger, timers } = this.#options;
    this.#worker = undefined;
    this.#cancelWatchdog();
    this.#past = addTotals(this.#past, this.#totals);
    this.#totals = [];
    this.#pastPunctuality = addPunctuality(this.#pastPunctuality, this.#punctuality);
    this.#punctuality = punctual;
    this.#restarts++;
    logger.error('the prober ended; verdicts are held until it runs again', {
      reason: error?.message ?? 'it left',
      inMs: this.#restartDelayMs,
    });
    this.#cancelRestart = timers.after(this.#restartDelayMs, () => this.#start());
    this.#restartDelayMs = Math.min(this.#restartDelayMs * 2, longestRestartDelayMs);
  }

  #take({ verdicts, samples, totals, punctuality }: ProberReport): void {
    for (const { judgeId, verdict } of verdicts) {
      // One that was removed while the report was on its way.
      if (this.#verdicts.has(judgeId)) this.#verdicts.set(judgeId, verdict);
    }
    for (const sample of samples) {
      const watch = this.#watches.get(sample.probeId);
      if (watch === undefined) continue;
      watch.seenMs = sample.atMs;
      watch.endedMs = sample.atMs;
      watch.sample = sample;
      watch.certificateEndsMs = sample.certificateEndsMs ?? watch.certificateEndsMs;
    }
    if (totals !== undefined) {
      this.#totals = totals;
      this.#punctuality = punctuality ?? this.#punctuality;
      this.#restartDelayMs = restartDelayMs;
    }
    if (verdicts.length > 0) this.#options.onVerdicts();
  }
}

function addPunctuality(a: Punctuality, b: Punctuality): Punctuality {
  return { delayMs: a.delayMs + b.delayMs, missed: a.missed + b.missed, heldUpMs: a.heldUpMs + b.heldUpMs };
}

function addTotals(a: readonly ProbeTotals[], b: readonly ProbeTotals[]): readonly ProbeTotals[] {
  const sums = new Map(a.map((totals) => [totals.type, totals]));
  for (const totals of b) {
    const sum = sums.get(totals.type);
    if (sum === undefined) {
      sums.set(totals.type, totals);
      continue;
    }
    const outcomes: Record<string, number> = { ...sum.outcomes };
    for (const [name, count] of Object.entries(totals.outcomes))
      outcomes[name] = (outcomes[name] ?? 0) + count;
    sums.set(totals.type, {
      type: totals.type,
      outcomes,
      latency: totals.latency.map((count, index) => count + (sum.latency[index] ?? 0)),
      latencySumMs: sum.latencySumMs + totals.latencySumMs,
    });
  }
  return [...sums.values()];
}
