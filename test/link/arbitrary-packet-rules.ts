import fc from 'fast-check';
import { parseCidr, parseIpAddress } from '../../src/base/index.ts';
import type { Cidr, IpAddress } from '../../src/base/index.ts';
import type { PacketRules } from '../../src/link/pure.ts';

/** Packet rules over few addresses, ports and sources, so that claims overlap, touch and repeat. */

const ipv4Sources = ['10.0.0.0/8', '10.1.0.0/16', '192.0.2.0/24', '198.51.100.7', '0.0.0.0/0'];
const ipv6Sources = ['2001:db8::/32', '2001:db8:1::/48', 'fd00::1', '::/0'];

export const arbitraryVip: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((n) => parseIpAddress(`203.0.113.${n}`)),
  fc.integer({ min: 0, max: 40 }).map((n) => parseIpAddress(`2001:db8:f::${n.toString(16)}`)),
);

const arbitraryPorts = fc
  .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 6 }))
  .map(([port, more]) => ({ port, endPort: port + more }));

const arbitraryProtocol = fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const);

function arbitrarySources(vip: IpAddress): fc.Arbitrary<readonly Cidr[]> {
  const sources = vip.includes(':') ? ipv6Sources : ipv4Sources;
  return fc.array(fc.constantFrom(...sources).map(parseCidr), { maxLength: 3 });
}

const arbitraryClaim = arbitraryVip.chain((vip) =>
  fc.record({
    vip: fc.constant(vip),
    protocol: arbitraryProtocol,
    ports: arbitraryPorts,
    sourceRanges: arbitrarySources(vip),
    mark: fc.option(fc.integer({ min: 0x4c560001, max: 0x4c560003 }), { nil: undefined }),
  }),
);

export const arbitraryPacketRules: fc.Arbitrary<PacketRules> = fc
  .record({
    vips: fc.array(arbitraryVip, { maxLength: 30 }),
    claims: fc.array(arbitraryClaim, { maxLength: 25 }),
    sourceNat: fc.array(fc.tuple(arbitraryVip, arbitraryProtocol, arbitraryPorts), { maxLength: 12 }),
    mssClamps: fc.array(fc.tuple(arbitraryVip, arbitraryPorts, fc.constantFrom(1400, 1440)), {
      maxLength: 8,
    }),
  })
  .map(({ vips, claims, sourceNat, mssClamps }) => ({
    vips,
    claims: claims.map(({ ports, ...claim }) => ({ ...claim, ...ports })),
    sourceNat: sourceNat.map(([vip, protocol, ports]) => ({ vip, protocol, ...ports })),
    mssClamps: mssClamps.map(([vip, ports, mss]) => ({ vip, ...ports, mss })),
  }));
