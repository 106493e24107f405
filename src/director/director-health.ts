import type { Clock, Logger, Timers } from '../base/index.ts';
import { Checker, sharedNowMs, startProbeWorker } from '../health/index.ts';
import type { ProbeRecord, ProbeTotals, ProberHealth, Verdict } from '../health/index.ts';
import type { IpvsTable } from '../ipvs/index.ts';
import {
  applyHealth,
  describeChecks,
  isSameChecks,
  listCheckedServers,
  noHealthMemory,
} from '../plan/index.ts';
import type { CheckedServer, DesiredState, HealthMemory } from '../plan/index.ts';
import { TransitionCounter } from './transition-counter.ts';
import type { TransitionCounts } from './transition-counter.ts';

/** What health makes of a goal. */
export interface HealthyGoal {
  readonly desired: DesiredState;
  readonly health: HealthState;
  /** Until time alone changes it; undefined: it does not. */
  readonly wakeInMs: number | undefined;
}

/** What there is to tell of health; the same object while it is the same. */
export interface HealthState {
  readonly memory: HealthMemory;
  /** Real servers are not asked in time: the prober hangs or is starved, and its verdicts are old. */
  readonly isProberLate: boolean;
  /** Wall clock less the clock of the verdicts. */
  readonly clockOffsetMs: number;
}

export const noHealth: HealthState = { memory: noHealthMemory, isProberLate: false, clockOffsetMs: 0 };

/** What gives verdicts. */
export type Verdicts = Pick<
  Checker,
  'setChecks' | 'verdictOf' | 'recordOf' | 'totals' | 'proberHealth' | 'close'
>;

/** Health in numbers, as of the last pass and the last report of the prober. */
export interface HealthNumbers {
  readonly memory: HealthMemory;
  readonly transitions: TransitionCounts;
  readonly totals: readonly ProbeTotals[];
  readonly prober: ProberHealth;
  /** By `formatEntry`; undefined: it is not asked. */
  recordOf(entry: string): ProbeRecord | undefined;
}

export interface DirectorHealthOptions {
  readonly verdicts: Verdicts;
  /** Of the clock of the verdicts. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

const latenessIntervalMs = 1000;

/** Looks at a pass from the side of health: which real servers are to be asked, and what their answers change. */
export class DirectorHealth {
  readonly #options: DirectorHealthOptions;
  #checked: readonly CheckedServer[] = [];
  #services: DesiredState['services'] | undefined;
  #state: HealthState = noHealth;
  #lateness = { atMs: Number.NEGATIVE_INFINITY, isLate: false };
  /** Some cannot be asked before the kernel has what leads there. */
  #isWaiting = false;
  readonly #transitions = new TransitionCounter();

  constructor(options: DirectorHealthOptions) {
    this.#options = options;
  }

  /**
   * The goal as the kernel should have it.
   * @param desired as the objects want it
   * @param table what the kernel has, from which a server that is not known yet takes its first verdict
   */
  judge(desired: DesiredState, table: IpvsTable, isUplinkDown: boolean): HealthyGoal {
    const { verdicts, nowMs, wallMs } = this.#options;
    this.#ask(desired.services, table);
    const now = nowMs();
    const answer = applyHealth({
      desired,
      view: {
        verdictOf: (entry) => verdicts.verdictOf(entry),
        weightOf: (service, server) => table.get(service)?.realServers.get(server)?.config.weight,
        isUplinkDown,
      },
      memory: this.#state.memory,
      nowMs: now,
    });
    const { memory } = answer;
    const isProberLate = this.#isProberLate(now);
    this.#transitions.compare(this.#state.memory, memory);
    if (memory !== this.#state.memory || isProberLate !== this.#state.isProberLate)
      this.#state = { memory, isProberLate, clockOffsetMs: wallMs() - now };
    return {
      desired: answer.desired,
      health: this.#state,
      wakeInMs: answer.wakeAtMs === undefined ? undefined : Math.max(0, answer.wakeAtMs - now),
    };
  }

  /** Looked at once a second: it goes through all probes. */
  #isProberLate(nowMs: number): boolean {
    if (nowMs - this.#lateness.atMs >= latenessIntervalMs)
      this.#lateness = { atMs: nowMs, isLate: this.#options.verdicts.proberHealth().overdue > 0 };
    return this.#lateness.isLate;
  }

  numbers(): HealthNumbers {
    const { verdicts } = this.#options;
    return {
      memory: this.#state.memory,
      transitions: this.#transitions.counts,
      totals: verdicts.totals(),
      prober: verdicts.proberHealth(),
      recordOf: (entry) => verdicts.recordOf(entry),
    };
  }

  async close(): Promise<void> {
    await this.#options.verdicts.close();
  }

  #ask(services: DesiredState['services'], table: IpvsTable): void {
    if (services === this.#services && !this.#isWaiting) return;
    const isFirst = this.#services === undefined;
    this.#services = services;
    const checked = listCheckedServers(services);
    const isSame = isSameChecks(checked, this.#checked);
    this.#checked = checked;
    if (isSame && !this.#isWaiting) return;
    const checks = describeChecks(checked, table, isFirst);
    this.#isWaiting = checks.length < checked.length;
    this.#options.verdicts.setChecks(checks);
  }
}

/** Verdicts that are known already, and that nobody probes for. */
export function knownVerdicts(verdictOf: (entry: string) => Verdict | undefined): Verdicts {
  const punctuality = { delayMs: 0, missed: 0, heldUpMs: 0 };
  return {
    verdictOf,
    setChecks: () => {},
    recordOf: () => undefined,
    totals: () => [],
    proberHealth: () => ({ probes: 0, overdue: 0, oldestAgeMs: 0, restarts: 0, punctuality }),
    close: async () => {},
  };
}

/** With a prober of its own, whose thread starts with the first check. */
export function openDirectorHealth(options: {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly onVerdicts: () => void;
}): DirectorHealth {
  const checker = new Checker({ ...options, nowMs: sharedNowMs, startWorker: startProbeWorker });
  const { clock } = options;
  return new DirectorHealth({ verdicts: checker, nowMs: sharedNowMs, wallMs: () => clock.wallMs() });
}
