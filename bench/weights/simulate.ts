import { Latencies } from './latencies.ts';
import { createBoundedPareto, createRandom, exponential, normal } from './random.ts';
import type { PoolEvent, Scenario } from './scenario.ts';
import { createSchedulerModel, type ScheduledServer } from './scheduler-model.ts';
import { ServerModel } from './server-model.ts';

/** What a contender sees once a second, as a director and a metrics API would show it. */
export interface View {
  readonly nowMs: number;
  readonly servers: readonly ViewedServer[];
  readonly samples: readonly ViewedSample[];
}

export interface ViewedServer {
  readonly index: number;
  readonly cores: number;
  readonly joinedMs: number | undefined;
  readonly weight: number;
  /** Moves every 2 s, as in the kernel. */
  readonly totalConnections: number;
  readonly activeConnections: number;
  /** What it can really do now. Only an oracle may look. */
  readonly trueCapacity: number;
}

export interface ViewedSample {
  readonly index: number;
  readonly timestampMs: number;
  readonly windowMs: number;
  readonly cpuCores: number;
}

/** Sets weights; what it does not name stays. */
export interface Contender {
  readonly name: string;
  decide(view: View): ReadonlyMap<number, number>;
}

export interface Outcome {
  readonly p50: number;
  readonly p99: number;
  readonly requests: number;
  readonly writesPerMinute: number;
  /** Mean over time of the largest minus the smallest utilisation. */
  readonly spread: number;
  /** Weights of each server, once every 5 s. */
  readonly weights: readonly (readonly number[])[];
  readonly utilisations: readonly (readonly number[])[];
}

