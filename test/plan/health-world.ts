import assert from 'node:assert/strict';
import type { Beginning, FailureReason, Verdict } from '../../src/health/pure.ts';
import { firstVerdict } from '../../src/health/pure.ts';
import type { IpvsTable } from '../../src/ipvs/pure.ts';
import { applyHealth, describeChecks, listCheckedServers, noHealthMemory } from '../../src/plan/index.ts';
import type {
  DesiredState,
  DesiredStateInput,
  HealthMemory,
  HealthView,
  ServiceHealth,
} from '../../src/plan/index.ts';
import { desire } from './world.ts';

export const service = 'TCP 192.0.2.10:80';

/** A goal and what probes say of its servers, with the time as a number. Servers are named by the end of their address. */
export class HealthWorld {
  nowMs = 1_000_000;
  desired: DesiredState;
  memory: HealthMemory = noHealthMemory;
  isUplinkDown = false;
  /** When it wants to be asked again. */
  wakeAtMs: number | undefined;
  goal: DesiredState;
  table: IpvsTable;
  readonly #verdicts = new Map<string, Verdict>();
  #isFirst = true;

  constructor(input: Partial<DesiredStateInput>, table: IpvsTable = new Map()) {
    this.desired = desire(input);
    this.goal = this.desired;
    this.table = table;
    this.want(input, table);
  }

  /** Other objects. */
  want(input: Partial<DesiredStateInput>, table: IpvsTable = new Map()): this {
    this.desired = desire(input);
    this.table = table;
    const checks = describeChecks(listCheckedServers(this.desired.services), table, this.#isFirst);
    this.#isFirst = false;
    const wanted = new Set(checks.map(({ id }) => id));
    for (const id of this.#verdicts.keys()) if (!wanted.has(id)) this.#verdicts.delete(id);
    for (const { id, beginning } of checks)
      if (!this.#verdicts.has(id)) this.#verdicts.set(id, firstVerdict(beginning, this.nowMs));
    return this.judge();
  }

  /** Verdicts of the servers of `service`; all of them when none is named. */
  up(...servers: readonly number[]): this {
    return this.#turn(servers, { kind: 'kept', isUp: true });
  }

  down(...servers: readonly number[]): this {
    return this.#turn(servers, { kind: 'kept', isUp: false, reason: 'ConnectTimeout' });
  }

  /** They failed their last probe, and have not failed often enough. */
  suspect(...servers: readonly number[]): this {
    return this.#change(servers, (verdict) => ({ ...verdict, against: 1, reason: 'ConnectTimeout' }));
  }

  fail(reason: FailureReason, ...servers: readonly number[]): this {
    return this.#turn(servers, { kind: 'kept', isUp: false, reason });
  }

  after(ms: number): this {
    this.nowMs += ms;
    return this.judge();
  }

  judge(): this {
    const view: HealthView = {
      verdictOf: (entry) => this.#verdicts.get(entry),
      weightOf: (key, server) => this.table.get(key)?.realServers.get(server)?.config.weight,
      isUplinkDown: this.isUplinkDown,
    };
    const answer = applyHealth({ desired: this.desired, view, memory: this.memory, nowMs: this.nowMs });
    this.goal = answer.desired;
    this.memory = answer.memory;
    this.wakeAtMs = answer.wakeAtMs;
    return this;
  }

  /** `1: 100, 2: 0, 3: out`: the weights of a service, and who leaves it. */
  weights(key = service): string {
    const servers = [...(this.goal.services.get(key)?.realServers ?? [])];
    return servers
      .map(
        ([server, { config, isDrained, isLastResort }]) =>
          `${nameOf(server)}: ${isDrained && !isLastResort ? 'out' : config.weight}`,
      )
      .join(', ');
  }

  health(key = service): ServiceHealth {
    return this.memory.services.get(key) ?? assert.fail(`${key} is not judged`);
  }

  #turn(servers: readonly number[], beginning: Beginning): this {
    return this.#change(servers, (verdict) =>
      verdict.isUp === (beginning.kind === 'kept' && beginning.isUp) && verdict.isProven
        ? verdict
        : firstVerdict(beginning, this.nowMs),
    );
  }

  #change(servers: readonly number[], change: (verdict: Verdict) => Verdict): this {
    for (const [id, verdict] of this.#verdicts) {
      if (servers.length > 0 && !servers.includes(nameOf(id))) continue;
      this.#verdicts.set(id, change(verdict));
    }
    return this.judge();
  }
}

function nameOf(key: string): number {
  return Number(/(\d+)\]?:\d+$/.exec(key)?.[1] ?? 0);
}
