import { CapacityLearner } from './capacity-learner.ts';
import type { BaseShares } from './base-shares.ts';
import { MetricIntake, type InputRejection, type MetricRejection } from './metric-intake.ts';
import { ServerConnections } from './server-connections.ts';
import type { MetricSample, WeightedRealServer, WeightReason } from './types.ts';

/** A real server that serves, with all that is remembered of it. Policies change `trace`, `level` and `advised` only. */
export class Member {
  server: WeightedRealServer;
  readonly connections = new ServerConnections();
  readonly intake = new MetricIntake();
  readonly learner = new CapacityLearner();
  /** Since when it takes a rising share; undefined: it was there from the start. */
  readonly rampSinceMs: number | undefined;
  readonly firstSeenMs: number;

  /** The share that is wanted, relative to the pool's mean, before it is made a whole number; undefined: not yet. */
  level: number | undefined;
  /** The weight that was advised last. */
  advised: number | undefined;
  /** The part of its share that a server could cope with when it last had a backlog. */
  backoff = 1;
  /** The relative share until one is learnt: what the kernels had when we came, or was learnt in another unit. */
  fallback: number | undefined;
  /** Readings that could not be true. */
  badReadings = 0;
  lastSample: MetricSample | undefined;
  lastSampleEndMs = -Infinity;
  lastUtilisation: number | undefined;
  lastRejection: MetricRejection | undefined;
  /** What was left out since somebody last counted; samples that came again are not among it. */
  uncounted: InputRejection[] = [];
  readonly trace = emptyTrace();

  constructor(server: WeightedRealServer, nowMs: number, isNew: boolean) {
    this.server = server;
    this.firstSeenMs = nowMs;
    this.rampSinceMs = isNew ? (server.servingSinceMs ?? nowMs) : undefined;
  }
}

/** The servers that share the load at this moment, and what their weights begin from. */
export interface Pool {
  readonly members: readonly Member[];
  readonly shares: BaseShares;
}

/** What a policy made of the pool. Each member's `advised` and `trace` hold the rest. */
export interface PolicyOutcome {
  readonly reason: WeightReason;
  readonly isFromLoad: boolean;
  readonly isPanic: boolean;
  readonly message: string;
}

/** One way to come to weights. Called at its own pace with all members that serve. */
export interface PolicyEngine {
  readonly periodMs: number;
  step(pool: Pool, nowMs: number, elapsedMs: number): PolicyOutcome;
}

/** The numbers behind the last weight, in the order in which they came about; texts are made when somebody asks. */
export interface Trace {
  reason: WeightReason;
  prior: number;
  configured: number;
  estimate: number | undefined;
  relative: number;
  fade: number;
  isFresh: boolean;
  metricAgeMs: number | undefined;
  residenceMs: number | undefined;
  typicalResidenceMs: number | undefined;
  active: number;
  arrivalsPerSecond: number;
  drain: number;
  backoff: number;
  wish: number;
  wanted: number;
  lower: number;
  upper: number;
  ramp: number;
  level: number;
  exactWeight: number;
  aggregateLoad: number | undefined;
  moved: number | undefined;
  loads: readonly (readonly [input: string, value: number, share: number])[];
}

function emptyTrace(): Trace {
  return {
    reason: 'Base',
    prior: 1,
    configured: 1,
    estimate: undefined,
    relative: 1,
    fade: 0,
    isFresh: false,
    metricAgeMs: undefined,
    residenceMs: undefined,
    typicalResidenceMs: undefined,
    active: 0,
    arrivalsPerSecond: 0,
    drain: 1,
    backoff: 1,
    wish: 1,
    wanted: 1,
    lower: 0,
    upper: Infinity,
    ramp: 1,
    level: 1,
    exactWeight: 0,
    aggregateLoad: undefined,
    moved: undefined,
    loads: [],
  };
}
