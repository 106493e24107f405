import { ipBits, ipFamily, parseCidr, tryParseIpAddress } from '../base/index.ts';
import type { Cidr, IpAddress, IpFamily } from '../base/index.ts';
import { normalizePacketRules } from './packet-rules.ts';
import { renderRuleTables } from './rule-tables.ts';
import type { RuleTable, RuleTables } from './rule-tables.ts';
import { isSameRuleTables } from './saved-rules.ts';
import type { MssClamp, PacketRules, SourceNatRule, VipClaim } from './types.ts';

/**
 * From our chains back to the packet rules that they mean. Reading is lenient and then proven: the rules that were
 * understood are rendered again and must give the very same chains, so a rule that somebody added, changed or removed
 * by hand makes the answer "unknown" instead of a wrong one.
 */

type Protocol = VipClaim['protocol'];

/**
 * @returns the rules in normal form, or undefined when the chains are not ones that this version writes
 */
export function readRuleTables(tables: Readonly<Record<IpFamily, RuleTables>>): PacketRules | undefined {
  const vips: IpAddress[] = [];
  const claims: VipClaim[] = [];
  const sourceNat: SourceNatRule[] = [];
  const mssClamps: MssClamp[] = [];
  for (const family of ['IPv4', 'IPv6'] as const) {
    const filter = tables[family].get('filter');
    const mangle = tables[family].get('mangle');
    const nat = tables[family].get('nat');
    for (const [vip, rules] of leafRules(filter, /^-d (\S+) -g (\S+)$/)) {
      vips.push(vip);
      for (const rule of rules) claims.push(...readClaims(vip, rule));
    }
    for (const [vip, rules] of leafRules(mangle, /^-d (\S+) -g (\S+)$/)) {
      for (const rule of rules) claims.push(...readClaims(vip, rule));
    }
    for (const [vip, rules] of leafRules(mangle, /^-s (\S+) -g (\S+)$/)) {
      for (const rule of rules) mssClamps.push(...readMssClamps(vip, rule));
    }
    for (const [vip, rules] of leafRules(nat, /^-m conntrack --ctorigdst (\S+) -g (\S+)$/)) {
      for (const rule of rules) sourceNat.push(...readSourceNat(vip, rule));
    }
  }
  const rules = normalizePacketRules({ vips, claims, sourceNat, mssClamps });
  const isProven =
    isSameRuleTables(renderRuleTables(rules, 'IPv4'), tables.IPv4) &&
    isSameRuleTables(renderRuleTables(rules, 'IPv6'), tables.IPv6);
  return isProven ? rules : undefined;
}

/** Each VIP with the rules of the chain that its host prefix leads to. */
function leafRules(table: RuleTable | undefined, entry: RegExp): [IpAddress, readonly string[]][] {
  const leaves: [IpAddress, readonly string[]][] = [];
  for (const rule of [...(table?.chains.values() ?? [])].flat()) {
    const [, prefix, chain] = entry.exec(rule) ?? [];
    if (prefix === undefined || chain === undefined) continue;
    const [addressText = '', length] = prefix.split('/');
    const vip = tryParseIpAddress(addressText);
    if (vip === undefined || (length !== undefined && Number(length) !== ipBits(ipFamily(vip)))) continue;
    leaves.push([vip, table?.chains.get(chain) ?? []]);
  }
  return leaves;
}

const claimPattern =
  /^(?:-s (\S+) )?-p (tcp|udp|sctp) -m multiport --dports (\S+) -j (?:RETURN|MARK --set-xmark 0x([0-9a-f]+)\/0xffffffff)$/;

function readClaims(vip: IpAddress, rule: string): VipClaim[] {
  const [, source, protocol, ports, mark] = claimPattern.exec(rule) ?? [];
  if (protocol === undefined || ports === undefined) return [];
  const range = source === undefined ? undefined : tryParseCidr(source);
  if (source !== undefined && range === undefined) return [];
  return readPorts(ports).map((interval) => ({
    vip,
    protocol: protocol.toUpperCase() as Protocol,
    ...interval,
    sourceRanges: range === undefined ? [] : [range],
    mark: mark === undefined ? undefined : Number.parseInt(mark, 16),
  }));
}

function readMssClamps(vip: IpAddress, rule: string): MssClamp[] {
  const [, ports, mss] = / --sports (\S+) -j TCPMSS --set-mss (\d+)$/.exec(rule) ?? [];
  if (ports === undefined || mss === undefined) return [];
  return readPorts(ports).map((interval) => ({ vip, ...interval, mss: Number(mss) }));
}

const protocolNames: Readonly<Record<string, Protocol>> = {
  6: 'TCP',
  17: 'UDP',
  132: 'SCTP',
  tcp: 'TCP',
  udp: 'UDP',
  sctp: 'SCTP',
};

function readSourceNat(vip: IpAddress, rule: string): SourceNatRule[] {
  const single = / --vproto (\d+) .*--vport (\d+) /.exec(rule);
  const range = /^-p (\w+) .*--ctorigdstport (\S+) /.exec(rule);
  const [, protocolText = '', ports] = single ?? range ?? [];
  const protocol = protocolNames[protocolText];
  if (protocol === undefined || ports === undefined) return [];
  return readPorts(ports).map((interval) => ({ vip, protocol, ...interval }));
}

function readPorts(list: string): { port: number; endPort: number }[] {
  return list.split(',').map((item) => {
    const [port = '', endPort = port] = item.split(':');
    return { port: Number(port), endPort: Number(endPort) };
  });
}

function tryParseCidr(text: string): Cidr | undefined {
  try {
    return parseCidr(text);
  } catch {
    return undefined;
  }
}
