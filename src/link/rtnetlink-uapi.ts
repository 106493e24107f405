/** Numbers of rtnetlink, one to one with the kernel headers, in their order and under their names. */

// include/linux/socket.h
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

// include/uapi/linux/rtnetlink.h: message types
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

// include/uapi/linux/rtnetlink.h: enum rtnetlink_groups
export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV6_IFADDR = 9;

// include/uapi/linux/rtnetlink.h: enum rt_scope_t
export const RT_SCOPE_UNIVERSE = 0;

// include/uapi/linux/if_link.h
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINKINFO = 18;
export const IFLA_INFO_KIND = 1;

// include/uapi/linux/if.h: enum net_device_flags
export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;

// include/uapi/linux/if_addr.h
export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_CACHEINFO = 6;
export const IFA_FLAGS = 8;
export const IFA_PROTO = 11;
export const IFA_F_NODAD = 0x02;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_NOPREFIXROUTE = 0x200;

/** Lifetime without end, in struct ifa_cacheinfo (net/addrconf.h, INFINITY_LIFE_TIME). */
export const INFINITY_LIFE_TIME = 0xffffffff;

// Sizes of struct ifinfomsg and struct ifaddrmsg.
export const IFINFOMSG_LENGTH = 16;
export const IFADDRMSG_LENGTH = 8;
