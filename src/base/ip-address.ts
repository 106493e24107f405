import { isIP } from 'node:net';
import { assert } from './assert.ts';
import { LvsError } from './errors.ts';

/**
 * IP addresses as canonical text: dotted decimal without leading zeros for IPv4, RFC 5952 for IPv6. Canonical text
 * compares, hashes and prints as itself, so it serves as a map key everywhere. Only the functions here make one.
 *
 * IPv4-mapped IPv6 (`::ffff:192.0.2.1`) is refused rather than folded: in a policy check the two spellings of one
 * address are how CVE-2021-25737 style bypasses begin.
 */
export type IpAddress = string & { readonly __ipAddress: never };
export type IpFamily = 'IPv4' | 'IPv6';

/** A network: `address` has every bit below the prefix cleared. */
export interface Cidr {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** Inclusive on both ends, both of one family, first ≤ last. */
export interface IpRange {
  readonly first: IpAddress;
  readonly last: IpAddress;
}

export function ipFamily(ip: IpAddress): IpFamily {
  return ip.includes(':') ? 'IPv6' : 'IPv4';
}

/** Bits of an address of that family: 32 or 128. */
export function ipBits(family: IpFamily): 32 | 128 {
  return family === 'IPv4' ? 32 : 128;
}

/**
 * Reads one address. Refuses what `inet_aton` would take but people misread (octal, hex, short forms), zone
 * identifiers and IPv4-mapped IPv6.
 * @throws LvsError LVS_ADDRESS_INVALID
 */
export function parseIpAddress(text: string): IpAddress {
  const kind = isIP(text);
  if (kind === 4) return text as IpAddress;
  if (kind === 6 && !text.includes('%')) {
    const bytes = parseIpv6Bytes(text);
    if (isIpv4Mapped(bytes)) {
      throw new LvsError(
        'LVS_ADDRESS_INVALID',
        `"${text}" is an IPv4-mapped IPv6 address; write the IPv4 address.`,
      );
    }
    return formatIpv6(bytes);
  }
  throw new LvsError('LVS_ADDRESS_INVALID', `"${text.slice(0, 64)}" is not an IP address.`);
}

/** The address, or undefined where `parseIpAddress` would throw. */
export function tryParseIpAddress(text: string): IpAddress | undefined {
  try {
    return parseIpAddress(text);
  } catch {
    return undefined;
  }
}

/** 4 or 16 bytes in network order. */
export function ipToBytes(ip: IpAddress): Uint8Array {
  return ip.includes(':') ? parseIpv6Bytes(ip) : Uint8Array.from(ip.split('.'), Number);
}

/** @param bytes 4 or 16 bytes in network order (a view is fine; it is not kept). */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as IpAddress;
  if (bytes.length === 16) return formatIpv6(bytes);
  throw new LvsError('LVS_ADDRESS_INVALID', `An IP address has 4 or 16 bytes, not ${bytes.length}.`);
}

/** The address as a number in 0..2^32 or 0..2^128, for ranges and ordering. */
export function ipToBigInt(ip: IpAddress): bigint {
  let value = 0n;
  for (const byte of ipToBytes(ip)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** @param value 0 to the last address of the family; others are our own mistake. */
export function ipFromBigInt(value: bigint, family: IpFamily): IpAddress {
  assert(value >= 0n && value >> BigInt(ipBits(family)) === 0n, `${value} is no ${family} address`);
  const bytes = new Uint8Array(ipBits(family) / 8);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return ipFromBytes(bytes);
}

/**
 * `192.0.2.0/24`, `2001:db8::/32`, or a bare address (a host prefix). Host bits below the prefix are refused, as
 * they are nearly always a typing mistake.
 * @throws LvsError LVS_ADDRESS_INVALID
 */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/');
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  const bits = ipBits(ipFamily(address));
  if (slash < 0) return { address, prefixLength: bits };
  const lengthText = text.slice(slash + 1);
  const prefixLength = Number(lengthText);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(lengthText) || prefixLength > bits) {
    throw new LvsError('LVS_ADDRESS_INVALID', `"${text}": the prefix length must be 0 to ${bits}.`);
  }
  const network = maskAddress(address, prefixLength);
  if (network !== address) {
    throw new LvsError(
      'LVS_ADDRESS_INVALID',
      `"${text}" has host bits set; did you mean ${network}/${prefixLength}?`,
    );
  }
  return { address, prefixLength };
}

