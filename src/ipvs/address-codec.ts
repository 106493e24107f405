import { ipFromBytes, ipToBytes } from '../base/index.ts';
import type { IpAddress, IpFamily } from '../base/index.ts';
import type { MessageWriter } from '../netlink/pure.ts';
import { AF_INET, AF_INET6 } from './uapi.ts';

export function familyNumber(family: IpFamily): number {
  return family === 'IPv4' ? AF_INET : AF_INET6;
}

/** Undefined for a family that IPVS does not know. */
export function familyFromNumber(value: number): IpFamily | undefined {
  if (value === AF_INET) return 'IPv4';
  return value === AF_INET6 ? 'IPv6' : undefined;
}

/** 4 or 16 bytes in network order. IPv4, the bulk of every table, is written without allocating. */
export function encodeAddress(writer: MessageWriter, type: number, ip: IpAddress): void {
  if (ip.includes(':')) {
    writer.attributeBytes(type, ipToBytes(ip));
    return;
  }
  let value = 0;
  let octet = 0;
  for (let i = 0; i < ip.length; i++) {
    const digit = ip.charCodeAt(i) - 0x30;
    if (digit >= 0) {
      octet = octet * 10 + digit;
    } else {
      value = value * 256 + octet;
      octet = 0;
    }
  }
  writer.attributeU32be(type, value * 256 + octet);
}

/**
 * The kernel answers with 16 bytes for both families, an IPv4 address in the first four (union nf_inet_addr).
 * @param bytes exactly 16
 */
export function decodeAddress(bytes: Uint8Array, family: IpFamily): IpAddress {
  return ipFromBytes(family === 'IPv4' ? bytes.subarray(0, 4) : bytes);
}
