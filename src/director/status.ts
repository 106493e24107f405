import type { Condition, ObjectRef } from '../api/index.ts';

/**
 * What a director says of itself: written to `status.json` in the state directory, at most once a second, and shown by
 * `lvs-operator status`. Lists are exceptions and people's overview, capped at `listCap`, with the true counts beside.
 */
export interface DirectorStatus {
  readonly version: string;
  readonly pid: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly kernel: {
    readonly release: string;
    readonly ipvsVersion: string;
    readonly connectionTableSize: number;
  };
  readonly conditions: readonly DirectorCondition[];
  readonly source: SourceStatus;
  readonly virtualServices: readonly VirtualServiceStatus[];
  readonly drains: readonly DrainStatus[];
  readonly failing: readonly FailingStatus[];
  readonly problems: readonly ProblemStatus[];
  readonly held: HeldStatus | undefined;
  readonly counts: StatusCounts;
  readonly counters: DirectorCounters;
}

export type DirectorConditionType =
  /** Everything that could be served is served. */
  | 'Ready'
  /** In maintenance, no connection is left; there only while it is in maintenance. */
  | 'Drained'
  /** The last pass left the kernel equal to the goal. */
  | 'Programmed'
  /** The manifests were read completely. */
  | 'ManifestsRead'
  /** The view of the cluster is a fresh one. */
  | 'ApiServerReachable'
  /** VIPs are bound and announced. */
  | 'AddressesBound'
  /** Our packet rules are in place. */
  | 'PacketRulesApplied'
  | 'SysctlsApplied'
  /** The state directory takes writes. */
  | 'LedgerWritten'
  /** Another program changes what is ours. */
  | 'ForeignHands'
  /** So much failed at once that this director takes itself for cut off, and holds its verdicts. */
  | 'DirectorIsolated'
  /** Real servers are asked in time. */
  | 'ChecksRunning';

export type DirectorCondition = Condition<DirectorConditionType>;

export interface SourceStatus {
  readonly description: string;
  readonly listNumber: number;
  readonly isComplete: boolean;
  readonly readAt: string | undefined;
}

export interface VirtualServiceStatus {
  readonly object: ObjectRef;
  /** VIPs, as text. */
  readonly addresses: readonly string[];
  /** `80/TCP`, `5000-5010/UDP`. */
  readonly ports: readonly string[];
  readonly scheduler: string;
  readonly ready: boolean;
  /** Stable CamelCase reason: `Serving`, `NoRealServers`, or that of a refusal. */
  readonly reason: string;
  readonly message: string;
  readonly realServers: { readonly serving: number; readonly quiesced: number; readonly failing: number };
}

export interface DrainStatus {
  readonly service: string;
  readonly realServer: string;
  readonly reason: string;
  readonly active: number;
  readonly inactive: number;
  /** RFC 3339. */
  readonly since: string;
  readonly deadline: string;
}

/** A real server that should take clients and does not, as it fails its check. */
export interface FailingStatus {
  readonly service: string;
  readonly realServer: string;
  /** `RealServer namespace/name`; of a sorry server, its VirtualService. */
  readonly object: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly since: string;
}

export interface ProblemStatus {
  /** `FILE:LINE`, or the object when no place is known. */
  readonly where: string;
  readonly object: string | undefined;
  readonly severity: 'error' | 'warning';
  readonly reason: string;
  readonly message: string;
}

export interface HeldStatus {
  readonly entries: number;
  readonly since: string;
  readonly message: string;
}

export interface StatusCounts {
  readonly virtualServices: number;
  readonly services: number;
  readonly realServers: number;
  readonly drains: number;
  readonly checked: number;
  readonly failing: number;
  readonly problems: number;
  readonly foreignServices: number;
}

export interface DirectorCounters {
  readonly passes: number;
  readonly changes: number;
  readonly driftRepairs: number;
  readonly refusedOperations: number;
}

export const listCap = 200;

/** RFC 3339 in UTC with seconds, as Kubernetes writes it. */
export function formatTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
