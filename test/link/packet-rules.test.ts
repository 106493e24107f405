import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isInCidr, parseCidr, parseIpAddress } from '../../src/base/index.ts';
import type { Cidr, IpAddress } from '../../src/base/index.ts';
import { emptyPacketRules, isSamePacketRules, normalizePacketRules } from '../../src/link/pure.ts';
import type { PacketRules, VipClaim } from '../../src/link/pure.ts';
import { arbitraryPacketRules } from './arbitrary-packet-rules.ts';

const vip = parseIpAddress('192.0.2.1');

function claim(ports: string, sources: readonly string[] = [], mark?: number): VipClaim {
  const [port = '', endPort = port] = ports.split('-');
  return {
    vip,
    protocol: 'TCP',
    port: Number(port),
    endPort: Number(endPort),
    sourceRanges: sources.map(parseCidr),
    mark,
  };
}

function rules(...claims: VipClaim[]): PacketRules {
  return { ...emptyPacketRules, vips: [vip], claims };
}

const equalities: readonly { scenario: string; a: PacketRules; b: PacketRules; isSame: boolean }[] = [
  {
    scenario: 'order does not matter',
    a: rules(claim('80'), claim('443')),
    b: rules(claim('443'), claim('80')),
    isSame: true,
  },
  {
    scenario: 'a claim twice is a claim',
    a: rules(claim('80'), claim('80')),
    b: rules(claim('80')),
    isSame: true,
  },
  {
    scenario: 'neighbouring ports are a range',
    a: rules(claim('80'), claim('81-90')),
    b: rules(claim('80-90')),
    isSame: true,
  },
  { scenario: 'a gap is a gap', a: rules(claim('80'), claim('82')), b: rules(claim('80-82')), isSame: false },
  {
    scenario: 'every address is no restriction',
    a: rules(claim('80', ['0.0.0.0/0'])),
    b: rules(claim('80')),
    isSame: true,
  },
  {
    scenario: 'a range inside another adds nothing',
    a: rules(claim('80', ['10.1.0.0/16', '10.0.0.0/8'])),
    b: rules(claim('80', ['10.0.0.0/8'])),
    isSame: true,
  },
  {
    scenario: 'who is admitted by one claim is admitted',
    a: rules(claim('80', ['10.0.0.0/8']), claim('80', ['192.0.2.0/24'])),
    b: rules(claim('80', ['192.0.2.0/24', '10.0.0.0/8'])),
    isSame: true,
  },
  {
    scenario: 'other sources are another claim',
    a: rules(claim('80', ['10.0.0.0/8'])),
    b: rules(claim('80')),
    isSame: false,
  },
  {
    scenario: 'a mark wins over none',
    a: rules(claim('80', [], 7), claim('80')),
    b: rules(claim('80', [], 7)),
    isSame: true,
  },
  {
    scenario: 'a mark is part of a claim',
    a: rules(claim('80', [], 7)),
    b: rules(claim('80')),
    isSame: false,
  },
  {
    scenario: 'a claimed VIP is guarded',
    a: { ...rules(claim('80')), vips: [] },
    b: rules(claim('80')),
    isSame: true,
  },
  { scenario: 'an unclaimed VIP is guarded too', a: rules(), b: emptyPacketRules, isSame: false },
];

for (const { scenario, a, b, isSame } of equalities) {
  test(`packet rules: ${scenario}`, () => assert.equal(isSamePacketRules(a, b), isSame));
}

/** What the claims, taken one by one, say about a packet. */
function admits(
  claims: readonly VipClaim[],
  packet: Packet,
): { isAdmitted: boolean; mark: number | undefined } {
  const matching = claims.filter(
    (item) =>
      item.vip === packet.vip &&
      item.protocol === packet.protocol &&
      item.port <= packet.port &&
      packet.port <= item.endPort,
  );
  const isAdmitted = matching.some((item) => isFrom(packet.source, item.sourceRanges));
  const marks = matching.flatMap((item) => (item.mark === undefined ? [] : [item.mark]));
  return { isAdmitted, mark: isAdmitted && marks.length > 0 ? Math.min(...marks) : undefined };
}

interface Packet {
  vip: IpAddress;
  protocol: VipClaim['protocol'];
  port: number;
  source: IpAddress;
}

function isFrom(source: IpAddress, ranges: readonly Cidr[]): boolean {
  return ranges.length === 0 || ranges.some((range) => isInCidr(source, range));
}

test('packet rules: the normal form says about every packet what the claims say', () => {
  const sources = [
    '10.1.2.3',
    '10.9.9.9',
    '192.0.2.5',
    '198.51.100.7',
    '8.8.8.8',
    '2001:db8:1::5',
    'fd00::1',
  ].map(parseIpAddress);
  fc.assert(
    fc.property(arbitraryPacketRules, (wanted) => {
      const normal = normalizePacketRules(wanted);
      for (const { vip: address, protocol } of wanted.claims) {
        for (const source of sources.filter((ip) => ip.includes(':') === address.includes(':'))) {
          for (let port = 0; port <= 37; port++) {
            const packet = { vip: address, protocol, port, source };
            assert.deepEqual(admits(normal.claims, packet), admits(wanted.claims, packet));
          }
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('packet rules: the normal form is its own normal form', () => {
  fc.assert(
    fc.property(arbitraryPacketRules, (wanted) => {
      const normal = normalizePacketRules(wanted);
      assert.deepEqual(normalizePacketRules(normal), normal);
    }),
  );
});

test('packet rules: where MSS clamps overlap the lowest holds, however many they are', () => {
  const clamp = (port: number, endPort: number, mss: number) => ({ vip, port, endPort, mss });
  const { mssClamps } = normalizePacketRules({
    ...emptyPacketRules,
    mssClamps: [clamp(80, 90, 1440), clamp(85, 95, 1400), clamp(85, 86, 1420)],
  });
  assert.deepEqual(mssClamps, [clamp(80, 84, 1440), clamp(85, 95, 1400)]);
});
