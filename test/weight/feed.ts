import {
  createWeightController,
  type MetricSample,
  type WeightAdvice,
  type WeightController,
  type WeightedRealServer,
  type WeightPolicy,
} from '../../src/weight/index.ts';

/** A pool as arithmetic: each server completes so many connections a second and uses so many cores for that. */
export interface FedServer {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuCores: number;
  /** How long a connection stays. */
  readonly residenceSeconds?: number;
}

/** Feeds a controller second by second, as a cluster does: directors every second, metrics every 15 s and 5 s late. */
export class Feed {
  readonly controller: WeightController;
  nowMs = 1_000_000;
  advice: WeightAdvice;
  readonly #totals = new Map<string, number>();
  /** What becomes of a sample before it is handed in; undefined: it is lost. */
  distort: (sample: MetricSample) => MetricSample | undefined = (sample) => sample;
  hasDirectors = true;

  constructor(
    policy: WeightPolicy,
    servers: readonly WeightedRealServer[],
    scheduler: 'wlc' | 'wrr' = 'wlc',
  ) {
    this.controller = createWeightController({ scheduler, policy });
    this.controller.observeRealServers(servers);
    this.advice = this.controller.tick(this.nowMs);
  }

  run(seconds: number, servers: readonly FedServer[]): WeightAdvice {
    for (let second = 0; second < seconds; second++) {
      this.nowMs += 1000;
      for (const { name, perSecond } of servers)
        this.#totals.set(name, (this.#totals.get(name) ?? 0) + perSecond);
      if (this.hasDirectors)
        this.controller.observeConnections(servers.map((server) => this.reading(server)));
      const timestampMs = Math.floor((this.nowMs - 5000) / 15_000) * 15_000;
      const samples = servers
        .map(({ name, cpuCores }) => ({ realServer: name, timestampMs, windowMs: 15_000, cpuCores }))
        .map((sample) => this.distort(sample))
        .filter((sample) => sample !== undefined);
      // The same sample is served again and again until there is a new one.
      this.controller.observeMetrics(samples);
      this.advice = this.controller.tick(this.nowMs);
    }
    return this.advice;
  }

  reading({ name, perSecond, residenceSeconds = 0.05 }: FedServer) {
    return {
      realServer: name,
      director: 'director-a',
      atMs: this.nowMs,
      totalConnections: Math.floor(this.#totals.get(name) ?? 0),
      activeConnections: perSecond * residenceSeconds,
    };
  }

  weight(name: string): number {
    return this.advice.weights.get(name)?.weight ?? 0;
  }

  reason(name: string): string | undefined {
    return this.advice.weights.get(name)?.reason;
  }
}
