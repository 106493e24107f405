import { ipBits, ipFamily, ipFromBytes, ipToBytes } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../netlink/pure.ts';
import type { AttributeReader, MessageReader, MessageWriter } from '../netlink/pure.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  IFADDRMSG_LENGTH,
  IFA_ADDRESS,
  IFA_CACHEINFO,
  IFA_FLAGS,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_TENTATIVE,
  IFA_LOCAL,
  IFA_PROTO,
  IFF_LOOPBACK,
  IFF_NOARP,
  IFF_RUNNING,
  IFF_UP,
  IFINFOMSG_LENGTH,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  INFINITY_LIFE_TIME,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RT_SCOPE_UNIVERSE,
} from './rtnetlink-uapi.ts';
import { vipAddressProtocol } from './types.ts';
import type { ObservedAddress, ObservedLink } from './types.ts';

/**
 * Links and addresses as rtnetlink messages. Requests are values; the connection adds sequence numbers, sends them and
 * hands the answers to the decoders here.
 */

/** What NetlinkConnection sends; structural, so that this file needs no socket. */
export interface RouteRequest {
  readonly operation: string;
  readonly subject: string;
  readonly type: number;
  readonly flags?: number;
  encode(writer: MessageWriter): void;
}

/** Addresses carry the index of their link, not its name. */
export type IndexedAddress = Omit<ObservedAddress, 'device'> & { readonly linkIndex: number };

export const listLinksRequest: RouteRequest = {
  operation: 'RTM_GETLINK',
  subject: 'all links',
  type: RTM_GETLINK,
  encode: (writer) => writeLinkHeader(writer, { index: 0, flags: 0, change: 0 }),
};

export const listAddressesRequest: RouteRequest = {
  operation: 'RTM_GETADDR',
  subject: 'all addresses',
  type: RTM_GETADDR,
  encode: (writer) =>
    writeAddressHeader(writer, { family: AF_UNSPEC, prefixLength: 0, flags: 0, linkIndex: 0 }),
};

export function addDummyLinkRequest(name: string): RouteRequest {
  return {
    operation: 'RTM_NEWLINK',
    subject: name,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    encode: (writer) => {
      // Created up: one request, and no moment in between.
      writeLinkHeader(writer, { index: 0, flags: IFF_UP, change: IFF_UP });
      writer.attributeString(IFLA_IFNAME, name);
      const info = writer.beginNested(IFLA_LINKINFO);
      writer.attributeString(IFLA_INFO_KIND, 'dummy');
      writer.endNested(info);
    },
  };
}

export function setLinkUpRequest(link: Pick<ObservedLink, 'index' | 'name'>): RouteRequest {
  return {
    operation: 'RTM_NEWLINK',
    subject: link.name,
    type: RTM_NEWLINK,
    encode: (writer) => writeLinkHeader(writer, { index: link.index, flags: IFF_UP, change: IFF_UP }),
  };
}

export function deleteLinkRequest(link: Pick<ObservedLink, 'index' | 'name'>): RouteRequest {
  return {
    operation: 'RTM_DELLINK',
    subject: link.name,
    type: RTM_DELLINK,
    encode: (writer) => writeLinkHeader(writer, { index: link.index, flags: 0, change: 0 }),
  };
}

/**
 * A VIP as a host address, marked as ours (IFA_PROTO, kept by Linux 5.18 and later, ignored before). IPv6: without
 * duplicate address detection, which would keep it silent for two seconds, and never preferred, so that the host
 * does not choose it as the source of its own connections.
 */
export function addVipRequest(vip: IpAddress, link: Pick<ObservedLink, 'index' | 'name'>): RouteRequest {
  const isIpv6 = ipFamily(vip) === 'IPv6';
  return {
    operation: 'RTM_NEWADDR',
    subject: `${vip} on ${link.name}`,
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    encode: (writer) => {
      const flags = isIpv6 ? IFA_F_NODAD | IFA_F_NOPREFIXROUTE : IFA_F_NOPREFIXROUTE;
      writeHostAddress(writer, vip, link.index);
      writer.attributeU32(IFA_FLAGS, flags);
      writer.attributeU8(IFA_PROTO, vipAddressProtocol);
      if (isIpv6) {
        // struct ifa_cacheinfo: preferred, valid, created, updated.
        const start = writer.beginAttribute(IFA_CACHEINFO);
        writer.u32(0);
        writer.u32(INFINITY_LIFE_TIME);
        writer.u32(0);
        writer.u32(0);
        writer.endAttribute(start);
      }
    },
  };
}

