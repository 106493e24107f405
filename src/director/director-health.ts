import { formatObjectRef } from '../api/index.ts';
import type { ObjectRef } from '../api/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import {
  beginningFrom,
  Checker,
  firstVerdict,
  sharedNowMs,
  startProbeWorker,
  tlsOf,
} from '../health/index.ts';
import type {
  Beginning,
  Check,
  Probe,
  ProbeRecord,
  ProbeTotals,
  ProberHealth,
  Verdict,
} from '../health/index.ts';
import type { IpvsTable } from '../ipvs/index.ts';
import {
  applyHealth,
  describeChecks,
  hasProbeWay,
  isSameChecks,
  listCheckedServers,
  noHealthMemory,
} from '../plan/index.ts';
import type { CheckedServer, DesiredState, HealthMemory } from '../plan/index.ts';
import type { CheckReferences, ReferenceProblem, ReferenceUse } from './check-references.ts';
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
  /** Checks that cannot be asked, since something that they refer to cannot be had. */
  readonly problems: readonly ReferenceProblem[];
  /** Wall clock less the clock of the verdicts. */
  readonly clockOffsetMs: number;
}

export const noHealth: HealthState = {
  memory: noHealthMemory,
  isProberLate: false,
  problems: [],
  clockOffsetMs: 0,
};

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
  /** Undefined: no check refers to anything, as from files. */
  readonly references?: CheckReferences | undefined;
}

interface Unasked {
  readonly check: CheckedServer['check'];
  readonly beginning: Beginning;
}

const latenessIntervalMs = 1000;

/** Looks at a pass from the side of health: which real servers are to be asked, and what their answers change. */
export class DirectorHealth {
  readonly #options: DirectorHealthOptions;
  #checked: readonly CheckedServer[] = [];
  #services: DesiredState['services'] | undefined;
  #state: HealthState = noHealth;
  #lateness = { atMs: Number.NEGATIVE_INFINITY, isLate: false };
  /** What is held of servers that cannot be asked before the kernel has what leads there, by entry. */
  #waiting: ReadonlyMap<string, Verdict> = new Map();
  #referencesVersion = 0;
  readonly #filled = new WeakMap<Probe, Probe>();
  /** How checks begin that could not be asked so far, by entry: as it was when they came. */
  #unasked = new Map<string, Unasked>();
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
        verdictOf: (entry) => this.#waiting.get(entry) ?? verdicts.verdictOf(entry),
        weightOf: (service, server) => table.get(service)?.realServers.get(server)?.config.weight,
        isUplinkDown,
      },
      memory: this.#state.memory,
      nowMs: now,
    });
    const { memory } = answer;
    const isProberLate = this.#isProberLate(now);
    this.#transitions.compare(this.#state.memory, memory);
    const problems = this.#options.references?.problems ?? noHealth.problems;
    const last = this.#state;
    if (memory !== last.memory || isProberLate !== last.isProberLate || problems !== last.problems)
      this.#state = { memory, isProberLate, problems, clockOffsetMs: wallMs() - now };
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
    this.#options.references?.close();
    await this.#options.verdicts.close();
  }

  #ask(services: DesiredState['services'], table: IpvsTable): void {
    const { references, verdicts } = this.#options;
    const hasNews = this.#referencesVersion !== (references?.version ?? 0);
    if (services === this.#services && this.#waiting.size === 0 && !hasNews) return;
    const isFirst = this.#services === undefined;
    this.#services = services;
    const checked = listCheckedServers(services);
    const isSame = isSameChecks(checked, this.#checked);
    this.#checked = checked;
    if (isSame && this.#waiting.size === 0 && !hasNews) return;
    const checks = this.#withProbeWay(describeChecks(checked, table, isFirst), table);
    verdicts.setChecks(references === undefined ? checks : this.#fill(checks, services, references));
  }

  /**
   * The checks that can be asked now. Of the others the verdict is kept that they had or begin with, so that nobody gets
   * clients for want of an answer; from it they go on once their way is there.
   */
  #withProbeWay(checks: readonly Check[], table: IpvsTable): readonly Check[] {
    const { verdicts, nowMs } = this.#options;
    const waiting = new Map<string, Verdict>();
    const askable = checks.flatMap((check, index) => {
      const held = this.#waiting.get(check.id);
      const asked = this.#checked[index];
      if (asked === undefined || hasProbeWay(asked.check, table))
        return held === undefined ? [check] : [{ ...check, beginning: beginningFrom(held) }];
      waiting.set(check.id, held ?? verdicts.verdictOf(check.id) ?? firstVerdict(check.beginning, nowMs()));
      return [];
    });
    this.#waiting = waiting;
    return askable;
  }

  /** Puts in what checks refer to. Those that refer to nothing, nearly all, are left as they are. */
  #fill(
    checks: readonly Check[],
    services: DesiredState['services'],
    references: CheckReferences,
  ): readonly Check[] {
    const referring = new Map(
      this.#checked.flatMap((one) =>
        tlsOf(one.check.probe.question)?.references === undefined ? [] : [[one.entry, one] as const],
      ),
    );
    references.want(usesOf([...referring.values()], services));
    this.#referencesVersion = references.version;
    const unasked = new Map<string, Unasked>();
    const filled = checks.map((check) => {
      const one = referring.get(check.id);
      if (one === undefined) return check;
      const probe = this.#fillProbe(check.probe, one, references);
      const before = this.#unasked.get(check.id);
      const beginning = before?.check === one.check ? before.beginning : check.beginning;
      if (probe === check.probe) unasked.set(check.id, { check: one.check, beginning });
      return { ...check, probe, beginning };
    });
    this.#unasked = unasked;
    return filled;
  }

  /** The same object as long as it asks the same, as probes are compared by what they are. */
  #fillProbe(probe: Probe, { server }: CheckedServer, references: CheckReferences): Probe {
    const question = references.fill(probe.question, namespaceOf(server.owner));
    if (question === probe.question) return probe;
    const last = this.#filled.get(probe);
    if (last?.question === question) return last;
    const filled = { ...probe, question };
    this.#filled.set(probe, filled);
    return filled;
  }
}

/** What a VirtualService has to hear of: each thing that its checks refer to, once. */
function usesOf(
  referring: readonly CheckedServer[],
  services: DesiredState['services'],
): readonly ReferenceUse[] {
  const uses = new Map<string, ReferenceUse>();
  for (const { serviceKey, server, check } of referring) {
    const object = services.get(serviceKey)?.owner;
    const references = tlsOf(check.probe.question)?.references;
    if (object === undefined || references === undefined) continue;
    const id = `${formatObjectRef(object)} ${JSON.stringify(references)}`;
    if (!uses.has(id)) uses.set(id, { object, namespace: namespaceOf(server.owner), references });
  }
  return [...uses.values()];
}

function namespaceOf({ namespace }: ObjectRef): string {
  return namespace ?? 'default';
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
  readonly references?: CheckReferences | undefined;
}): DirectorHealth {
  const checker = new Checker({ ...options, nowMs: sharedNowMs, startWorker: startProbeWorker });
  const { clock, references } = options;
  return new DirectorHealth({
    verdicts: checker,
    nowMs: sharedNowMs,
    wallMs: () => clock.wallMs(),
    references,
  });
}
