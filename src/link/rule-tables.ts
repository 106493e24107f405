import { formatCidr, ipBits, ipFamily } from '../base/index.ts';
import type { Cidr, IpAddress, IpFamily } from '../base/index.ts';
import { computeDispatchTree } from './dispatch-tree.ts';
import { normalizePacketRules } from './packet-rules.ts';
import type { MssClamp, PacketRules, SourceNatRule, VipClaim } from './types.ts';

/**
 * Packet rules as the text of our own chains, one set of tables per family, in the very spelling of `iptables-save`,
 * so that what is wanted and what is there compare as text.
 *
 * | chain     | table  | hooked by one jump in | does                                                            |
 * |-----------|--------|-----------------------|-----------------------------------------------------------------|
 * | LVS-GUARD | filter | INPUT                 | refuses what no virtual service of a VIP claims                 |
 * | LVS-MARK  | mangle | PREROUTING, OUTPUT    | marks the ports of a service with `portGrouping: Together`      |
 * | LVS-MSS   | mangle | FORWARD               | lowers the MSS that a tunnelled server's SYN-ACK offers          |
 * | LVS-SNAT  | nat    | POSTROUTING           | gives NAT traffic an address of the director (`sourceNAT`)      |
 *
 * IPVS takes packets at LOCAL_IN, priority 99 (ip_vs_core.c, ip_vs_ops4), after filter INPUT at 0: the guard sees
 * them first, and returning from it leaves the host's own INPUT rules in charge. Local clients meet IPVS in
 * LOCAL_OUT at -98, after mangle OUTPUT at -150, and never pass the guard on their way out.
 */

export const tableNames = ['filter', 'mangle', 'nat'] as const;
export type TableName = (typeof tableNames)[number];

/** A rule in a chain that is not ours, which sends packets to ours. */
export interface Jump {
  /** `INPUT`, `PREROUTING`, … */
  readonly chain: string;
  /** Matches and target: `-j LVS-GUARD`. */
  readonly rule: string;
}

