import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipFamily, ipFromBigInt, isInCidr, parseCidr, parseIpAddress } from '../../src/base/index.ts';
import type { IpAddress, IpFamily } from '../../src/base/index.ts';
import {
  emptyPacketRules,
  normalizePacketRules,
  readRuleTables,
  renderRuleTables,
} from '../../src/link/pure.ts';
import type { PacketRules, RuleTable, RuleTables } from '../../src/link/pure.ts';
import { arbitraryPacketRules } from './arbitrary-packet-rules.ts';

const ip = parseIpAddress;

const example: PacketRules = {
  vips: [ip('192.0.2.1'), ip('192.0.2.2'), ip('2001:db8::1')],
  claims: [
    { vip: ip('192.0.2.1'), protocol: 'TCP', port: 443, endPort: 443, sourceRanges: [], mark: undefined },
    { vip: ip('192.0.2.1'), protocol: 'TCP', port: 80, endPort: 80, sourceRanges: [], mark: undefined },
    {
      vip: ip('192.0.2.1'),
      protocol: 'TCP',
      port: 22,
      endPort: 22,
      sourceRanges: [parseCidr('10.0.0.0/8')],
      mark: undefined,
    },
    { vip: ip('192.0.2.2'), protocol: 'UDP', port: 5000, endPort: 5100, sourceRanges: [], mark: 0x4c560001 },
    { vip: ip('2001:db8::1'), protocol: 'TCP', port: 80, endPort: 80, sourceRanges: [], mark: undefined },
  ],
  sourceNat: [
    { vip: ip('192.0.2.1'), protocol: 'TCP', port: 80, endPort: 80 },
    { vip: ip('192.0.2.2'), protocol: 'UDP', port: 5000, endPort: 5100 },
  ],
  mssClamps: [{ vip: ip('192.0.2.1'), port: 443, endPort: 443, mss: 1440 }],
};

