import { ipFamily, ipToBytes } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';

/**
 * The two Ethernet frames that tell a subnet "this address lives here now": gratuitous ARP for IPv4, an unsolicited
 * neighbour advertisement for IPv6. Neighbours that know the address move their entry at once; those that do not
 * keep knowing nothing.
 */

// include/uapi/linux/if_ether.h
const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
const ETH_ALEN = 6;

const IPPROTO_ICMPV6 = 58;
/** RFC 4861, section 4.4. */
const ND_NEIGHBOR_ADVERT = 136;
const ND_OPT_TARGET_LL_ADDR = 2;
/** "Replace what you have": the Override flag. Not Solicited, and not Router, as a VIP is no router's address. */
const ND_NA_FLAG_OVERRIDE = 0x20;

/** RFC 5227: op 1 (request) with sender = target; both ops move an entry, some switches look at requests only. */
const ARP_OP_REQUEST = 1;

const broadcastAddress = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
/** Ethernet form of ff02::1, all nodes (RFC 2464, section 7). */
const allNodesAddress = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);
const allNodes = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

export interface AnnouncementFrame {
  /** Ethernet type in host order, for the sockaddr_ll. */
  readonly etherType: number;
  readonly bytes: Uint8Array;
}

/**
 * @param hardwareAddress 6 bytes, of the link that now holds the VIP
 * @returns 42 bytes of gratuitous ARP or 86 bytes of neighbour advertisement
 */
export function encodeAnnouncement(vip: IpAddress, hardwareAddress: Uint8Array): AnnouncementFrame {
  return ipFamily(vip) === 'IPv4'
    ? { etherType: ETH_P_ARP, bytes: encodeGratuitousArp(ipToBytes(vip), hardwareAddress) }
    : { etherType: ETH_P_IPV6, bytes: encodeNeighbourAdvertisement(ipToBytes(vip), hardwareAddress) };
}

/**
 * ```
 *  0 ff ff ff ff ff ff | MAC | 08 06         Ethernet
 * 14 00 01 08 00 06 04 00 01                 Ethernet, IPv4, lengths, request
 * 22 MAC VIP | ff ff ff ff ff ff VIP         sender, target
 * ```
 */
function encodeGratuitousArp(vip: Uint8Array, hardwareAddress: Uint8Array): Uint8Array {
  const frame = new Uint8Array(42);
  writeEthernetHeader(frame, broadcastAddress, hardwareAddress, ETH_P_ARP);
  frame.set([0, 1, 0x08, 0x00, ETH_ALEN, 4, 0, ARP_OP_REQUEST], 14);
  frame.set(hardwareAddress, 22);
  frame.set(vip, 28);
  frame.set(broadcastAddress, 32);
  frame.set(vip, 38);
  return frame;
}

/**
 * ```
 *  0 33 33 00 00 00 01 | MAC | 86 dd         Ethernet
 * 14 60 .. length 32, ICMPv6, hop limit 255  IPv6; neighbours drop any other hop limit
 * 22 VIP | ff02::1
 * 54 88 00 checksum | 20 00 00 00 | VIP      neighbour advertisement
 * 78 02 01 MAC                               target link-layer address
 * ```
 */
function encodeNeighbourAdvertisement(vip: Uint8Array, hardwareAddress: Uint8Array): Uint8Array {
  const frame = new Uint8Array(86);
  writeEthernetHeader(frame, allNodesAddress, hardwareAddress, ETH_P_IPV6);
  frame.set([0x60, 0, 0, 0, 0, 32, IPPROTO_ICMPV6, 255], 14);
  frame.set(vip, 22);
  frame.set(allNodes, 38);
  frame.set([ND_NEIGHBOR_ADVERT, 0, 0, 0, ND_NA_FLAG_OVERRIDE], 54);
  frame.set(vip, 62);
  frame.set([ND_OPT_TARGET_LL_ADDR, 1], 78);
  frame.set(hardwareAddress, 80);
  new DataView(frame.buffer).setUint16(56, computeIcmpv6Checksum(frame.subarray(22, 54), frame.subarray(54)));
  return frame;
}

function writeEthernetHeader(
  frame: Uint8Array,
  destination: Uint8Array,
  source: Uint8Array,
  etherType: number,
): void {
  frame.set(destination, 0);
  frame.set(source, ETH_ALEN);
  new DataView(frame.buffer).setUint16(12, etherType);
}

/** RFC 8200, section 8.1: over source, destination, length, next header and the message with a checksum of 0. */
function computeIcmpv6Checksum(addresses: Uint8Array, message: Uint8Array): number {
  let sum = message.length + IPPROTO_ICMPV6 + sumWords(addresses) + sumWords(message);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** @param bytes an even number of them */
function sumWords(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  return sum;
}
