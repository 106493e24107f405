import type { SchedulerName } from '../api/index.ts';

/** The weights that people wrote, untouched. */
export interface StaticPolicy {
  readonly type: 'Static';
}

/** Bounds and meaning of the configured weights, for the policies that move away from them. */
export interface BasePolicy {
  /**
   * What the configured weight of a real server means. `Prior`: where to begin and what to fall back to, until the
   * load says better. `Policy`: a wish that stays; what the load says is multiplied by it.
   * @default 'Prior'
   */
  readonly base?: 'Prior' | 'Policy';
  /** No weight below this percentage of the base weight. More than 0, at most 100. @default 10 */
  readonly minPercent?: number;
  /** No weight above this percentage of the base weight. At least 100. @default 400 */
  readonly maxPercent?: number;
}

/** Completed connections per used CPU, from pod metrics, corrected by what is in flight. The recommended one. */
export interface CapacityEstimatePolicy extends BasePolicy {
  readonly type: 'CapacityEstimate';
}

/** Only what directors see: connections in flight per completion. Needs no pod metrics. */
export interface InFlightPolicy extends BasePolicy {
  readonly type: 'InFlight';
}

/** The shares of the inputs in the aggregate load. They are divided by their sum. */
export interface LoadShares {
  /** R1: new connections in the period, relative to the mean of the pool. @default 0.1 */
  readonly input: number;
  /** R2: CPU utilisation. @default 0.4 */
  readonly cpu: number;
  /** R3: disk, 1 is full. @default 0.1 */
  readonly disk: number;
  /** R4: memory, 1 is full. @default 0.1 */
  readonly memory: number;
  /** R5: processes, 1 is as many as there should be. @default 0.1 */
  readonly processes: number;
  /** R6: response time, relative to the mean of the pool. @default 0.2 */
  readonly response: number;
}

/** The formula of the authors of LVS: w += A * cbrt(target - aggregate load), between two limits. */
export interface LvsDynamicFeedbackPolicy {
  readonly type: 'LVSDynamicFeedback';
  readonly shares?: Partial<LoadShares>;
  /** A: the gain. @default 5 */
  readonly gain?: number;
  /** The aggregate load at which a weight stays. @default 0.95 */
  readonly target?: number;
  /** Upper limit in multiples of the base weight. @default 10 */
  readonly scale?: number;
  /** Lower limit in multiples of the base weight. @default 1 */
  readonly floor?: number;
  /** A weight is written when it moved by more than this since the last write. @default 1 */
  readonly threshold?: number;
  /** @default 10_000 */
  readonly periodMs?: number;
}

export type WeightPolicy = StaticPolicy | CapacityEstimatePolicy | InFlightPolicy | LvsDynamicFeedbackPolicy;

export const defaultLoadShares: LoadShares = {
  input: 0.1,
  cpu: 0.4,
  disk: 0.1,
  memory: 0.1,
  processes: 0.1,
  response: 0.2,
};

export function completeLoadShares(shares: Partial<LoadShares> = {}): LoadShares {
  return { ...defaultLoadShares, ...shares };
}

/**
 * The mean of the weights that are written. Under wrr a round is as long as the sum of the weights, and the small
 * servers wait for the end of it and then get everything at once: 10 is fine enough to be within 5 % and short enough
 * not to make bursts. The others compare ratios, and fineness costs nothing.
 */
export function kernelMeanWeight(scheduler: SchedulerName): number {
  return scheduler === 'wrr' ? 10 : 100;
}
