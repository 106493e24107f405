import { ipFamily, ipFromBytes, ipToBytes, parseCidr } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import { ipSet } from './ip-set.ts';
import type { IpSet } from './ip-set.ts';

/**
 * Addresses that are never a VIP and never a real server, whatever an AddressPool says. The kernel takes nearly all of
 * them (measured on 6.1: 0.0.0.0, 127.0.0.1, 224.0.0.1 and 169.254.169.254 as virtual services), so the refusal is
 * ours. IPv4-mapped IPv6 never gets this far: `parseIpAddress` does not read it. Networks for documentation are allowed:
 * examples and tests live there.
 */
const reserved: readonly (readonly [why: string, ...cidrs: string[]])[] = [
  ['is not a host address ("this network", RFC 791)', '0.0.0.0/8'],
  ['is unspecified', '::/128'],
  ['is loopback', '127.0.0.0/8', '::1/128'],
  ['is link-local', '169.254.0.0/16', 'fe80::/10'],
  ['is multicast', '224.0.0.0/4', 'ff00::/8'],
  ['is broadcast', '255.255.255.255/32'],
  ['is reserved (class E)', '240.0.0.0/4'],
  ['is an IPv4 address in disguise (IPv4-compatible IPv6)', '::/96'],
  ['is an IPv4 address in disguise (IPv4-translated IPv6)', '::ffff:0:0:0/96'],
  ['is an IPv4 address in disguise (Teredo)', '2001::/32'],
  ['is an IPv4 address in disguise (local NAT64)', '64:ff9b:1::/48'],
  ['is site-local, which is no longer in use (RFC 3879)', 'fec0::/10'],
  ['is discard-only (RFC 6666)', '100::/64'],
  [
    'is the metadata service of a cloud',
    '100.100.100.200/32',
    '168.63.129.16/32',
    '192.0.0.192/32',
    'fd00:ec2::254/128',
    'fd20:ce::254/128',
  ],
];

interface ReservedGroup {
  readonly why: string;
  readonly set: IpSet;
}

const groups: readonly ReservedGroup[] = reserved.map(([why, ...cidrs]) => ({
  why,
  set: ipSet(cidrs.map(parseCidr)),
}));
/** All groups in one: nearly every address that is asked for is in none of them. */
const anyGroup = ipSet(reserved.flatMap(([, ...cidrs]) => cidrs.map(parseCidr)));

/** Why an address is always refused, as the rest of a sentence (`is loopback`); undefined when it is not. */
export function reservedReason(ip: IpAddress): string | undefined {
  if (anyGroup.has(ip)) return groups.find(({ set }) => set.has(ip))?.why;
  if (ipFamily(ip) === 'IPv4') return undefined;
  const embedded = embeddedIpv4(ip);
  if (embedded === undefined) return undefined;
  const why = reservedReason(embedded.ip);
  return why === undefined ? undefined : `carries ${embedded.ip} (${embedded.how}), which ${why}`;
}

/** The IPv4 address that a translator or tunnel would make of an IPv6 address, if it is one of those. */
export function embeddedIpv4(ip: IpAddress): { readonly ip: IpAddress; readonly how: string } | undefined {
  const bytes = ipToBytes(ip);
  if (bytes.length === 4) return undefined;
  const at = (offset: number) => ipFromBytes(bytes.subarray(offset, offset + 4));
  if (startsWith(bytes, [0x20, 0x02])) return { ip: at(2), how: '6to4' };
  if (startsWith(bytes, [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]))
    return { ip: at(12), how: 'NAT64' };
  const isIsatap =
    (bytes[8] === 0x00 || bytes[8] === 0x02) && startsWith(bytes.subarray(9), [0x00, 0x5e, 0xfe]);
  return isIsatap ? { ip: at(12), how: 'ISATAP' } : undefined;
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, index) => bytes[index] === byte);
}