/** Our part of one table: what others keep there is not in it. */
export interface RuleTable {
  /** Rules by chain, without the leading `-A CHAIN`. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  readonly jumps: readonly Jump[];
}

/** Our part of every table that has one. */
export type RuleTables = ReadonlyMap<TableName, RuleTable>;

/** A chain of ours, in any table. */
export const ownChainPattern = /^LVS-(?:GUARD|MARK|MSS|SNAT)(?:-\d+)?$/;

/** A match of multiport holds 15 ports, a range counting as two (xt_multiport.h, XT_MULTI_PORTS). */
const multiportSlots = 15;
const protocolNumbers = { TCP: 6, UDP: 17, SCTP: 132 } as const;

/** The tables of one family. A table in which nothing is wanted is absent. */
export function renderRuleTables(rules: PacketRules, family: IpFamily): RuleTables {
  const isOfFamily = ({ vip }: { readonly vip: IpAddress }) => ipFamily(vip) === family;
  const normal = normalizePacketRules(rules);
  const claims = normal.claims.filter(isOfFamily);
  const tables = new Map<TableName, RuleTable>();
  const guard = renderGuard(
    normal.vips.filter((vip) => ipFamily(vip) === family),
    claims,
    family,
  );
  const mangle = mergeTables(
    renderMarks(claims.filter((claim) => claim.mark !== undefined)),
    renderMssClamps(normal.mssClamps.filter(isOfFamily)),
  );
  const nat = renderSourceNat(normal.sourceNat.filter(isOfFamily));
  if (guard !== undefined) tables.set('filter', guard);
  if (mangle !== undefined) tables.set('mangle', mangle);
  if (nat !== undefined) tables.set('nat', nat);
  return tables;
}

/**
 * Without a guard every port of the host answers on every VIP, kubelet's 10250 included.
 *
 * Of TCP only packets that open a connection are judged: the rest cannot reach a listener that refused the SYN,
 * connections survive an edit of the source ranges, and the answers to a local client, which come in to the VIP as
 * its own address on an unclaimed port, pass. ICMP is left to the host: errors must reach IPVS, and neighbour
 * discovery the kernel. (A UDP client on the director itself gets no answer from a NAT service: its answers look
 * like unclaimed datagrams.)
 */
function renderGuard(
  vips: readonly IpAddress[],
  claims: readonly VipClaim[],
  family: IpFamily,
): RuleTable | undefined {
  const claimsByVip = Map.groupBy(claims, (claim) => claim.vip);
  return renderDispatched({
    root: 'LVS-GUARD',
    vips,
    preamble: [
      '-p tcp -m tcp ! --tcp-flags SYN,ACK SYN -j RETURN',
      `-p ${family === 'IPv4' ? 'icmp' : 'ipv6-icmp'} -j RETURN`,
    ],
    matchPrefix: (cidr) => `-d ${formatCidr(cidr)}`,
    leaf: (vip) => [
      ...renderPortRules(claimsByVip.get(vip) ?? [], '--dports', () => '-j RETURN'),
      '-p tcp -j REJECT --reject-with tcp-reset',
      `-j REJECT --reject-with ${family === 'IPv4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'}`,
    ],
    jumps: [{ chain: 'INPUT', rule: '-j LVS-GUARD' }],
  });
}

/** The whole mark is set, as IPVS compares all 32 bits with that of the service (ip_vs_service_find). */
function renderMarks(claims: readonly VipClaim[]): RuleTable | undefined {
  const claimsByVip = Map.groupBy(claims, (claim) => claim.vip);
  return renderDispatched({
    root: 'LVS-MARK',
    vips: [...claimsByVip.keys()],
    preamble: [],
    matchPrefix: (cidr) => `-d ${formatCidr(cidr)}`,
    leaf: (vip) =>
      renderPortRules(
        claimsByVip.get(vip) ?? [],
        '--dports',
        (claim) => `-j MARK --set-xmark 0x${(claim.mark ?? 0).toString(16)}/0xffffffff`,
      ),
    jumps: [
      { chain: 'PREROUTING', rule: '-j LVS-MARK' },
      { chain: 'OUTPUT', rule: '-j LVS-MARK' },
    ],
  });
}

/**
 * What a client may send is what the server's SYN-ACK offers. It crosses the director only where the director is the
 * real servers' gateway; elsewhere the answer goes straight to the client and no rule here can change it. The
 * client then learns the tunnel's MTU from the ICMP errors that IPVS sends (`pmtu_disc`).
 */
function renderMssClamps(clamps: readonly MssClamp[]): RuleTable | undefined {
  const clampsByVip = Map.groupBy(clamps, (clamp) => clamp.vip);
  const synAck = '-p tcp -m tcp --tcp-flags SYN,RST,ACK SYN,ACK';
  return renderDispatched({
    root: 'LVS-MSS',
    vips: [...clampsByVip.keys()],
    preamble: [],
    matchPrefix: (cidr) => `-s ${formatCidr(cidr)}`,
    leaf: (vip) =>
      [...Map.groupBy(clampsByVip.get(vip) ?? [], (clamp) => clamp.mss)].flatMap(([mss, group]) =>
        portLists(group).map(
          // xt_TCPMSS refuses a rule that does not itself match on SYN (find_syn_match).
          (ports) => `${synAck} -m multiport --sports ${ports} -j TCPMSS --set-mss ${mss}`,
        ),
      ),
    jumps: [{ chain: 'FORWARD', rule: `${synAck} -j LVS-MSS` }],
  });
}

/**
 * Full NAT by netfilter's ipvs match. It needs `net.ipv4.vs.conntrack` = 1: without it IPVS marks its packets as
 * untracked and the nat table never sees them. The match knows one virtual port or all; a range is told by the
 * destination port of the connection before IPVS rewrote it.
 */
function renderSourceNat(rules: readonly SourceNatRule[]): RuleTable | undefined {
  const rulesByVip = Map.groupBy(rules, (rule) => rule.vip);
  return renderDispatched({
    root: 'LVS-SNAT',
    vips: [...rulesByVip.keys()],
    preamble: [],
    matchPrefix: ({ address, prefixLength }) =>
      `-m conntrack --ctorigdst ${address}${prefixLength === ipBits(ipFamily(address)) ? '' : `/${prefixLength}`}`,
    leaf: (vip) =>
      (rulesByVip.get(vip) ?? []).map(({ protocol, port, endPort }) => {
        const target = '--vdir ORIGINAL --vmethod MASQ -j MASQUERADE --random-fully';
        return port === endPort
          ? `-m ipvs --vproto ${protocolNumbers[protocol]} --vaddr ${vip} --vport ${port} ${target}`
          : `-p ${protocol.toLowerCase()} -m conntrack --ctorigdstport ${port}:${endPort} -m ipvs --vaddr ${vip} ${target}`;
      }),
    jumps: [{ chain: 'POSTROUTING', rule: '-m ipvs --ipvs -j LVS-SNAT' }],
  });
}

interface Dispatched {
  readonly root: string;
  readonly vips: readonly IpAddress[];
  /** First rules of the root chain. */
  readonly preamble: readonly string[];
  readonly matchPrefix: (cidr: Cidr) => string;
  readonly leaf: (vip: IpAddress) => readonly string[];
  readonly jumps: readonly Jump[];
}

function renderDispatched(options: Dispatched): RuleTable | undefined {
  if (options.vips.length === 0) return undefined;
  const leaves = new Map(options.vips.map((vip) => [vip, options.leaf(vip)]));
  const tree = computeDispatchTree(options.root, options.vips, (vip) => (leaves.get(vip) ?? []).join('\n'));
  const chains = new Map<string, readonly string[]>();
  for (const [name, entries] of tree.chains) {
    // Goto, not jump: RETURN in a VIP's chain then leaves all of ours at once.
    const rules = entries.map(({ cidr, target }) => `${options.matchPrefix(cidr)} -g ${target}`);
    chains.set(name, name === options.root ? [...options.preamble, ...rules] : rules);
  }
  for (const [vip, name] of tree.leaves) chains.set(name, leaves.get(vip) ?? []);
  return { chains, jumps: options.jumps };
}

/** One rule per list of ports and source range; claims that share their source ranges and target share rules. */
function renderPortRules(
  claims: readonly VipClaim[],
  portOption: '--dports' | '--sports',
  target: (claim: VipClaim) => string,
): string[] {
  const groups = Map.groupBy(
    claims,
    (claim) => `${claim.protocol} ${target(claim)} ${claim.sourceRanges.map(formatCidr).join(',')}`,
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const sources =
      first.sourceRanges.length === 0 ? [''] : first.sourceRanges.map((range) => `-s ${formatCidr(range)} `);
    return sources.flatMap((source) =>
      portLists(group).map(
        (ports) =>
          `${source}-p ${first.protocol.toLowerCase()} -m multiport ${portOption} ${ports} ${target(first)}`,
      ),
    );
  });
}

/** `80,443,8000:8100` and so on, each as long as one multiport match can be. */
function portLists(ranges: readonly { readonly port: number; readonly endPort: number }[]): string[] {
  const lists: string[][] = [];
  let free = 0;
  for (const { port, endPort } of ranges) {
    const slots = port === endPort ? 1 : 2;
    if (slots > free) {
      lists.push([]);
      free = multiportSlots;
    }
    lists.at(-1)?.push(port === endPort ? `${port}` : `${port}:${endPort}`);
    free -= slots;
  }
  return lists.map((list) => list.join(','));
}

function mergeTables(a: RuleTable | undefined, b: RuleTable | undefined): RuleTable | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { chains: new Map([...a.chains, ...b.chains]), jumps: [...a.jumps, ...b.jumps] };
}
