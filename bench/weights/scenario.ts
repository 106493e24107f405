import type { ModelledScheduler } from './scheduler-model.ts';

/** A pool, its load and what happens to it. Times are seconds. */
export interface Scenario {
  readonly scheduler: ModelledScheduler;
  /** Cores of each server, and how fast a core is. */
  readonly pool: readonly PoolServer[];
  readonly distribution: 'exponential' | 'pareto';
  /** Mean time that a request takes on an idle core of speed 1. */
  readonly requestSeconds: number;
  /** Arriving work as a part of what the whole pool can do at that moment. */
  readonly load: number;
  readonly seconds: number;
  /** Latencies before this are not counted. */
  readonly warmUpSeconds: number;
  readonly seed: number;
  readonly events: readonly PoolEvent[];
  readonly metrics: MetricsModel;
  /** Closed connections that the kernel still counts as inactive. */
  readonly closedSeconds: number;
}

export interface PoolServer {
  readonly cores: number;
  readonly speed: number;
  /** When it is added. @default from the start */
  readonly joinsAt?: number;
}

/** A change of one server that lasts from one time to another, in full at once or growing. */
export interface PoolEvent {
  readonly kind: 'Slow' | 'Steal';
  readonly server: number;
  readonly from: number;
  readonly to: number;
  /** `Slow`: the speed is multiplied by this. `Steal`: this part of the cores is left. */
  readonly factor: number;
  readonly isGradual?: boolean;
}

export interface MetricsModel {
  /** A sample covers so much, and there is a new one as often. */
  readonly windowSeconds: number;
  /** The age of a sample when it can first be seen is between this and this plus `spreadSeconds`. */
  readonly delaySeconds: number;
  readonly spreadSeconds: number;
  /** Relative error of one value. */
  readonly noise: number;
  /** Chance that a sample is lost. */
  readonly loss: number;
}

export const usualMetrics: MetricsModel = {
  windowSeconds: 15,
  delaySeconds: 0,
  spreadSeconds: 15,
  noise: 0.03,
  loss: 0,
};

/** A noisy neighbour, a cold server that joins, and a leak that slows another down. */
export function usualEvents(pool: readonly PoolServer[]): PoolEvent[] {
  const noisy = 2 % pool.length;
  const leaking = 5 % pool.length;
  const events: PoolEvent[] = [
    { kind: 'Slow', server: noisy, from: 240, to: 480, factor: 0.5 },
    { kind: 'Slow', server: leaking, from: 400, to: 900, factor: 0.5, isGradual: true },
  ];
  pool.forEach(({ joinsAt }, server) => {
    if (joinsAt !== undefined)
      events.push({ kind: 'Slow', server, from: joinsAt, to: joinsAt + 60, factor: 0.4 });
  });
  return events;
}
