import { release } from 'node:os';
import type { DirectorConfiguration } from '../api/index.ts';
import { LvsError, isLvsError } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import { procServiceName } from '../ipvs/index.ts';
import type {
  IpvsClient,
  IpvsOperation,
  ObservedRealServer,
  OperationOutcome,
  ProcConnections,
  TrafficStats,
  VirtualServiceKey,
} from '../ipvs/index.ts';
import { emptyPacketRules, expireNodestConnPath } from '../link/index.ts';
import type {
  Link,
  ObservedAddress,
  ObservedLink,
  PacketRules,
  SysctlProfile,
  VipBinding,
} from '../link/index.ts';
import type { NetlinkCounters } from '../netlink/index.ts';
import type { ObservedState } from '../plan/index.ts';
import type { Hands } from './apply.ts';
import { KernelTable } from './kernel-table.ts';

/** What a director believes of its host. `version` moves whenever any of it may differ from before. */
export interface HostState extends ObservedState {
  readonly version: number;
  readonly links: readonly ObservedLink[];
  readonly addresses: readonly ObservedAddress[];
}

export interface KernelFacts {
  readonly release: string;
  readonly ipvsVersion: string;
  /** Buckets of the connection hash table. */
  readonly connectionTableSize: number;
}

export interface HostCounters {
  readonly netlink: NetlinkCounters;
  /** Complete readings of the kernel table. */
  readonly tableReads: number;
}

export interface HostOptions {
  readonly client: IpvsClient;
  readonly link: Link;
  readonly configuration: DirectorConfiguration;
  readonly logger: Logger;
  /** Of /proc/net/ip_vs; undefined where it cannot be read. */
  readonly readTableFingerprint: () => string | undefined;
  /** Of /proc/net/ip_vs, by `procServiceName`; undefined where it cannot be read. @default it cannot */
  readonly readConnections?: () => ReadonlyMap<string, ProcConnections> | undefined;
}

/**
 * Eyes and hands of a director on its host: the IPVS table, addresses, packet rules and sysctls, read cheaply when
 * nothing moved and completely when asked.
 */