export function formatCidr(cidr: Cidr): string {
  return `${cidr.address}/${cidr.prefixLength}`;
}

/** Clears every bit of `ip` below `prefixLength`. */
export function maskAddress(ip: IpAddress, prefixLength: number): IpAddress {
  const bytes = ipToBytes(ip);
  for (let i = 0; i < bytes.length; i++) {
    const keep = Math.min(8, Math.max(0, prefixLength - i * 8));
    bytes[i] = (bytes[i] ?? 0) & (0xff << (8 - keep)) & 0xff;
  }
  return ipFromBytes(bytes);
}

export function isInCidr(ip: IpAddress, cidr: Cidr): boolean {
  if (ipFamily(ip) !== ipFamily(cidr.address)) return false;
  const a = ipToBytes(ip);
  const b = ipToBytes(cidr.address);
  for (let i = 0, left = cidr.prefixLength; left > 0; i++, left -= 8) {
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if ((((a[i] ?? 0) ^ (b[i] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}

/**
 * A CIDR, a bare address, or `first-last`. A CIDR covers all of its addresses, network and broadcast included:
 * a VIP is a host route, not a member of a subnet.
 * @throws LvsError LVS_ADDRESS_INVALID
 */
export function parseIpRange(text: string): IpRange {
  const dash = text.indexOf('-');
  if (dash >= 0) {
    const first = parseIpAddress(text.slice(0, dash).trim());
    const last = parseIpAddress(text.slice(dash + 1).trim());
    if (ipFamily(first) !== ipFamily(last)) {
      throw new LvsError('LVS_ADDRESS_INVALID', `"${text}" mixes IPv4 and IPv6.`);
    }
    if (ipToBigInt(first) > ipToBigInt(last)) {
      throw new LvsError('LVS_ADDRESS_INVALID', `"${text}" ends before it begins.`);
    }
    return { first, last };
  }
  const cidr = parseCidr(text);
  const family = ipFamily(cidr.address);
  const first = ipToBigInt(cidr.address);
  const size = 1n << BigInt(ipBits(family) - cidr.prefixLength);
  return { first: cidr.address, last: ipFromBigInt(first + size - 1n, family) };
}

export function isInIpRange(ip: IpAddress, range: IpRange): boolean {
  if (ipFamily(ip) !== ipFamily(range.first)) return false;
  const value = ipToBigInt(ip);
  return ipToBigInt(range.first) <= value && value <= ipToBigInt(range.last);
}

/** Orders IPv4 before IPv6, then by value. */
export function compareIpAddresses(a: IpAddress, b: IpAddress): number {
  const left = ipToBytes(a);
  const right = ipToBytes(b);
  if (left.length !== right.length) return left.length - right.length;
  for (let i = 0; i < left.length; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function isIpv4Mapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

/** @param text an address for which `isIP` already said 6. */
function parseIpv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const gap = text.indexOf('::');
  const head = parseIpv6Groups(gap < 0 ? text : text.slice(0, gap));
  const tail = gap < 0 ? [] : parseIpv6Groups(text.slice(gap + 2));
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function parseIpv6Groups(text: string): number[] {
  const bytes: number[] = [];
  if (text === '') return bytes;
  for (const group of text.split(':')) {
    if (group.includes('.')) {
      bytes.push(...group.split('.').map(Number));
    } else {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups becomes `::`. */
function formatIpv6(bytes: Uint8Array): IpAddress {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(':') as IpAddress;
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}` as IpAddress;
}
