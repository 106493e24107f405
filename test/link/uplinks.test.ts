import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipFamily, parseIpAddress } from '../../src/base/index.ts';
import { computeUplinks, findUplink } from '../../src/link/pure.ts';
import type { ObservedAddress, ObservedLink } from '../../src/link/pure.ts';

function link(name: string, more: Partial<ObservedLink> = {}): ObservedLink {
  return {
    index: 1,
    name,
    kind: undefined,
    mtu: 1500,
    isUp: true,
    hasCarrier: true,
    isLoopback: false,
    hasArp: true,
    hardwareAddress: new Uint8Array(6),
    ...more,
  };
}

function address(device: string, text: string, protocol = 0): ObservedAddress {
  const [ipText = '', prefixLength = ''] = text.split('/');
  const ip = parseIpAddress(ipText);
  return {
    ip,
    prefixLength: Number(prefixLength),
    device,
    family: ipFamily(ip),
    protocol,
    isTentative: false,
  };
}

const links = [
  link('lo', { isLoopback: true, hasArp: false }),
  link('eth0'),
  link('eth1', { mtu: 9000 }),
  link('lvs0'),
  link('down0', { isUp: false }),
];
const addresses = [
  address('lo', '127.0.0.1/8'),
  address('eth0', '192.0.2.1/24'),
  address('eth0', '192.0.2.2/24'),
  address('eth0', 'fe80::1/64'),
  address('eth0', '2001:db8::1/64'),
  address('eth0', '192.0.2.100/32', 0x4c),
  address('eth1', '192.0.0.1/16'),
  address('lvs0', '203.0.113.1/32', 0x4c),
  address('down0', '198.51.100.1/24'),
];

test('uplinks: links that are up and carry a subnet, each subnet once', () => {
  assert.deepEqual(computeUplinks(links, addresses), [
    {
      name: 'eth0',
      subnets: [
        { address: '192.0.2.0', prefixLength: 24 },
        { address: '2001:db8::', prefixLength: 64 },
      ],
      mtu: 1500,
    },
    { name: 'eth1', subnets: [{ address: '192.0.0.0', prefixLength: 16 }], mtu: 9000 },
  ]);
});

for (const [scenario, vip, expected] of [
  ['a VIP of a subnet belongs to its uplink', '192.0.2.100', 'eth0'],
  ['the most specific subnet wins', '192.0.3.1', 'eth1'],
  ['IPv6 too', '2001:db8::64', 'eth0'],
  ['a VIP of no subnet is routed', '203.0.113.1', undefined],
  ['a link that is down is no uplink', '198.51.100.7', undefined],
  ['a link-local subnet is none', 'fe80::99', undefined],
] as const) {
  test(`uplinks: ${scenario}`, () => {
    assert.equal(findUplink(parseIpAddress(vip), computeUplinks(links, addresses))?.name, expected);
  });
}