export class Host implements Hands {
  readonly #options: HostOptions;
  readonly #table: KernelTable;
  #version = 0;
  #links: readonly ObservedLink[] = [];
  #addresses: readonly ObservedAddress[] = [];
  #packetRules: PacketRules | undefined;
  /** Of the last look in the background, until the next look has said so. */
  #lookError: unknown;
  #sysctls: SysctlProfile = new Map();
  #sysctlGoal: SysctlProfile | undefined;
  #sysctlsBefore = new Map<string, string>();
  #announcementProblem: LvsError | undefined;
  #isFirstLook = true;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#table = new KernelTable(options.client, options.readTableFingerprint);
  }

  get state(): HostState {
    return {
      version: this.#version,
      table: this.#table.table,
      links: this.#links,
      addresses: this.#addresses,
      packetRules: this.#packetRules,
      sysctls: this.#sysctls,
    };
  }

  /** Why neighbours could not be told of a VIP, as long as it holds. */
  get announcementProblem(): LvsError | undefined {
    return this.#announcementProblem;
  }

  /**
   * Brings `state` up to date. @param look.isFull read everything, whatever the cheap signs say; `look.isLook` look for
   * these signs, else go by what is known.
   */
  observe(look: {
    readonly isFull: boolean;
    /** @default true */
    readonly isLook?: boolean;
  }): void {
    const { link } = this.#options;
    const isFull = look.isFull || this.#isFirstLook;
    const isLook = look.isLook ?? true;
    if (this.#isFirstLook) {
      this.#table.load();
      this.#version++;
    } else if (isFull) {
      if (this.#table.beginSweep()) this.#version++;
    } else if ((isLook || !this.#table.isTrusted) && this.#table.loadIfDrifted()) this.#version++;
    if ((isLook || isFull) && this.#table.unswept > 0 && this.#table.sweepPart(this.#sweepStep()))
      this.#version++;

    if (link.pollAddressesChanged() || isFull) this.#observeAddresses();
    if (isFull || isLook) this.#observePacketRules(this.#isFirstLook);
    if (isFull && !this.#isFirstLook) this.#lookAtPacketRulesAgain();
    this.#isFirstLook = false;
  }

  /** Brings the connection counts of these services up to date, with turns of the event loop where they are many. */
  countDraining(services: readonly string[]): Promise<void> {
    return this.#table.refreshInTurns(services);
  }

  /** Services to compare in one look, so that a sweep ends before the next full check begins. */
  #sweepStep(): number {
    const { fullCheckSeconds, driftCheckSeconds } = this.#options.configuration;
    const looks = Math.max(1, Math.floor(fullCheckSeconds / driftCheckSeconds) - 1);
    return Math.ceil(this.#table.table.size / looks);
  }

  /** Reads the sysctls that matter to this goal, unless there is no look and they were read for it before. */
  observeSysctls(goal: SysctlProfile, isLook: boolean): void {
    if (!isLook && goal === this.#sysctlGoal) return;
    const values = this.#options.link.observeSysctls(goal.keys());
    if (!isSameMap(values, this.#sysctls)) this.#version++;
    this.#sysctls = values;
    this.#sysctlGoal = goal;
  }

  /** What was asked of the kernel, as numbers that only grow. */
  get counters(): HostCounters {
    return { netlink: this.#options.client.counters, tableReads: this.#table.reads };
  }

  /** Counters of services and of real servers, as the kernel has them now; what is believed does not change by it. */
  observeServiceStats(): ReadonlyMap<string, TrafficStats | undefined> {
    return this.#options.client.observeServiceStats();
  }

  observeRealServerStats(service: VirtualServiceKey): ReadonlyMap<string, ObservedRealServer> {
    return this.#options.client.observeRealServers(service, { stats: true });
  }

  /** Connections of these services, as the kernel has them now. @param keys by `formatVirtualServiceKey` */
  countConnections(keys: Iterable<string>): ProcConnections {
    const counted = this.#options.readConnections?.();
    if (counted === undefined) this.#table.refreshRealServers(keys);
    let active = 0;
    let inactive = 0;
    for (const key of keys) {
      const service = this.#table.table.get(key);
      if (service === undefined) continue;
      const counts =
        counted === undefined
          ? [...service.realServers.values()].map(({ connections }) => connections)
          : [counted.get(procServiceName(service.key)) ?? { active: 0, inactive: 0 }];
      for (const one of counts) {
        active += one.active;
        inactive += one.inactive;
      }
    }
    return { active, inactive };
  }

  isSchedulerAvailable(name: string): boolean {
    return this.#options.client.isSchedulerAvailable(name);
  }

  readKernelFacts(): KernelFacts {
    const info = this.#options.client.getInfo();
    return { release: release(), ipvsVersion: info.version, connectionTableSize: info.connectionTableSize };
  }

  /** Applies the connection timeouts of the configuration. What it leaves open stays as the kernel has it. */
  applyTimeouts(): void {
    const { client, configuration } = this.#options;
    const { tcpSeconds, tcpFinSeconds, udpSeconds } = configuration.timeouts;
    const timeouts = {
      ...(tcpSeconds === undefined ? {} : { tcp: tcpSeconds }),
      ...(tcpFinSeconds === undefined ? {} : { tcpFin: tcpFinSeconds }),
      ...(udpSeconds === undefined ? {} : { udp: udpSeconds }),
    };
    if (Object.keys(timeouts).length > 0) client.setTimeouts(timeouts);
  }

  writeSysctls(profile: SysctlProfile): readonly OperationOutcome[] {
    const { link, configuration } = this.#options;
    if (configuration.sysctls === 'Report') {
      // The plan turns one sysctl on for the moment of a deletion; a host that keeps its own values keeps that one too.
      return [...profile].map(([path, value]) =>
        path === expireNodestConnPath ? 'done' : reportOnly(path, value, this.#sysctls.get(path)),
      );
    }
    const { previous, error } = link.applySysctls(profile);
    for (const [path, value] of previous)
      if (!this.#sysctlsBefore.has(path)) this.#sysctlsBefore.set(path, value);
    const now = link.observeSysctls(profile.keys());
    this.#sysctls = new Map([...this.#sysctls, ...now]);
    return [...profile].map(([path, value]) =>
      now.get(path) === value || error === undefined ? 'done' : error,
    );
  }

  /** Values that sysctls had before this process first wrote them. */
  get sysctlsBefore(): ReadonlyMap<string, string> {
    return this.#sysctlsBefore;
  }

  applyPacketRules(rules: PacketRules): void {
    if (this.#options.configuration.netfilter !== 'Off') this.#options.link.applyPacketRules(rules);
    this.#packetRules = rules;
  }

  bindVips(bindings: readonly VipBinding[]): readonly OperationOutcome[] {
    return this.#options.link.bindVips(bindings).map((outcome) => {
      if (outcome.warning !== undefined && this.#announcementProblem === undefined) {
        this.#options.logger.warn('VIP bound but not announced', {
          vip: outcome.binding.vip,
          error: outcome.warning,
        });
      }
      this.#announcementProblem = outcome.warning;
      return outcome.error ?? 'done';
    });
  }

  releaseVips(bindings: readonly VipBinding[]): readonly OperationOutcome[] {
    return this.#options.link.releaseVips(bindings).map((outcome) => outcome.error ?? 'done');
  }

  applyOperations(operations: readonly IpvsOperation[]): Promise<readonly OperationOutcome[]> {
    return this.#table.apply(operations);
  }

  /** For `cleanup`: our chains, and `lvs0` once it is empty. */
  removePacketRulesAndDevice(): void {
    this.#options.link.removeEverything();
  }

  close(): void {
    this.#options.link.close();
    this.#options.client.close();
  }

  #observeAddresses(): void {
    const { link } = this.#options;
    const links = link.observeLinks();
    const addresses = link.observeAddresses();
    if (!isSameJson(links, this.#links)) {
      this.#links = links;
      this.#version++;
    }
    if (!isSameJson(addresses, this.#addresses)) {
      this.#addresses = addresses;
      this.#version++;
    }
  }

  /** The next look, a second later, says what it has found. */
  #lookAtPacketRulesAgain(): void {
    if (this.#options.configuration.netfilter === 'Off') return;
    this.#options.link.lookAtPacketRulesAgain().catch((error: unknown) => (this.#lookError = error));
  }

  #observePacketRules(isFull: boolean): void {
    if (this.#options.configuration.netfilter === 'Off') {
      this.#packetRules ??= emptyPacketRules;
      return;
    }
    let rules: PacketRules | undefined;
    const { link } = this.#options;
    try {
      const error = this.#lookError;
      this.#lookError = undefined;
      if (error !== undefined) throw error;
      rules = link.observePacketRules({ isFull });
    } catch (error) {
      // Without iptables the write fails too, and that is what people are told.
      if (!isLvsError(error, 'LVS_NETFILTER_UNAVAILABLE')) throw error;
    }
    if (rules !== this.#packetRules) this.#version++;
    this.#packetRules = rules;
  }
}

function reportOnly(path: string, value: string, was: string | undefined): LvsError {
  const name = path.replaceAll('/', '.');
  return new LvsError('LVS_SYSCTL_READ_ONLY', `${name} is ${was ?? 'missing'} and should be ${value}.`, {
    subject: name,
    hint: 'The configuration says sysctls: Report, so set it from outside.',
  });
}

function isSameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

function isSameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