export function deleteVipRequest(vip: IpAddress, link: Pick<ObservedLink, 'index' | 'name'>): RouteRequest {
  return {
    operation: 'RTM_DELADDR',
    subject: `${vip} on ${link.name}`,
    type: RTM_DELADDR,
    encode: (writer) => writeHostAddress(writer, vip, link.index),
  };
}

/** @returns undefined for a message that is no link */
export function decodeLink(message: MessageReader): ObservedLink | undefined {
  if (message.type !== RTM_NEWLINK) return undefined;
  const index = message.i32(4);
  const flags = message.u32(8);
  let name = '';
  let kind: string | undefined;
  let mtu = 0;
  let hardwareAddress: Uint8Array = new Uint8Array(0);
  const attributes = message.attributes(IFINFOMSG_LENGTH, 'RTM_NEWLINK');
  while (attributes.next()) {
    if (attributes.type === IFLA_IFNAME) name = attributes.string('IFLA_IFNAME');
    else if (attributes.type === IFLA_MTU) mtu = attributes.u32('IFLA_MTU');
    else if (attributes.type === IFLA_ADDRESS) hardwareAddress = attributes.bytes('IFLA_ADDRESS').slice();
    else if (attributes.type === IFLA_LINKINFO) kind = decodeKind(attributes.nested('IFLA_LINKINFO'));
  }
  return {
    index,
    name,
    kind,
    mtu,
    isUp: (flags & IFF_UP) !== 0,
    hasCarrier: (flags & IFF_RUNNING) !== 0,
    isLoopback: (flags & IFF_LOOPBACK) !== 0,
    hasArp: (flags & (IFF_NOARP | IFF_LOOPBACK)) === 0,
    hardwareAddress,
  };
}

function decodeKind(info: AttributeReader): string | undefined {
  while (info.next()) {
    if (info.type === IFLA_INFO_KIND) return info.string('IFLA_INFO_KIND');
  }
  return undefined;
}

/** @returns undefined for a message that is no IPv4 or IPv6 address */
export function decodeAddress(message: MessageReader): IndexedAddress | undefined {
  const family = message.type === RTM_NEWADDR ? message.u8(0) : AF_UNSPEC;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const addressLength = family === AF_INET ? 4 : 16;
  const prefixLength = message.u8(1);
  let flags = message.u8(2);
  const linkIndex = message.u32(4);
  let local: IpAddress | undefined;
  let address: IpAddress | undefined;
  let protocol = 0;
  const attributes = message.attributes(IFADDRMSG_LENGTH, 'RTM_NEWADDR');
  while (attributes.next()) {
    if (attributes.type === IFA_LOCAL) local = ipFromBytes(attributes.bytes('IFA_LOCAL', addressLength));
    else if (attributes.type === IFA_ADDRESS) {
      address = ipFromBytes(attributes.bytes('IFA_ADDRESS', addressLength));
    } else if (attributes.type === IFA_FLAGS) flags = attributes.u32('IFA_FLAGS');
    else if (attributes.type === IFA_PROTO) protocol = attributes.u8('IFA_PROTO');
  }
  // On a point-to-point link IFA_ADDRESS is the peer and IFA_LOCAL is ours; IPv6 sends IFA_ADDRESS alone otherwise.
  const ip = local ?? address;
  if (ip === undefined) return undefined;
  return {
    ip,
    prefixLength,
    linkIndex,
    family: ipFamily(ip),
    protocol,
    isTentative: (flags & IFA_F_TENTATIVE) !== 0,
  };
}

function writeHostAddress(writer: MessageWriter, vip: IpAddress, linkIndex: number): void {
  const family = ipFamily(vip);
  writeAddressHeader(writer, {
    family: family === 'IPv4' ? AF_INET : AF_INET6,
    prefixLength: ipBits(family),
    flags: 0,
    linkIndex,
  });
  writer.attributeBytes(IFA_LOCAL, ipToBytes(vip));
}

/** struct ifinfomsg. */
function writeLinkHeader(
  writer: MessageWriter,
  { index, flags, change }: { index: number; flags: number; change: number },
): void {
  writer.u8(AF_UNSPEC);
  writer.u8(0);
  writer.u16(0);
  writer.i32(index);
  writer.u32(flags);
  writer.u32(change);
}

/** struct ifaddrmsg. */
function writeAddressHeader(
  writer: MessageWriter,
  header: { family: number; prefixLength: number; flags: number; linkIndex: number },
): void {
  writer.u8(header.family);
  writer.u8(header.prefixLength);
  writer.u8(header.flags);
  writer.u8(RT_SCOPE_UNIVERSE);
  writer.u32(header.linkIndex);
}
