import type { AttributeNames, MessageReader, NetlinkNames } from '../netlink/pure.ts';
import * as uapi from './rtnetlink-uapi.ts';

const messages: Readonly<Record<number, string>> = {
  [uapi.RTM_NEWLINK]: 'RTM_NEWLINK',
  [uapi.RTM_DELLINK]: 'RTM_DELLINK',
  [uapi.RTM_GETLINK]: 'RTM_GETLINK',
  [uapi.RTM_NEWADDR]: 'RTM_NEWADDR',
  [uapi.RTM_DELADDR]: 'RTM_DELADDR',
  [uapi.RTM_GETADDR]: 'RTM_GETADDR',
};

const link: AttributeNames = {
  [uapi.IFLA_ADDRESS]: { name: 'ADDRESS' },
  [uapi.IFLA_IFNAME]: { name: 'IFNAME', as: 'text' },
  [uapi.IFLA_MTU]: { name: 'MTU', as: 'u32' },
  [uapi.IFLA_LINKINFO]: { name: 'LINKINFO', nested: { [uapi.IFLA_INFO_KIND]: { name: 'KIND', as: 'text' } } },
};

const address: AttributeNames = {
  [uapi.IFA_ADDRESS]: { name: 'ADDRESS', as: 'ip' },
  [uapi.IFA_LOCAL]: { name: 'LOCAL', as: 'ip' },
  [uapi.IFA_CACHEINFO]: { name: 'CACHEINFO' },
  [uapi.IFA_FLAGS]: { name: 'FLAGS', as: 'u32' },
  [uapi.IFA_PROTO]: { name: 'PROTO', as: 'u8' },
};

/** Names for NETLINK_DEBUG, as in include/uapi/linux/rtnetlink.h and if_addr.h. */
export const rtnetlinkNames: NetlinkNames = {
  messageName: (message) => messages[message.type],
  headerLength: (message) => (isAddress(message) ? uapi.IFADDRMSG_LENGTH : uapi.IFINFOMSG_LENGTH),
  attributes: (message) => (isAddress(message) ? address : link),
};

function isAddress({ type }: MessageReader): boolean {
  return type === uapi.RTM_NEWADDR || type === uapi.RTM_DELADDR || type === uapi.RTM_GETADDR;
}
