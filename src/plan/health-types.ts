import type { Isolation, Probe, QuorumPolicy, Verdict, VerdictPolicy, FlapHistory } from '../health/pure.ts';
import type { DesiredVirtualService } from './types.ts';

/** How one real server of one service is asked whether it serves. */
export interface ServerCheck {
  readonly probe: Probe;
  readonly policy: VerdictPolicy;
  readonly initialState: 'Up' | 'Down';
  /** The target is the virtual address, and the probe goes there by the forwarding of this one server. */
  readonly isThrough: boolean;
}

/** What a service makes of the verdicts on its real servers. */
export interface HealthPolicy {
  readonly onFailure: 'Quiesce' | 'Remove';
  readonly quorum: QuorumPolicy;
  /** A person asked for it, so that somebody wants to hear of its loss. */
  readonly hasOwnQuorum: boolean;
  /** 0: health counts always. */
  readonly panicThresholdPercent: number;
  /** Undefined: a server has its whole weight from the start. */
  readonly slowStartMs: number | undefined;
}

/** What is known of the servers from outside. */
export interface HealthView {
  /** By `formatEntry`; undefined: nobody asks. */
  verdictOf(entry: string): Verdict | undefined;
  /** What the kernel gives a server now, for one that is seen for the first time. */
  weightOf(service: string, server: string): number | undefined;
  /** No link carries our probes. */
  readonly isUplinkDown: boolean;
}

/** What the judgement of one pass hands to the next. Lives as long as the process. */
export interface HealthMemory {
  /** By `formatVirtualServiceKey`; only services that something of health is asked of. */
  readonly services: ReadonlyMap<string, ServiceHealth>;
  /** Why the guard holds all verdicts; undefined: it does not. */
  readonly isolation: Isolation | undefined;
  /** When isolation ended last; undefined: it holds, or never was. */
  readonly isolatedUntilMs: number | undefined;
}

/** One service as health sees it. Times are of the clock of the verdicts. */
export interface ServiceHealth {
  /** As the objects want it. */
  readonly base: DesiredVirtualService;
  /** As it should be in the kernel. */
  readonly goal: DesiredVirtualService;
  /** By `formatRealServerKey`. */
  readonly servers: ReadonlyMap<string, ServerHealth>;
  /** Servers that count: those that take clients by their objects. */
  readonly counts: { readonly up: number; readonly total: number };
  readonly isQuorumMet: boolean;
  readonly isPanicking: boolean;
  readonly isSorryServing: boolean;
  /** When time alone changes the answer; undefined: never. */
  readonly wakeAtMs: number | undefined;
}

export interface ServerHealth {
  /** Undefined: it has no check. */
  readonly verdict: Verdict | undefined;
  readonly flaps: FlapHistory;
  /** In force: damped, and held while this director is isolated. */
  readonly isUp: boolean;
  /** It passes, but has come and gone too often to be let in before. */
  readonly heldUntilMs: number | undefined;
  /** It fails, and stays as it was so long: this director was cut off, and it has yet to be asked. */
  readonly graceUntilMs: number | undefined;
  /** When its weight began to rise. */
  readonly upSinceMs: number;
}