export function simulate(scenario: Scenario, contender: Contender): Outcome {
  return new Simulation(scenario, contender).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #contender: Contender;
  readonly #servers: ServerModel[];
  readonly #latencies = new Latencies();
  readonly #scheduler;
  #entries: ScheduledServer[] = [];
  readonly #closed: number[][];
  readonly #shownTotals: number[];
  readonly #meters: Meter[];
  readonly #seen: { at: number; sample: ViewedSample }[] = [];
  readonly #arrivalRandom;
  readonly #workRandom;
  readonly #metricRandom;
  #writes = 0;
  readonly #weights: number[][] = [];
  readonly #utilisations: number[][] = [];
  #lastWork: number[];

  constructor(scenario: Scenario, contender: Contender) {
    this.#scenario = scenario;
    this.#contender = contender;
    this.#servers = scenario.pool.map(({ cores, speed }) => new ServerModel(cores, speed));
    this.#scheduler = createSchedulerModel(scenario.scheduler);
    this.#closed = this.#servers.map(() => []);
    this.#shownTotals = this.#servers.map(() => 0);
    this.#lastWork = this.#servers.map(() => 0);
    this.#arrivalRandom = createRandom(scenario.seed);
    this.#workRandom = createRandom(scenario.seed + 1_000_003);
    this.#metricRandom = createRandom(scenario.seed + 2_000_003);
    this.#meters = this.#servers.map(() => ({
      next: this.#metricRandom() * scenario.metrics.windowSeconds,
      at: 0,
      cpu: 0,
    }));
  }

  run(): Outcome {
    const { seconds, warmUpSeconds } = this.#scenario;
    for (let second = 0; second < seconds; second++) {
      this.#applyEvents(second);
      this.#join(second);
      this.#expireClosed(second);
      this.#readMeters(second);
      this.#control(second);
      this.#serve(second, second + 1);
    }
    return {
      p50: this.#latencies.quantile(0.5),
      p99: this.#latencies.quantile(0.99),
      requests: this.#latencies.count,
      writesPerMinute: (this.#writes * 60) / (seconds - warmUpSeconds),
      spread: mean(this.#utilisations.map((row) => Math.max(...row) - Math.min(...row))),
      weights: this.#weights,
      utilisations: this.#utilisations,
    };
  }

  #serve(from: number, to: number): void {
    const { load, requestSeconds, distribution, warmUpSeconds } = this.#scenario;
    const capacity = this.#entries.reduce((sum, { server }) => sum + server.capacity, 0);
    const rate = (load * capacity) / requestSeconds;
    const work = distribution === 'pareto' ? boundedPareto : exponential;
    let arrival = from + exponential(this.#arrivalRandom) / rate;
    for (;;) {
      let first: ServerModel | undefined;
      let at = Math.min(arrival, to);
      let index = 0;
      for (let i = 0; i < this.#servers.length; i++) {
        const server = this.#servers[i];
        if (server !== undefined && server.departsAt < at) [first, at, index] = [server, server.departsAt, i];
      }
      if (first !== undefined) {
        const start = first.depart();
        first.inactive++;
        const second = Math.floor(at);
        const closed = this.#closed[index];
        if (closed !== undefined) closed[second] = (closed[second] ?? 0) + 1;
        if (start >= warmUpSeconds) this.#latencies.add(at - start);
      } else if (arrival < to) {
        this.#scheduler.pick()?.server.arrive(arrival, work(this.#workRandom) * requestSeconds);
        arrival += exponential(this.#arrivalRandom) / rate;
      } else return;
    }
  }

  #applyEvents(now: number): void {
    for (const [index, server] of this.#servers.entries()) {
      const events = this.#scenario.events.filter((event) => event.server === index);
      if (events.length === 0) continue;
      server.advance(now);
      server.speed = (this.#scenario.pool[index]?.speed ?? 1) * factorOf(events, 'Slow', now);
      server.stolen = 1 - factorOf(events, 'Steal', now);
      server.schedule();
    }
  }

  #join(now: number): void {
    for (const [index, { joinsAt = 0 }] of this.#scenario.pool.entries()) {
      const server = this.#servers[index];
      if (joinsAt !== now || server === undefined) continue;
      server.advance(now);
      // Nobody is sent here before the contender has said how many.
      this.#entries = [{ server, weight: 0 }, ...this.#entries];
    }
  }

  #expireClosed(now: number): void {
    for (const [index, server] of this.#servers.entries())
      server.inactive -= this.#closed[index]?.[now - this.#scenario.closedSeconds] ?? 0;
  }

  #readMeters(now: number): void {
    const { windowSeconds, delaySeconds, spreadSeconds, noise, loss } = this.#scenario.metrics;
    for (const [index, meter] of this.#meters.entries()) {
      const server = this.#servers[index];
      if (server === undefined || now < meter.next) continue;
      server.advance(now);
      const windowMs = (now - meter.at) * 1000;
      const cpuCores =
        ((server.cpuSeconds - meter.cpu) / (now - meter.at)) * (1 + noise * normal(this.#metricRandom));
      const isJoined = now >= (this.#scenario.pool[index]?.joinsAt ?? 0) + windowSeconds;
      const delay = delaySeconds + spreadSeconds * this.#metricRandom();
      const isLost = this.#metricRandom() < loss;
      if (isJoined && meter.at > 0 && !isLost)
        this.#seen.push({ at: now + delay, sample: { index, timestampMs: now * 1000, windowMs, cpuCores } });
      Object.assign(meter, { at: now, cpu: server.cpuSeconds, next: meter.next + windowSeconds });
    }
  }

  #control(now: number): void {
    const samples = this.#seen.filter(({ at }) => at <= now).map(({ sample }) => sample);
    for (let i = this.#seen.length - 1; i >= 0; i--)
      if ((this.#seen[i]?.at ?? 0) <= now) this.#seen.splice(i, 1);
    if (now % 2 === 0)
      for (const [index, server] of this.#servers.entries()) this.#shownTotals[index] = server.total;
    const weights = this.#contender.decide({ nowMs: now * 1000, servers: this.#view(), samples });
    const changed = this.#entries.filter((entry) => {
      const weight = weights.get(this.#servers.indexOf(entry.server));
      if (weight === undefined || weight === entry.weight) return false;
      entry.weight = weight;
      return true;
    });
    if (changed.length > 0) this.#scheduler.changed(this.#entries);
    if (now >= this.#scenario.warmUpSeconds) this.#writes += changed.length;
    if (now % 5 === 0) this.#record(now);
  }

  #view(): ViewedServer[] {
    return this.#entries.map(({ server, weight }) => {
      const index = this.#servers.indexOf(server);
      const { cores = 1, joinsAt } = this.#scenario.pool[index] ?? {};
      return {
        index,
        cores,
        joinedMs: joinsAt === undefined ? undefined : joinsAt * 1000,
        weight,
        totalConnections: this.#shownTotals[index] ?? 0,
        activeConnections: server.active,
        trueCapacity: server.capacity,
      };
    });
  }

  #record(now: number): void {
    this.#weights.push(
      this.#servers.map((server) => this.#entries.find((entry) => entry.server === server)?.weight ?? 0),
    );
    for (const server of this.#servers) server.advance(now);
    const joined = this.#entries.map(({ server }) => this.#servers.indexOf(server));
    if (now >= this.#scenario.warmUpSeconds)
      this.#utilisations.push(
        joined.map((index) => {
          const server = this.#servers[index];
          if (server === undefined) return 0;
          return (server.workDone - (this.#lastWork[index] ?? 0)) / (5 * server.capacity);
        }),
      );
    this.#lastWork = this.#servers.map((server) => server.workDone);
  }
}

interface Meter {
  next: number;
  at: number;
  cpu: number;
}

const boundedPareto = createBoundedPareto();

function factorOf(events: readonly PoolEvent[], kind: PoolEvent['kind'], now: number): number {
  let factor = 1;
  for (const event of events) {
    if (event.kind !== kind || now < event.from || now >= event.to) continue;
    const part = event.isGradual === true ? (now - event.from) / (event.to - event.from) : 1;
    factor *= 1 + (event.factor - 1) * part;
  }
  return factor;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
