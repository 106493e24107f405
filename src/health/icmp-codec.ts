import type { IpFamily } from '../base/index.ts';

/** ICMP echo (RFC 792, RFC 4443) as a raw socket sends and receives it. */
const echo = {
  IPv4: { request: 8, reply: 0 },
  IPv6: { request: 128, reply: 129 },
} as const;
const headerBytes = 8;
/** Enough that a reply cannot be mistaken for one to another program's request. */
const payload = new TextEncoder().encode('lvs-operator health probe');

export interface EchoId {
  readonly id: number;
  readonly sequence: number;
}

/** The kernel fills in the checksum of IPv6 (RFC 3542, section 3.1); that of IPv4 is ours. */
export function encodeEchoRequest(family: IpFamily, { id, sequence }: EchoId): Uint8Array {
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = echo[family].request;
  view.setUint16(4, id);
  view.setUint16(6, sequence);
  bytes.set(payload, headerBytes);
  if (family === 'IPv4') view.setUint16(2, internetChecksum(bytes));
  return bytes;
}

/** Whose reply a received packet is; undefined: none of ours. A raw IPv4 socket delivers the IP header too. */
export function decodeEchoReply(family: IpFamily, packet: Uint8Array): EchoId | undefined {
  const start = family === 'IPv4' ? ((packet[0] ?? 0) & 0x0f) * 4 : 0;
  const bytes = packet.subarray(start);
  if (bytes.length < headerBytes + payload.length || bytes[0] !== echo[family].reply || bytes[1] !== 0)
    return undefined;
  if (payload.some((byte, index) => bytes[headerBytes + index] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { id: view.getUint16(4), sequence: view.getUint16(6) };
}

/** RFC 1071. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
