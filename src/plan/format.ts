import { formatObjectRef } from '../api/index.ts';
import { formatCidr } from '../base/index.ts';
import { formatRealServerKey, formatVirtualServiceKey, serviceFlags } from '../ipvs/pure.ts';
import type { IpvsOperation, RealServerConfig, VirtualServiceConfig } from '../ipvs/pure.ts';
import type { PacketRules, VipClaim } from '../link/pure.ts';
import type { Change, ChangePlan, ChangeReason, DrainRecord } from './types.ts';
import { hasWitness } from './witness.ts';

/** Changes as `lvs-operator plan` prints them: `+` adds, `~` changes in place, `-` takes away. */

const reasons: Readonly<Record<ChangeReason, string>> = {
  New: 'new',
  Changed: 'changed',
  Drift: 'changed by other hands, repaired',
  Adopted: 'found in the kernel, taken over',
  Quiesced: 'no new connections',
  Restored: 'in service again',
  Drained: 'drained',
  DrainDeadline: 'drain deadline passed',
  Removed: 'no longer wanted',
  FallbackWhileQuiesced: 'hash fallback while a server is quiesced',
};

/** One line without a line break. */
export function formatChange(change: Change): string {
  switch (change.type) {
    case 'setSysctl':
      return `~ sysctl ${change.path} = ${change.value} (was ${change.was ?? 'unreadable'})`;
    case 'setPacketRules':
      return `~ packet rules: ${countRules(change.rules)}`;
    case 'bindVip':
      return `+ address ${change.binding.vip} on ${change.binding.device}${change.binding.announce ? ', announced' : ''}`;
    case 'releaseVip':
      return `- address ${change.binding.vip} on ${change.binding.device}`;
    case 'ipvs': {
      const owner = change.owner === undefined ? '' : `${formatObjectRef(change.owner)}: `;
      return `${formatOperation(change.operation)}  (${owner}${reasons[change.reason]})`;
    }
  }
}

/** The plan as a person reads it, one line per entry; empty plans say so. */
export function formatPlan(plan: Pick<ChangePlan, 'changes' | 'drains' | 'held'>): readonly string[] {
  const lines = plan.changes.map(formatChange);
  if (plan.held !== undefined) {
    lines.push(
      `! ${plan.held.keys.length} entries would go; held until a second list agrees: ${plan.held.keys.slice(0, 3).join(', ')}` +
        (plan.held.keys.length > 3 ? ', …' : ''),
    );
  }
  for (const drain of plan.drains) lines.push(formatDrain(drain));
  return lines.length === 0 ? ['No changes: the kernel is as it should be.'] : lines;
}

export function formatDrain({ service, realServer, deadlineMs, reason }: DrainRecord): string {
  return `… ${service} -> ${realServer} drains until ${new Date(deadlineMs).toISOString()} at the latest (${reason})`;
}

function formatOperation(operation: IpvsOperation): string {
  const service = formatVirtualServiceKey(operation.service);
  switch (operation.type) {
    case 'addVirtualService':
      return `+ ${service} ${formatServiceConfig(operation.config)}`;
    case 'editVirtualService':
      return `~ ${service} ${formatServiceConfig(operation.config)}`;
    case 'deleteVirtualService':
      return `- ${service}`;
    case 'addRealServer':
      return `+ ${service} -> ${formatRealServerKey(operation.realServer)} ${formatServerConfig(operation.config)}`;
    case 'editRealServer':
      return `~ ${service} -> ${formatRealServerKey(operation.realServer)} ${formatServerConfig(operation.config)}`;
    case 'deleteRealServer':
      return `- ${service} -> ${formatRealServerKey(operation.realServer)}`;
  }
}

/** `wlc persistent 300s one-packet fallback`, in the words of ipvsadm where it has some. */
export function formatServiceConfig(config: VirtualServiceConfig): string {
  const words = [config.scheduler];
  if ((config.flags & serviceFlags.PERSISTENT) !== 0) {
    words.push(`persistent ${config.persistenceTimeoutSeconds}s /${config.persistencePrefixLength}`);
  }
  if ((config.flags & serviceFlags.ONEPACKET) !== 0) words.push('one-packet');
  if ((config.flags & serviceFlags.SCHED1) !== 0) words.push('fallback');
  if ((config.flags & serviceFlags.SCHED2) !== 0) words.push('port-hash');
  if (!hasWitness(config)) words.push('(without our witness)');
  return words.join(' ');
}

/** `NAT weight 100`, `TUN GUE:6080 weight 50 thresholds 1000/750`. */
export function formatServerConfig(config: RealServerConfig): string {
  const { forwarding, tunnel, weight, upperThreshold, lowerThreshold } = config;
  const wrapping = tunnel === undefined ? '' : ` ${tunnel.type}${tunnel.port === 0 ? '' : `:${tunnel.port}`}`;
  const thresholds = upperThreshold === 0 ? '' : ` thresholds ${upperThreshold}/${lowerThreshold}`;
  return `${forwarding}${wrapping} weight ${weight}${thresholds}`;
}

function countRules({ vips, claims, sourceNat, mssClamps }: PacketRules): string {
  const parts = [
    `${vips.length} guarded addresses`,
    `${claims.length} open ports`,
    `${claims.filter(({ mark }) => mark !== undefined).length} marks`,
    `${sourceNat.length} source NAT`,
    `${mssClamps.length} MSS clamps`,
  ];
  return parts.join(', ');
}

/** `TCP 192.0.2.1:80-90 from 198.51.100.0/24 mark 0x4c560001`, for explanations of a claim. */
export function formatClaim({ vip, protocol, port, endPort, sourceRanges, mark }: VipClaim): string {
  const ports = port === endPort ? `${port}` : `${port}-${endPort}`;
  const from = sourceRanges.length === 0 ? '' : ` from ${sourceRanges.map(formatCidr).join(', ')}`;
  return `${protocol} ${vip} port ${ports}${from}${mark === undefined ? '' : ` mark 0x${mark.toString(16)}`}`;
}
