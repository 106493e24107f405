/**
 * link: the host around the IPVS table.
 *
 * Owns VIP addresses (on `lvs0` or on an uplink), their announcement by ARP and neighbour discovery, the packet rules
 * in netfilter chains of our own, and sysctls, and re-exports the pure half. Promises that every change is idempotent
 * and made only where something differs, that no address, chain or rule of anybody else is touched, and that a look
 * every second costs a few system calls. Refuses to decide what is wanted.
 */
export { announcementTimesMs } from './announcer.ts';
export type { StartTimer } from './announcer.ts';
export { openLink } from './link.ts';
export type { Link, LinkOptions } from './link.ts';
export type { NetfilterBackend } from './rule-change-probe.ts';
export type { CommandResult, RunCommand } from './run-command.ts';
export type { SysctlOutcome } from './sysctl.ts';
export {
  computeSysctlProfile,
  computeUplinks,
  emptyPacketRules,
  encodeAnnouncement,
  expireNodestConnPath,
  findUplink,
  formatRestore,
  isSamePacketRules,
  isSameRuleTables,
  normalizePacketRules,
  parseSavedRules,
  readRuleTables,
  renderRuleTables,
  routedVipDevice,
  vipAddressProtocol,
} from './pure.ts';
export type {
  AnnouncementFrame,
  Jump,
  MssClamp,
  ObservedAddress,
  ObservedLink,
  ObservedUplink,
  PacketRules,
  RuleTable,
  RuleTables,
  SourceNatRule,
  SysctlNeeds,
  SysctlProfile,
  TableName,
  VipBinding,
  VipClaim,
  VipOutcome,
} from './pure.ts';
