/**
 * link, the pure half: what a director wants of its host besides the IPVS table, as data.
 *
 * Owns the vocabulary of VIP bindings, packet rules and sysctl profiles, their normal form and equality, the text of
 * our netfilter chains and the way back from it, the frames that announce a VIP, and the choice of uplink. Promises
 * that equal wishes are equal data. Refuses to know services, schedulers or manifests: `plan` derives wishes from those.
 */
export { encodeAnnouncement } from './announcement-frames.ts';
export type { AnnouncementFrame } from './announcement-frames.ts';
export { emptyPacketRules, isSamePacketRules, normalizePacketRules } from './packet-rules.ts';
export { readRuleTables } from './read-rules.ts';
export { renderRuleTables } from './rule-tables.ts';
export type { Jump, RuleTable, RuleTables, TableName } from './rule-tables.ts';
export { formatRestore, isSameRuleTables, parseSavedRules } from './saved-rules.ts';
export { computeSysctlProfile, expireNodestConnPath } from './sysctl-profile.ts';
export type { SysctlNeeds } from './sysctl-profile.ts';
export { routedVipDevice, vipAddressProtocol } from './types.ts';
export type {
  MssClamp,
  ObservedAddress,
  ObservedLink,
  ObservedUplink,
  PacketRules,
  SourceNatRule,
  SysctlProfile,
  VipBinding,
  VipClaim,
  VipOutcome,
} from './types.ts';
export { computeUplinks, findUplink } from './uplinks.ts';
