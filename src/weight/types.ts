import type { SchedulerName } from '../api/index.ts';
import type { InputRejection } from './metric-intake.ts';
import type { WeightPolicy } from './policy.ts';

/**
 * The shapes that go into and come out of a WeightController. Times are milliseconds of one clock, the one that `tick`
 * is called with; what a remote clock stamped must be moved to it by the caller, except for metric timestamps, which
 * are judged. CPU is in cores. Names of real servers and directors are whatever the caller likes, as long as they are
 * the same in every call.
 */
export interface WeightControllerOptions {
  readonly scheduler: SchedulerName;
  readonly policy: WeightPolicy;
  /** The virtual service whose weights these are, as in `ConnectionReading.virtualService`. @default '' */
  readonly virtualService?: string;
}

/** A real server as the caller knows it. */
export interface WeightedRealServer {
  readonly name: string;
  /** What people know it by, for messages. @default its name */
  readonly title?: string;
  /** The configured weight, 0..1000. 0 is quiesced by its owner: left alone. @default 100 */
  readonly baseWeight?: number;
  /** CPU limit of the pod in cores; absent: none declared. */
  readonly cpuLimitCores?: number;
  /** CPU request of the pod in cores. Used when not every server of the pool has a limit, but every one a request. */
  readonly cpuRequestCores?: number;
  /** Drained and failed servers are left alone, and are new again when they come back. @default 'Serving' */
  readonly state?: 'Serving' | 'Drained' | 'Failed';
  /** The weight in the kernels now. Absent: what was advised last is taken to be there. */
  readonly currentWeight?: number;
  /** Since when it serves. Absent: since it was first named here, and the servers of the first list since long ago. */
  readonly servingSinceMs?: number;
}

/**
 * What one director counts for one real server of one virtual service; about one a second.
 *
 * Hand in the readings of every director, and of every virtual service that the pod serves, since they share its CPU.
 * Totals are added up over all of them: only the director that scheduled a connection counts it in its total. Active
 * connections are different: a connection that the sync daemon copied is active on both directors. So either say how
 * many of them are copies, or name the sync group, and the directors of one group count as one, the one with the most.
 */
export interface ConnectionReading {
  readonly realServer: string;
  readonly director: string;
  /** @default the virtual service of the controller */
  readonly virtualService?: string;
  readonly atMs: number;
  /**
   * The kernel's counter of connections ever scheduled, as it is (not its smoothed rate). It may start over. The
   * kernel moves it every 2 seconds only; that is allowed for.
   */
  readonly totalConnections: number;
  /** The kernel's count of active connections. */
  readonly activeConnections: number;
  /** Of the active ones, those that another director reports as its own. @default 0 */
  readonly synchronisedConnections?: number;
  readonly syncGroup?: string;
}

/**
 * What a metric source says about a pod, over a window that ends at its timestamp. CPU use comes as cores or, from a
 * source that knows no cores, as the part of the server that is busy.
 */
export interface MetricSample {
  readonly realServer: string;
  /** The END of the window, as metrics.k8s.io has it, by the clock of the source. */
  readonly timestampMs: number;
  readonly windowMs: number;
  /** Mean cores used in the window. Needs limits or requests, or else is compared with the base weights. */
  readonly cpuCores?: number;
  /** The used part of the server's own capacity, 1 is full. Wins over `cpuCores`. */
  readonly utilisation?: number;
  /** For LVSDynamicFeedback: parts of what there is, 1 is full. */
  readonly memory?: number;
  readonly disk?: number;
  readonly processes?: number;
  /** For LVSDynamicFeedback: mean response time in the window. */
  readonly responseMs?: number;
}

/** Why a weight is what it is. `weightReasons` has a sentence for each. */
export type WeightReason =
  | 'Configured'
  | 'Base'
  | 'FromLoad'
  | 'InFlight'
  | 'Ramp'
  | 'StaleMetrics'
  | 'FewFreshMetrics'
  | 'FadingToBase'
  | 'NoConnectionReadings'
  | 'LittleLoad'
  | 'SchedulerIgnoresWeights';

export interface AdvisedWeight {
  /** What the kernels should have: a whole number, 1 or more. */
  readonly weight: number;
  /** Whether it differs from what is there, by enough to be written. */
  readonly isChanged: boolean;
  readonly reason: WeightReason;
  /** Completions per unit of CPU, relative to the mean of the pool; undefined until learnt. */
  readonly capacityEstimate: number | undefined;
  /** By how much the connections in flight lower the weight: 1 is not at all. */
  readonly inFlightFactor: number;
  /** Since the end of the window of the last metric that was usable; undefined: there never was one. */
  readonly metricAgeMs: number | undefined;
}

/** The condition WeightsFromLoad, for a status. */
export interface WeightVerdict {
  readonly isFromLoad: boolean;
  readonly reason: WeightReason;
  readonly message: string;
}

export interface WeightAdvice {
  /** By name. Only servers that serve: drained and failed ones, and those with base weight 0, are not here. */
  readonly weights: ReadonlyMap<string, AdvisedWeight>;
  /** How many of them have to be written. */
  readonly changes: number;
  /** Fewer than half of the servers have fresh metrics, and estimates are frozen. */
  readonly isPanic: boolean;
  readonly verdict: WeightVerdict;
  /** For people: circumstances in which the weights do less than they could. */
  readonly warnings: readonly string[];
  /** Samples and readings that were left out since the advice before, by reason. */
  readonly leftOut: ReadonlyMap<InputRejection, number>;
}

/** One line of an explanation. `value` is in the unit that `text` names. */
export interface ExplanationStep {
  readonly step: string;
  readonly value: number | undefined;
  readonly text: string;
}

export interface WeightExplanation {
  readonly realServer: string;
  readonly weight: number | undefined;
  readonly reason: string;
  readonly steps: readonly ExplanationStep[];
}

export interface WeightController {
  /** The complete list; who is missing is forgotten. */
  observeRealServers(servers: readonly WeightedRealServer[]): void;
  /** Any number of readings, in the order of their times per director. What cannot be true is left out and counted. */
  observeConnections(readings: readonly ConnectionReading[]): void;
  /** Any samples, also ones that were seen before. What cannot be true is left out, and `explain` says why. */
  observeMetrics(samples: readonly MetricSample[]): void;
  /** The metric source did not answer; the reason appears in the verdict until samples come again. */
  observeMetricsFailure(message: string): void;
  /** The weights at this moment. May be called at any pace; weights move at the pace of the policy. */
  tick(nowMs: number): WeightAdvice;
  /** The inputs and each step behind the last weight of a server; undefined for one that is not known. */
  explain(realServer: string): WeightExplanation | undefined;
}
