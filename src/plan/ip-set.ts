import { formatCidr, ipToBytes, parseIpRange } from '../base/index.ts';
import type { Cidr, IpAddress, IpRange } from '../base/index.ts';

/**
 * A set of addresses, made once from networks and ranges and asked thousands of times per pass. IPv4 is compared as a
 * number and IPv6 as 32 hex digits, both several times cheaper than BigInt.
 */
export interface IpSet {
  has(ip: IpAddress): boolean;
  readonly isEmpty: boolean;
}

interface Interval<Bound> {
  readonly first: Bound;
  readonly last: Bound;
}

export function ipSet(cidrs: readonly Cidr[], ranges: readonly IpRange[] = []): IpSet {
  const v4: Interval<number>[] = [];
  const v6: Interval<string>[] = [];
  const add = ({ first, last }: IpRange) => {
    if (first.includes(':')) v6.push({ first: hexOf(first), last: hexOf(last) });
    else v4.push({ first: numberOf(first), last: numberOf(last) });
  };
  for (const cidr of cidrs) add(rangeOfCidr(cidr));
  for (const range of ranges) add(range);
  return {
    isEmpty: v4.length === 0 && v6.length === 0,
    has: (ip) => (ip.includes(':') ? isWithin(v6, hexOf(ip)) : isWithin(v4, numberOf(ip))),
  };
}

/** First and last address of a network. */
export function rangeOfCidr(cidr: Cidr): IpRange {
  return parseIpRange(formatCidr(cidr));
}

function isWithin<Bound extends number | string>(
  intervals: readonly Interval<Bound>[],
  value: Bound,
): boolean {
  for (const { first, last } of intervals) if (first <= value && value <= last) return true;
  return false;
}

/** An IPv4 address as an unsigned number; one pass over the canonical text. */
function numberOf(ip: IpAddress): number {
  let value = 0;
  let octet = 0;
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i);
    if (code === 46) {
      value = value * 256 + octet;
      octet = 0;
    } else {
      octet = octet * 10 + code - 48;
    }
  }
  return value * 256 + octet;
}

/** An IPv6 address as 32 hex digits, which sort as the address does. */
function hexOf(ip: IpAddress): string {
  let hex = '';
  for (const byte of ipToBytes(ip)) hex += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16);
  return hex;
}
