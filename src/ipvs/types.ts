import type { IpAddress, IpFamily } from '../base/index.ts';

/**
 * The vocabulary of the kernel table. For both kinds of entry three types are kept apart: Key identifies, Config is
 * what we may set, Stats and connection counts are only observed. Equality and diff look at Key and Config alone.
 */

/** In the order of the kernel's Kconfig (net/netfilter/ipvs/Kconfig). */
export const schedulers = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'fo',
  'ovf',
  'lblc',
  'lblcr',
  'dh',
  'sh',
  'mh',
  'sed',
  'nq',
] as const;
export type Scheduler = (typeof schedulers)[number];

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** A firewall-mark service is identified by family and mark: IPv4 and IPv6 may share a mark. */
export type VirtualServiceKey =
  | { readonly kind: 'address'; readonly protocol: Protocol; readonly vip: IpAddress; readonly port: number }
  | { readonly kind: 'mark'; readonly family: IpFamily; readonly mark: number };

export interface VirtualServiceConfig {
  /** Kernel name; `none` and names unknown to us occur in observed tables. */
  readonly scheduler: string;
  /** Unsigned 32-bit set of `serviceFlags`, the kernel-owned HASHED bit masked out. Unknown bits are kept. */
  readonly flags: number;
  /** 0 unless PERSISTENT is set. At most 31 days. */
  readonly persistenceTimeoutSeconds: number;
  /** Clients that share this prefix share a real server: 0..32 for IPv4, 1..128 for IPv6. */
  readonly persistencePrefixLength: number;
  /** Persistence engine, only ever `sip`; undefined for none. */
  readonly persistenceEngine: string | undefined;
}

export interface RealServerKey {
  readonly rip: IpAddress;
  /** 0 keeps the packet's destination port (mark services, any-port services). */
  readonly port: number;
}

/** The three methods that the API offers; LOCAL and BYPASS exist only in tables that others wrote. */
export type ForwardingMethod = 'NAT' | 'DR' | 'TUN';
export type KernelForwardingMethod = ForwardingMethod | 'LOCAL' | 'BYPASS';

export type TunnelType = 'IPIP' | 'GUE' | 'GRE';
export type TunnelChecksum = 'None' | 'Checksum' | 'RemoteChecksum';

/** How a TUN packet is wrapped. `port` is the GUE destination port and 0 for the others. */
export interface Tunnel {
  readonly type: TunnelType;
  readonly port: number;
  readonly checksum: TunnelChecksum;
}

export interface RealServerConfig {
  readonly forwarding: KernelForwardingMethod;
  /** Present exactly when `forwarding` is TUN. */
  readonly tunnel: Tunnel | undefined;
  /** 0 quiesces: live connections stay, new ones go elsewhere. */
  readonly weight: number;
  /** Connections (active + inactive) at which the server counts as overloaded; 0 is off. */
  readonly upperThreshold: number;
  /** Connections below which an overloaded server is used again; 0 lets the kernel take 75 % of upper. */
  readonly lowerThreshold: number;
}

/** Rates are averages of the kernel's estimator, counters move every 2 seconds. Bytes, not bits. */
export interface TrafficStats {
  readonly connections: bigint;
  readonly packetsIn: bigint;
  readonly packetsOut: bigint;
  readonly bytesIn: bigint;
  readonly bytesOut: bigint;
  readonly connectionsPerSecond: bigint;
  readonly packetsInPerSecond: bigint;
  readonly packetsOutPerSecond: bigint;
  readonly bytesInPerSecond: bigint;
  readonly bytesOutPerSecond: bigint;
}

/** Live counts, not subject to the 2-second estimator. */
export interface ConnectionCounts {
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
}

export interface ObservedRealServer {
  readonly key: RealServerKey;
  readonly config: RealServerConfig;
  readonly connections: ConnectionCounts;
  /** Undefined when the table was observed without statistics. */
  readonly stats: TrafficStats | undefined;
}

export interface ObservedVirtualService {
  readonly key: VirtualServiceKey;
  readonly config: VirtualServiceConfig;
  /** Undefined when the table was observed without statistics. */
  readonly stats: TrafficStats | undefined;
  /** By `formatRealServerKey`. */
  readonly realServers: ReadonlyMap<string, ObservedRealServer>;
}

/** One complete look at the kernel table, by `formatVirtualServiceKey`. */
export type IpvsTable = ReadonlyMap<string, ObservedVirtualService>;

/** One kernel request. `add` of what exists and `delete` of what is gone are made good by the client (upsert). */
export type IpvsOperation =
  | {
      readonly type: 'addVirtualService';
      readonly service: VirtualServiceKey;
      readonly config: VirtualServiceConfig;
    }
  | {
      readonly type: 'editVirtualService';
      readonly service: VirtualServiceKey;
      readonly config: VirtualServiceConfig;
    }
  | { readonly type: 'deleteVirtualService'; readonly service: VirtualServiceKey }
  | {
      readonly type: 'addRealServer' | 'editRealServer';
      readonly service: VirtualServiceKey;
      readonly realServer: RealServerKey;
      readonly config: RealServerConfig;
    }
  | {
      readonly type: 'deleteRealServer';
      readonly service: VirtualServiceKey;
      readonly realServer: RealServerKey;
    };

/** Kernel connection timeouts in seconds (`ipvsadm --set`). */
export interface IpvsTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

/** What the kernel says of its IPVS (`IPVS_CMD_GET_INFO`). */
export interface IpvsInfo {
  /** `1.2.1` on every kernel since 2008. */
  readonly version: string;
  /** Buckets of the connection hash table; far more connections than that make it slow. */
  readonly connectionTableSize: number;
}

/** The kernel's words for the two roles of a sync daemon. Both may run at once. */
export type SyncDaemonState = 'master' | 'backup';
export interface SyncDaemon {
  readonly state: SyncDaemonState;
  readonly interface: string;
  readonly syncId: number;
  readonly maxLength?: number;
  readonly group?: IpAddress;
  readonly port?: number;
  readonly ttl?: number;
}

/** `TCP 192.0.2.10:80`, `UDP [2001:db8::1]:53`, `mark 0x4c560001 IPv4`. Stable: it is a key in the ledger file. */
export function formatVirtualServiceKey(key: VirtualServiceKey): string {
  if (key.kind === 'mark') return `mark 0x${key.mark.toString(16)} ${key.family}`;
  return `${key.protocol} ${formatAddressAndPort(key.vip, key.port)}`;
}

/** `10.0.0.1:80`, `[2001:db8::5]:80`. Stable: it is a key in the ledger file. */
export function formatRealServerKey(key: RealServerKey): string {
  return formatAddressAndPort(key.rip, key.port);
}

export function formatAddressAndPort(ip: IpAddress, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

export function isSameVirtualServiceConfig(a: VirtualServiceConfig, b: VirtualServiceConfig): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.flags === b.flags &&
    a.persistenceTimeoutSeconds === b.persistenceTimeoutSeconds &&
    a.persistencePrefixLength === b.persistencePrefixLength &&
    a.persistenceEngine === b.persistenceEngine
  );
}

export function isSameRealServerConfig(a: RealServerConfig, b: RealServerConfig): boolean {
  return (
    a.forwarding === b.forwarding &&
    a.weight === b.weight &&
    a.upperThreshold === b.upperThreshold &&
    a.lowerThreshold === b.lowerThreshold &&
    a.tunnel?.type === b.tunnel?.type &&
    a.tunnel?.port === b.tunnel?.port &&
    a.tunnel?.checksum === b.tunnel?.checksum
  );
}
