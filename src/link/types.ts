import type { Cidr, IpAddress, IpFamily, LvsError } from '../base/index.ts';

/**
 * What a director wants of its host besides the IPVS table: addresses, packet rules and sysctls. All of it is plain
 * data computed by `plan`; the shell of this room makes it true and reads it back.
 */

/** A VIP and where it lives. On an uplink it is announced; on `lvs0` it is routed to this node by others. */
export interface VipBinding {
  readonly vip: IpAddress;
  /** Interface name: `lvs0` or an uplink. */
  readonly device: string;
  /** Gratuitous ARP or unsolicited NA when the address appears. Always false on `lvs0`. */
  readonly announce: boolean;
}

/** A port (range) of a VIP that a virtual service claims. Ports are inclusive. */
export interface VipClaim {
  readonly vip: IpAddress;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  readonly endPort: number;
  /** Who may connect; empty: everybody. Same family as the VIP. */
  readonly sourceRanges: readonly Cidr[];
  /** Set this firewall mark on matching packets (portGrouping Together); undefined: none. */
  readonly mark: number | undefined;
}

/** NAT traffic of this claim leaves with an address of the director (full NAT through netfilter's ipvs match). */
export interface SourceNatRule {
  readonly vip: IpAddress;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Virtual port; inclusive range. */
  readonly port: number;
  readonly endPort: number;
}

/**
 * TCP MSS clamp for traffic that will be tunnelled. It acts on the server's SYN-ACK, and so only where that crosses the
 * director (which is then the real servers' gateway); elsewhere ICMP errors teach the client (see rule-tables.ts).
 */
export interface MssClamp {
  readonly vip: IpAddress;
  readonly port: number;
  readonly endPort: number;
  /** Largest segment in bytes that a client may send. */
  readonly mss: number;
}

/** The whole of our packet rules, both families. Order does not matter. */
export interface PacketRules {
  /** Every VIP that the guard protects, claimed or not. */
  readonly vips: readonly IpAddress[];
  readonly claims: readonly VipClaim[];
  readonly sourceNat: readonly SourceNatRule[];
  readonly mssClamps: readonly MssClamp[];
}

/** Values below /proc/sys/, by path with slashes: `net/ipv4/vs/conntrack` → `1`. */
export type SysctlProfile = ReadonlyMap<string, string>;

export interface ObservedLink {
  readonly index: number;
  readonly name: string;
  readonly kind: string | undefined;
  readonly mtu: number;
  readonly isUp: boolean;
  /** Its lower end is there: a cable, a peer. */
  readonly hasCarrier: boolean;
  readonly isLoopback: boolean;
  /** False on loopback and NOARP devices, where nothing is to be announced. */
  readonly hasArp: boolean;
  readonly hardwareAddress: Uint8Array;
}

export interface ObservedAddress {
  readonly ip: IpAddress;
  readonly prefixLength: number;
  readonly device: string;
  readonly family: IpFamily;
  /** IFA_PROTO; `vipAddressProtocol` marks ours. 0 on kernels before 5.18. */
  readonly protocol: number;
  readonly isTentative: boolean;
}

/** Our own IFA_PROTO value ("L"), the kernel-side witness that an address is ours. */
export const vipAddressProtocol = 0x4c;
/** The dummy device for routed VIPs. */
export const routedVipDevice = 'lvs0';

/** A link with the subnets that are on it: where a VIP of one of these subnets is bound and announced. */
export interface ObservedUplink {
  readonly name: string;
  readonly subnets: readonly Cidr[];
  /** Bytes. */
  readonly mtu: number;
}

/** How binding or releasing one VIP went. */
export interface VipOutcome {
  readonly binding: VipBinding;
  /** False when there was nothing to do: bound already, or gone already. */
  readonly isChanged: boolean;
  /** The address is there but somebody else put it there: it is used, and never removed by us. */
  readonly isForeign: boolean;
  /** Undefined: it is as it should be. */
  readonly error: LvsError | undefined;
  /** It is bound, but the neighbours could not be told. */
  readonly warning: LvsError | undefined;
}
