import type { LabNetwork } from './network.ts';

/**
 * Makes the client host of a network many clients: every address of 10.20.0.0/16 and 2001:db8:100::/48 is its own, and
 * the director knows the way. Such a client binds its socket to `manyClients4(n)` or `manyClients6(n)`.
 */
export async function addManyClients({ client, director }: LabNetwork): Promise<void> {
  await client.ip(['route add local 10.20.0.0/16 dev lo', 'route add local 2001:db8:100::/48 dev lo']);
  // IPv6 has no bind() to an address that only a local route makes ours.
  await client.sysctl({ 'net/ipv6/ip_nonlocal_bind': 1 });
  await director.ip([
    `route add 10.20.0.0/16 via ${client.ip4}`,
    `route add 2001:db8:100::/48 via ${client.ip6}`,
  ]);
}

/** The nth IPv4 client (from 0): its last two bytes are those of n + 1. */
export function manyClients4(n: number): string {
  const host = n + 1;
  return `10.20.${(host >> 8) & 0xff}.${host & 0xff}`;
}

/** The nth IPv6 client; each in a /64 of its own. */
export function manyClients6(n: number): string {
  return `2001:db8:100:${(n + 1).toString(16)}::1`;
}
