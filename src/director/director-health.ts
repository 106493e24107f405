import type { Logger, Timers } from '../base/index.ts';
import { Checker, sharedNowMs, startProbeWorker } from '../health/index.ts';
import type { ProberHealth } from '../health/index.ts';
import type { IpvsTable } from '../ipvs/index.ts';
import {
  applyHealth,
  describeChecks,
  isSameChecks,
  listCheckedServers,
  noHealthMemory,
} from '../plan/index.ts';
import type { CheckedServer, DesiredState, HealthMemory } from '../plan/index.ts';

/** What health makes of a goal. */
export interface HealthyGoal {
  readonly desired: DesiredState;
  readonly health: HealthMemory;
  /** Until time alone changes it; undefined: it does not. */
  readonly wakeInMs: number | undefined;
}

/** What gives verdicts. */
export type Verdicts = Pick<Checker, 'setChecks' | 'verdictOf' | 'proberHealth' | 'close'>;

export interface DirectorHealthOptions {
  readonly verdicts: Verdicts;
  /** Of the clock of the verdicts. */
  readonly nowMs: () => number;
}

/** Looks at a pass from the side of health: which real servers are to be asked, and what their answers change. */
export class DirectorHealth {
  readonly #options: DirectorHealthOptions;
  #checked: readonly CheckedServer[] = [];
  #services: DesiredState['services'] | undefined;
  #memory: HealthMemory = noHealthMemory;

  constructor(options: DirectorHealthOptions) {
    this.#options = options;
  }

  /**
   * The goal as the kernel should have it.
   * @param desired as the objects want it
   * @param table what the kernel has, from which a server that is not known yet takes its first verdict
   */
  judge(desired: DesiredState, table: IpvsTable, isUplinkDown: boolean): HealthyGoal {
    const { verdicts, nowMs } = this.#options;
    this.#ask(desired.services, table);
    const now = nowMs();
    const answer = applyHealth({
      desired,
      view: {
        verdictOf: (entry) => verdicts.verdictOf(entry),
        weightOf: (service, server) => table.get(service)?.realServers.get(server)?.config.weight,
        isUplinkDown,
      },
      memory: this.#memory,
      nowMs: now,
    });
    this.#memory = answer.memory;
    return {
      desired: answer.desired,
      health: answer.memory,
      wakeInMs: answer.wakeAtMs === undefined ? undefined : Math.max(0, answer.wakeAtMs - now),
    };
  }

  /** How long ago something was, of the clock of the verdicts. */
  ageMs(sinceMs: number): number {
    return this.#options.nowMs() - sinceMs;
  }

  proberHealth(): ProberHealth {
    return this.#options.verdicts.proberHealth();
  }

  async close(): Promise<void> {
    await this.#options.verdicts.close();
  }

  #ask(services: DesiredState['services'], table: IpvsTable): void {
    if (services === this.#services) return;
    const isFirst = this.#services === undefined;
    this.#services = services;
    const checked = listCheckedServers(services);
    const isSame = isSameChecks(checked, this.#checked);
    this.#checked = checked;
    if (!isSame) this.#options.verdicts.setChecks(describeChecks(checked, table, isFirst));
  }
}

/** With a prober of its own, whose thread starts with the first check. */
export function openDirectorHealth(options: {
  readonly timers: Timers;
  readonly logger: Logger;
  readonly onVerdicts: () => void;
}): DirectorHealth {
  const checker = new Checker({ ...options, nowMs: sharedNowMs, startWorker: startProbeWorker });
  return new DirectorHealth({ verdicts: checker, nowMs: sharedNowMs });
}
