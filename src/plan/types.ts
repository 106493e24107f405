import type {
  AddressPoolResource,
  ObjectRef,
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../api/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';
import type {
  IpvsOperation,
  IpvsTable,
  RealServerConfig,
  RealServerKey,
  VirtualServiceConfig,
  VirtualServiceKey,
} from '../ipvs/pure.ts';
import type { HealthPolicy, ServerCheck } from './health-types.ts';
import type { ObservedAddress, PacketRules, SysctlProfile, VipBinding, VipClaim } from '../link/pure.ts';

/** Everything users wrote that parsed. Cross-object rules are judged here, in `plan`, and nowhere else. */
export interface Resources {
  readonly virtualServices: readonly VirtualServiceResource[];
  readonly realServers: readonly RealServerResource[];
  readonly addressPools: readonly AddressPoolResource[];
  /**
   * Where real servers come from. Undefined: from files, where each RealServer holds its own addresses. Defined: from a
   * cluster, where the controller has resolved every endpoint, the static ones too, into these.
   */
  readonly realServerSlices?: readonly RealServerSliceResource[] | undefined;
  /** By namespace, for pools that admit by label. A namespace that is not here is admitted by name alone. */
  readonly namespaceLabels?: NamespaceLabels | undefined;
  /**
   * VirtualServices that exist but that the controller has not accepted yet. Nothing of them is served, and their
   * RealServers wait without a refusal.
   */
  readonly pendingVirtualServices?: readonly VirtualServiceResource[] | undefined;
}

export type NamespaceLabels = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** What a director knows of its own host and needs for deciding. Observed by the shell, slow to change. */
export interface DirectorFacts {
  /** Addresses of the host that are not VIPs: they are refused as VIPs, and their control ports as real servers. */
  readonly ownAddresses: readonly IpAddress[];
  /** Uplinks and the subnets that are on-link there. A VIP inside one is bound on that uplink and announced. */
  readonly uplinks: readonly Uplink[];
  /** Schedulers that the kernel could not load, as far as known. */
  readonly unavailableSchedulers: readonly string[];
  /** Further addresses that must never be a VIP or a real server (API server, service ranges). */
  readonly reservedCidrs: readonly Cidr[];
  /** False where netfilter is switched off: what needs packet rules is refused then. Default true. */
  readonly hasPacketRules?: boolean;
  /** What the cluster keeps for itself; undefined where there is none. */
  readonly cluster?: ClusterFacts | undefined;
}

/**
 * The addresses that a cluster lives on. None of them may be a VIP: who could claim one would take over traffic that is
 * not meant for him (CVE-2020-8554). None but a node's may be a static real server: that would lead into the pods and
 * Services of other namespaces (CVE-2021-25740).
 */
export interface ClusterFacts {
  readonly nodeAddresses: readonly IpAddress[];
  readonly podCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  readonly apiServerAddresses: readonly IpAddress[];
}

export interface Uplink {
  readonly name: string;
  readonly subnets: readonly Cidr[];
  /** Bytes. */
  readonly mtu: number;
}

/**
 * Choices that must not change from pass to pass: the incumbent keeps its address and its mark. Kept in the ledger
 * (later: in `VirtualService.status`).
 */
export interface Allocations {
  /** VIPs taken from pools, by `namespace/name#index` of the address entry. */
  readonly addresses: Readonly<Record<string, IpAddress>>;
  /** Firewall marks of `portGrouping: Together`, by `namespace/name vip`, and those of our own probes. */
  readonly marks: Readonly<Record<string, MarkAllocation>>;
  /** First owner of each `PROTOCOL vip:port`, as `namespace/name`; the incumbent keeps it. */
  readonly portOwners: Readonly<Record<string, string>>;
}

/** The claims are kept with the mark so that a draining service still gets its packets after its object is gone. */
export interface MarkAllocation {
  readonly mark: number;
  readonly vip: IpAddress;
  readonly claims: readonly Pick<VipClaim, 'protocol' | 'port' | 'endPort'>[];
}

export interface DesiredStateInput extends Resources {
  readonly facts: DirectorFacts;
  readonly allocations: Allocations;
  /**
   * `accepted` of an earlier answer. An object whose new version is refused keeps the version found here, if that
   * still passes today's policy: a bad edit never takes down what served before it.
   */
  readonly lastAccepted?: Resources | undefined;
  /** VIPs that a director may still answer for, though their VirtualService let go of them. Nobody else gets them yet. */
  readonly quarantined?: ReadonlySet<string> | undefined;
}

/** Why an object (or a part of it) is not served. Objects that are refused change nothing for the others. */
export interface Refusal {
  readonly object: ObjectRef;
  /** Path of the offending field inside the object: `['spec', 'ports', 0, 'port']`. */
  readonly path: readonly (string | number)[];
  /** CamelCase reason, stable, as in a condition: `AddressNotInPool`, `Conflicted`, `VirtualServiceNotFound`. */
  readonly reason: string;
  /** A sentence that a person can act on. */
  readonly message: string;
  /** `error`: not served. `warning`: served, but the person should know (MTU under TUN). */
  readonly severity: 'error' | 'warning';
  /** In a cluster: this endpoint of the RealServer alone is meant, and the others are served. */
  readonly endpoint?: IpAddress;
}

export interface DrainSettings {
  /** Longest drain; connections left then are cut. Milliseconds. */
  readonly timeoutMs: number;
  /** With no active connection for this long, inactive ones (half-closed, TIME_WAIT) no longer hold the server. */
  readonly settleMs: number;
  /** How long a UDP real server keeps its flows. */
  readonly udpMs: number;
}

export interface DesiredRealServer {
  readonly key: RealServerKey;
  /** Weight 0 with `isDrained` means: quiesce, wait, delete. Weight 0 without means: the person asked for weight 0. */
  readonly config: RealServerConfig;
  readonly isDrained: boolean;
  /** Wall-clock end of the drain of an endpoint that says it itself (an ending pod); undefined: `DrainSettings` do. */
  readonly drainDeadlineMs: number | undefined;
  /**
   * It is drained, but nobody else behind the service takes clients, so it keeps its weight until its deadline: better
   * an ending pod than nobody (the rule of KEP-1669). Never for what a person drains by name.
   */
  readonly isLastResort: boolean;
  /** What it becomes when nobody else behind the service takes clients; undefined: that is never asked of it. */
  readonly lastResort: RealServerConfig | undefined;
  /** What a person gave it, before load or anything else had a say. */
  readonly configuredWeight: number;
  /** How it is asked whether it serves; undefined: it counts as up. */
  readonly check: ServerCheck | undefined;
  /** It serves only while the others do not, see `ServiceHealth`; until then it is drained. */
  readonly isSorry: boolean;
  /** It takes clients but for the maintenance of this director, so it stays, at weight 0 (`quiesceDirector`). */
  readonly isInMaintenance?: true;
  readonly owner: ObjectRef;
}

export interface DesiredVirtualService {
  readonly key: VirtualServiceKey;
  /** Flags hold the witness bit, but not the mh/sh fallback that quiescing adds: `computeChanges` does that. */
  readonly config: VirtualServiceConfig;
  readonly owner: ObjectRef;
  readonly drain: DrainSettings;
  readonly policy: HealthPolicy;
  /** No client comes here: it leads our own probes to one real server (`addProbeServices`). */
  readonly isForProbes?: true;
  /** By `formatRealServerKey`. */
  readonly realServers: ReadonlyMap<string, DesiredRealServer>;
}

export interface DesiredState {
  /** By `formatVirtualServiceKey`. */
  readonly services: ReadonlyMap<string, DesiredVirtualService>;
  readonly vips: readonly VipBinding[];
  /** Rules for `services` alone; `computeChanges` adds what still drains. */
  readonly packetRules: PacketRules;
  readonly sysctls: SysctlProfile;
  readonly refusals: readonly Refusal[];
  /** Includes what objects that are gone still hold; `ChangePlan.allocations` drops it once the kernel is rid of them. */
  readonly allocations: Allocations;
  /** The version of every object that is in force; input to the next call as `lastAccepted`. */
  readonly accepted: Resources;
}

/** One real server that leaves. Wall-clock milliseconds, as they survive restarts in the ledger. */
export interface DrainRecord {
  /** `formatVirtualServiceKey` and `formatRealServerKey`. */
  readonly service: string;
  readonly realServer: string;
  readonly sinceMs: number;
  readonly deadlineMs: number;
  /** Since when no active connection was seen; undefined while there is one. */
  readonly idleSinceMs: number | undefined;
  readonly settings: DrainSettings;
  /** The endpoint's own deadline, which outlives the endpoint: a pod that is gone by now gets no new grace. */
  readonly ownDeadlineMs?: number | undefined;
  readonly reason: 'Removed' | 'Drained' | 'ServiceRemoved';
}

/** A mass removal that waits for a second complete list to agree. */
export interface HeldRemoval {
  /** Keys that would go, sorted; the second list must ask for the same set or a subset. */
  readonly keys: readonly string[];
  readonly sinceMs: number;
  /** Number of the complete list that asked for it; only a later list can confirm. */
  readonly listNumber: number;
}

export interface ChangesInput {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  /** Services that the ledger calls ours, by `formatVirtualServiceKey`. The witness bit adds to them. */
  readonly ownedServices: ReadonlySet<string>;
  readonly ownedVips: readonly VipBinding[];
  readonly drains: readonly DrainRecord[];
  readonly held: HeldRemoval | undefined;
  /** Counts complete lists of the desired state (folder reads, relists); see `HeldRemoval`. */
  readonly listNumber: number;
  /** False until every kind was read completely once: nothing is removed before. */
  readonly isComplete: boolean;
  /** Wall clock. */
  readonly nowMs: number;
  /**
   * What the last finished pass made true. A kernel entry that differs although its goal did not move was changed by
   * other hands: reason `Drift`. Undefined on the first pass.
   */
  readonly previous?: DesiredState | undefined;
  /** `packetRules` of the plan whose pass is meant by `previous`. */
  readonly previousPacketRules?: PacketRules | undefined;
  /** @default defaultMassRemoval */
  readonly massRemoval?: MassRemovalPolicy | undefined;
}

/** Absence of more than `fraction` of our entries and of more than `entries` of them is held for confirmation. */
export interface MassRemovalPolicy {
  readonly fraction: number;
  readonly entries: number;
  /** Shortest time between the two lists that must agree. Milliseconds. */
  readonly confirmMs: number;
}

export interface ObservedState {
  readonly table: IpvsTable;
  readonly addresses: readonly ObservedAddress[];
  /** Normal form of our chains as last read, for comparison only; undefined: unknown, write them. */
  readonly packetRules: PacketRules | undefined;
  readonly sysctls: SysctlProfile;
}

export type ChangeReason =
  | 'New'
  | 'Changed'
  | 'Drift'
  | 'Adopted'
  | 'Quiesced'
  | 'Restored'
  | 'Drained'
  | 'DrainDeadline'
  | 'Removed'
  | 'FallbackWhileQuiesced';

/**
 * One step of a pass. The list that `computeChanges` returns is already in the order in which it is safe. `isRepair`:
 * the goal did not move since the previous pass made it true, so other hands did; of IPVS entries the reason says it.
 */
export type Change =
  | {
      readonly type: 'setSysctl';
      readonly path: string;
      readonly value: string;
      readonly was: string | undefined;
      readonly isRepair: boolean;
    }
  | { readonly type: 'setPacketRules'; readonly rules: PacketRules; readonly isRepair: boolean }
  | { readonly type: 'bindVip'; readonly binding: VipBinding; readonly isRepair: boolean }
  | {
      readonly type: 'ipvs';
      readonly operation: IpvsOperation;
      readonly reason: ChangeReason;
      readonly owner: ObjectRef | undefined;
    }
  | { readonly type: 'releaseVip'; readonly binding: VipBinding };

export interface ChangePlan {
  readonly changes: readonly Change[];
  /** What our chains hold after this pass: the rules of the goal, and of what still drains. */
  readonly packetRules: PacketRules;
  /** All drains after this pass, to be written to the ledger before the changes are applied. */
  readonly drains: readonly DrainRecord[];
  readonly held: HeldRemoval | undefined;
  /** Wall-clock time at which a new pass is due even if nothing happens; undefined: none. */
  readonly wakeAtMs: number | undefined;
  /** True when another pass must follow these changes at once (rules and addresses follow services and each other). */
  readonly isFollowedUp: boolean;
  /** For the ledger: what is chosen, less what neither an object nor the kernel uses any more. */
  readonly allocations: Allocations;
  /** For the ledger: every service that is ours once these changes are applied or half applied, sorted. */
  readonly ownedServices: readonly string[];
  /** For the ledger: every address that is ours once these changes are applied or half applied. */
  readonly ownedVips: readonly VipBinding[];
}

/** Kernel-side witness that a service is ours: a private bit that the kernel stores and echoes but never reads. */
export const witnessFlag = 0x4c000000;
