import type { SysctlProfile } from './types.ts';

/** What the services of one director, taken together, ask of the host's sysctls. */
export interface SysctlNeeds {
  /** Any service, also one that still drains. Without one no sysctl is touched. */
  readonly hasServices: boolean;
  /** A NAT real server behind an IPv4 VIP: its answers are forwarded by this host. */
  readonly hasIpv4Nat: boolean;
  readonly hasIpv6Nat: boolean;
  readonly hasTunnel: boolean;
  readonly hasDirectRouting: boolean;
  /** A claim with `sourceNAT`, also one that still drains. */
  readonly hasSourceNat: boolean;
  /** An IPv4 VIP on `lvs0`. */
  readonly hasRoutedIpv4Vips: boolean;
  /** Interface names. */
  readonly uplinks: readonly string[];
}

/** Written to 1 while the director deletes real servers on purpose; see `computeSysctlProfile`. */
export const expireNodestConnPath = 'net/ipv4/vs/expire_nodest_conn';

/**
 * One profile per director: sysctls belong to the network namespace, so the union of what its services need decides.
 * A sysctl of which no service has an opinion is left alone. Sources: Documentation/networking/ipvs-sysctl.rst and
 * ip-sysctl.rst, net/netfilter/ipvs/ip_vs_core.c and ip_vs_conn.c of Linux 6.1.
 *
 * The order is that in which the values are safe to write.
 */
export function computeSysctlProfile(needs: SysctlNeeds): SysctlProfile {
  const profile = new Map<string, string>();
  if (!needs.hasServices) return profile;

  // IPVS in general.

  // A connection whose real server is gone from the table. 0: its packets are dropped and it lives on when the server
  // comes back within its timeout, which is what makes the repair of a hand-deleted server invisible to clients. 1: it
  // is ended at once, so the client's next packet is answered by a reset; right when we delete a server on purpose, as
  // nothing would ever serve that connection again. Hence 0 at rest, and 1 only around deletions of our own.
  profile.set(expireNodestConnPath, '0');
  // A drained server (weight 0) would keep getting new connections of persistent clients for the whole persistence
  // timeout (ip_vs_check_template).
  profile.set('net/ipv4/vs/expire_quiescent_template', '1');
  // A client that reuses its port gets a fresh choice of server. Bit 1 for the states in which NAT sees both sides;
  // bit 2 adds FIN_WAIT for DR and TUN, where the server's FIN never passes here (is_new_conn_expected). Any non-zero
  // value does what 1 does, so 2 serves all methods. Before Linux 5.9 this costs a second per reused port together
  // with conntrack=1.
  profile.set('net/ipv4/vs/conn_reuse_mode', '2');
  // The ipvs match in the nat table only sees tracked packets; tracking costs DR, TUN and plain NAT dearly.
  profile.set('net/ipv4/vs/conntrack', needs.hasSourceNat ? '1' : '0');
  // NAT answers take the route of the client after their source was rewritten to the VIP, not before (ip_vs_out).
  if (needs.hasIpv4Nat || needs.hasIpv6Nat) profile.set('net/ipv4/vs/snat_reroute', '1');
  if (needs.hasTunnel || needs.hasDirectRouting) {
    // ICMP errors on the way to a server, such as "fragmentation needed" for its answers, arrive here because the VIP
    // is the answers' source; they must find the server even if the connection was made by another director.
    profile.set('net/ipv4/vs/schedule_icmp', '1');
  }
  if (needs.hasTunnel) {
    // A packet that no longer fits once wrapped is refused with "fragmentation needed", so that the client sends
    // smaller ones (ensure_mtu_is_adequate). 0 would fragment the outer packet instead.
    profile.set('net/ipv4/vs/pmtu_disc', '1');
  }

  // The host.

  if (needs.hasIpv4Nat) {
    profile.set('net/ipv4/ip_forward', '1');
    // Client and server on one subnet: a redirect would teach them to talk past the director. The effective value is
    // "all or the interface", hence both.
    profile.set('net/ipv4/conf/all/send_redirects', '0');
    for (const uplink of needs.uplinks) profile.set(`net/ipv4/conf/${uplink}/send_redirects`, '0');
  }
  if (needs.hasIpv6Nat) profile.set('net/ipv6/conf/all/forwarding', '1');
  if (needs.hasRoutedIpv4Vips) {
    // Linux answers ARP for any local address on any interface. A routed VIP is on every director, so each of them
    // would answer for it on the uplink, and would use it as the sender of its own ARP requests.
    for (const uplink of needs.uplinks) {
      profile.set(`net/ipv4/conf/${uplink}/arp_ignore`, '1');
      profile.set(`net/ipv4/conf/${uplink}/arp_announce`, '2');
    }
  }
  return profile;
}