function print(tables: RuleTables): string[] {
  return [...tables].flatMap(([name, { chains, jumps }]) => [
    `*${name}`,
    ...jumps.map(({ chain, rule }) => `-A ${chain} ${rule}`),
    ...[...chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
  ]);
}

test('rule tables: IPv4, rule by rule', () => {
  assert.deepEqual(print(renderRuleTables(example, 'IPv4')), [
    '*filter',
    '-A INPUT -j LVS-GUARD',
    '-A LVS-GUARD -p tcp -m tcp ! --tcp-flags SYN,ACK SYN -j RETURN',
    '-A LVS-GUARD -p icmp -j RETURN',
    '-A LVS-GUARD -d 192.0.2.1/32 -g LVS-GUARD-1',
    '-A LVS-GUARD -d 192.0.2.2/32 -g LVS-GUARD-2',
    '-A LVS-GUARD-1 -s 10.0.0.0/8 -p tcp -m multiport --dports 22 -j RETURN',
    '-A LVS-GUARD-1 -p tcp -m multiport --dports 80,443 -j RETURN',
    '-A LVS-GUARD-1 -p tcp -j REJECT --reject-with tcp-reset',
    '-A LVS-GUARD-1 -j REJECT --reject-with icmp-port-unreachable',
    '-A LVS-GUARD-2 -p udp -m multiport --dports 5000:5100 -j RETURN',
    '-A LVS-GUARD-2 -p tcp -j REJECT --reject-with tcp-reset',
    '-A LVS-GUARD-2 -j REJECT --reject-with icmp-port-unreachable',
    '*mangle',
    '-A PREROUTING -j LVS-MARK',
    '-A OUTPUT -j LVS-MARK',
    '-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST,ACK SYN,ACK -j LVS-MSS',
    '-A LVS-MARK -d 192.0.2.2/32 -g LVS-MARK-1',
    '-A LVS-MARK-1 -p udp -m multiport --dports 5000:5100 -j MARK --set-xmark 0x4c560001/0xffffffff',
    '-A LVS-MSS -s 192.0.2.1/32 -g LVS-MSS-1',
    '-A LVS-MSS-1 -p tcp -m tcp --tcp-flags SYN,RST,ACK SYN,ACK -m multiport --sports 443 -j TCPMSS --set-mss 1440',
    '*nat',
    '-A POSTROUTING -m ipvs --ipvs -j LVS-SNAT',
    '-A LVS-SNAT -m conntrack --ctorigdst 192.0.2.1 -g LVS-SNAT-1',
    '-A LVS-SNAT -m conntrack --ctorigdst 192.0.2.2 -g LVS-SNAT-2',
    '-A LVS-SNAT-1 -m ipvs --vproto 6 --vaddr 192.0.2.1 --vport 80 --vdir ORIGINAL --vmethod MASQ -j MASQUERADE --random-fully',
    '-A LVS-SNAT-2 -p udp -m conntrack --ctorigdstport 5000:5100 -m ipvs --vaddr 192.0.2.2 --vdir ORIGINAL --vmethod MASQ -j MASQUERADE --random-fully',
  ]);
});

test('rule tables: IPv6 has its own addresses, ICMP and nothing that only IPv4 asked for', () => {
  assert.deepEqual(print(renderRuleTables(example, 'IPv6')), [
    '*filter',
    '-A INPUT -j LVS-GUARD',
    '-A LVS-GUARD -p tcp -m tcp ! --tcp-flags SYN,ACK SYN -j RETURN',
    '-A LVS-GUARD -p ipv6-icmp -j RETURN',
    '-A LVS-GUARD -d 2001:db8::1/128 -g LVS-GUARD-1',
    '-A LVS-GUARD-1 -p tcp -m multiport --dports 80 -j RETURN',
    '-A LVS-GUARD-1 -p tcp -j REJECT --reject-with tcp-reset',
    '-A LVS-GUARD-1 -j REJECT --reject-with icmp6-port-unreachable',
  ]);
});

test('rule tables: nothing wanted is no table at all, so that none is brought to life', () => {
  assert.equal(renderRuleTables(emptyPacketRules, 'IPv4').size, 0);
});

test('rule tables: more ports than one multiport match holds spread over several rules', () => {
  const claims = Array.from({ length: 20 }, (_, index) => ({
    vip: ip('192.0.2.1'),
    protocol: 'TCP' as const,
    port: 1000 + index * 10,
    endPort: 1000 + index * 10 + (index % 2),
    sourceRanges: [],
    mark: undefined,
  }));
  const rules =
    renderRuleTables({ ...emptyPacketRules, claims }, 'IPv4')
      .get('filter')
      ?.chains.get('LVS-GUARD-1') ?? [];
  const lists = rules.flatMap((rule) => / --dports (\S+)/.exec(rule)?.[1] ?? []);
  assert.equal(lists.length, 2);
  // xt_multiport.h: XT_MULTI_PORTS is 15, and a range takes two places.
  for (const list of lists) assert.ok(list.split(/[,:]/).length <= 15, list);
  assert.equal(lists.join(',').split(',').length, 20);
});

test('rule tables: reading back what was rendered gives the normal form', () => {
  fc.assert(
    fc.property(arbitraryPacketRules, (rules) => {
      const tables = { IPv4: renderRuleTables(rules, 'IPv4'), IPv6: renderRuleTables(rules, 'IPv6') };
      assert.deepEqual(readRuleTables(tables), normalizePacketRules(rules));
    }),
  );
});

test('rule tables: any rule removed, doubled or changed by hand is noticed', () => {
  const handEdits: readonly ((rules: string[], index: number) => void)[] = [
    (rules, index) => rules.splice(index, 1),
    (rules, index) => rules.splice(index, 0, rules[index] ?? ''),
    (rules, index) => (rules[index] = `-p tcp -m multiport --dports 10250 -j ACCEPT`),
    (rules, index) => (rules[index] = (rules[index] ?? '').replace(/-j \w+/, '-j DROP')),
  ];
  const intact = { IPv4: renderRuleTables(example, 'IPv4'), IPv6: renderRuleTables(example, 'IPv6') };
  let edits = 0;
  for (const [name, table] of intact.IPv4) {
    for (const [chain, rules] of table.chains) {
      for (const index of rules.keys()) {
        for (const edit of handEdits) {
          const edited = [...rules];
          edit(edited, index);
          if (edited.join('\n') === rules.join('\n')) continue;
          edits++;
          const chains = new Map(table.chains).set(chain, edited);
          const tables = { ...intact, IPv4: new Map(intact.IPv4).set(name, { ...table, chains }) };
          const read = readRuleTables(tables);
          assert.notDeepEqual(read, normalizePacketRules(example), `${name} ${chain} ${index}`);
        }
      }
    }
    for (const index of table.jumps.keys()) {
      const jumps = table.jumps.toSpliced(index, 1);
      const tables = { ...intact, IPv4: new Map(intact.IPv4).set(name, { ...table, jumps }) };
      assert.equal(readRuleTables(tables), undefined, `${name} without its jump`);
    }
  }
  assert.ok(edits > 60);
});

/** Walks our guard as the kernel would. */
function walkGuard(
  table: RuleTable | undefined,
  packet: { source: IpAddress; destination: IpAddress; protocol: string; port: number; isOpening: boolean },
): { verdict: 'passed' | 'rejected'; rulesWalked: number } {
  let rulesWalked = 0;
  const matches = (rule: string): boolean => {
    const source = /(?:^| )-s (\S+)/.exec(rule)?.[1];
    const destination = /(?:^| )-d (\S+)/.exec(rule)?.[1];
    const protocol = /(?:^| )-p (\S+)/.exec(rule)?.[1];
    const ports = / --dports (\S+)/.exec(rule)?.[1];
    if (source !== undefined && !isInCidr(packet.source, parseCidr(source))) return false;
    if (destination !== undefined && !isInCidr(packet.destination, parseCidr(destination))) return false;
    if (protocol !== undefined && protocol !== packet.protocol) return false;
    if (rule.includes('! --tcp-flags SYN,ACK SYN') && packet.isOpening) return false;
    if (ports === undefined) return true;
    return ports.split(',').some((item) => {
      const [low = '', high = low] = item.split(':');
      return Number(low) <= packet.port && packet.port <= Number(high);
    });
  };
  const walk = (chain: string): 'passed' | 'rejected' => {
    for (const rule of table?.chains.get(chain) ?? []) {
      rulesWalked++;
      if (!matches(rule)) continue;
      const [, kind, target = ''] = /-([gj]) (\S+)/.exec(rule) ?? [];
      if (kind === 'g') return walk(target);
      if (target === 'RETURN') return 'passed';
      if (target === 'REJECT') return 'rejected';
      throw new Error(`unexpected rule ${rule}`);
    }
    return 'passed';
  };
  const verdict = walk('LVS-GUARD');
  return { verdict, rulesWalked };
}

test('guard: passes exactly what a claim admits, and everything that is not for a VIP', () => {
  const sources: Record<IpFamily, IpAddress[]> = {
    IPv4: ['10.1.2.3', '192.0.2.5', '198.51.100.7', '8.8.8.8'].map(ip),
    IPv6: ['2001:db8:1::5', '2001:db8:2::5', 'fd00::1', '2a00::1'].map(ip),
  };
  fc.assert(
    fc.property(arbitraryPacketRules, (rules) => {
      const normal = normalizePacketRules(rules);
      const others = [ip('203.0.113.200'), ip('2001:db8:f::ff')];
      for (const destination of [...normal.vips, ...others]) {
        const family = ipFamily(destination);
        const table = renderRuleTables(rules, family).get('filter');
        for (const protocol of ['TCP', 'UDP'] as const) {
          for (const source of sources[family]) {
            for (const port of [1, 7, 30]) {
              const isAdmitted = rules.claims.some(
                (claim) =>
                  claim.vip === destination &&
                  claim.protocol === protocol &&
                  claim.port <= port &&
                  port <= claim.endPort &&
                  (claim.sourceRanges.length === 0 ||
                    claim.sourceRanges.some((range) => isInCidr(source, range))),
              );
              const isPassed = isAdmitted || !normal.vips.includes(destination);
              const packet = { source, destination, protocol: protocol.toLowerCase(), port, isOpening: true };
              assert.equal(walkGuard(table, packet).verdict, isPassed ? 'passed' : 'rejected');
            }
          }
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('guard: a thousand VIPs cost a packet a few dozen rules, and an established connection one', () => {
  const first = 0xc6336400n;
  const vips = Array.from({ length: 1000 }, (_, index) => ipFromBigInt(first + BigInt(index), 'IPv4'));
  const claims = vips.map((vip) => ({
    vip,
    protocol: 'TCP' as const,
    port: 80,
    endPort: 80,
    sourceRanges: [],
    mark: undefined,
  }));
  const table = renderRuleTables({ ...emptyPacketRules, vips, claims }, 'IPv4').get('filter');
  const packet = { source: ip('10.0.0.1'), protocol: 'tcp', port: 80, isOpening: true };
  const costs = vips.map((destination) => walkGuard(table, { ...packet, destination }).rulesWalked);
  assert.ok(Math.max(...costs) <= 36, `${Math.max(...costs)} rules`);
  const other = walkGuard(table, { ...packet, destination: ip('10.0.0.2') });
  assert.deepEqual(other, { verdict: 'passed', rulesWalked: 10 });
  const established = walkGuard(table, { ...packet, destination: ip('198.51.100.9'), isOpening: false });
  assert.deepEqual(established, { verdict: 'passed', rulesWalked: 1 });
});
