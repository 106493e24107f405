import type { ServerModel } from './server-model.ts';

/** The rules of the kernel's schedulers, for servers in the order of the kernel's list: a new one goes to its head. */
export interface SchedulerModel {
  /** The list or a weight changed. */
  changed(entries: readonly ScheduledServer[]): void;
  pick(): ScheduledServer | undefined;
}

export interface ScheduledServer {
  readonly server: ServerModel;
  weight: number;
}

export type ModelledScheduler = 'wrr' | 'wlc' | 'sed';

export function createSchedulerModel(name: ModelledScheduler): SchedulerModel {
  if (name === 'wrr') return new WeightedRoundRobin();
  // wlc: ip_vs_dest_conn_overhead counts an active connection as 256 inactive ones. sed: the delay that would come.
  return new Least(
    name === 'wlc' ? ({ active, inactive }) => active * 256 + inactive : ({ active }) => active + 1,
  );
}

/** ip_vs_wlc.c and ip_vs_sed.c: the first in the list that no later one beats by cross multiplication. */
class Least implements SchedulerModel {
  #entries: readonly ScheduledServer[] = [];
  readonly #cost: (server: ServerModel) => number;

  constructor(cost: (server: ServerModel) => number) {
    this.#cost = cost;
  }

  changed(entries: readonly ScheduledServer[]): void {
    this.#entries = entries;
  }

  pick(): ScheduledServer | undefined {
    let least: ScheduledServer | undefined;
    let leastCost = 0;
    for (const entry of this.#entries) {
      if (entry.weight <= 0) continue;
      const cost = this.#cost(entry.server);
      if (least === undefined || leastCost * entry.weight > cost * least.weight) {
        least = entry;
        leastCost = cost;
      }
    }
    return least;
  }
}

/** ip_vs_wrr.c: passes over the list from the largest weight downwards, in steps of the greatest common divisor. */
class WeightedRoundRobin implements SchedulerModel {
  #entries: readonly ScheduledServer[] = [];
  #at = -1;
  #pass = 0;
  #largest = 0;
  #divisor = 1;

  /** ip_vs_wrr_dest_changed: back to the head of the list, the pass kept within the new limits. */
  changed(entries: readonly ScheduledServer[]): void {
    this.#entries = entries;
    this.#at = -1;
    this.#divisor = entries.reduce((divisor, { weight }) => gcd(divisor, weight), 0) || 1;
    this.#largest = entries.reduce((most, { weight }) => Math.max(most, weight), 0) - (this.#divisor - 1);
    if (this.#pass > this.#largest || this.#pass === 0) this.#pass = this.#largest;
    else if (this.#divisor > 1) this.#pass = Math.floor(this.#pass / this.#divisor) * this.#divisor + 1;
  }

  pick(): ScheduledServer | undefined {
    if (this.#largest <= 0) return undefined;
    for (;;) {
      while (++this.#at < this.#entries.length) {
        const entry = this.#entries[this.#at];
        if (entry !== undefined && entry.weight >= this.#pass) return entry;
      }
      this.#at = -1;
      this.#pass -= this.#divisor;
      if (this.#pass <= 0) this.#pass = this.#largest;
    }
  }
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
