import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCidr, parseIpAddress, tryParseIpAddress } from '../../src/base/index.ts';
import { createAddressPolicy } from '../../src/plan/index.ts';
import type { DirectorFacts } from '../../src/plan/index.ts';

const facts: DirectorFacts = {
  ownAddresses: ['10.0.0.1', '192.0.2.1', '2001:db8:1::1'].map(parseIpAddress),
  uplinks: [
    {
      name: 'eth0',
      subnets: ['192.0.2.0/25', '10.0.0.0/24', '2001:db8:1::/64', '198.51.100.4/31'].map(parseCidr),
      mtu: 1500,
    },
  ],
  unavailableSchedulers: [],
  reservedCidrs: ['10.96.0.0/12', '172.20.0.1/32'].map(parseCidr),
};
const policy = createAddressPolicy(facts);

const words = (text: string): readonly string[] => text.split(' ');

/** Spellings that must be neither a VIP nor a real server: unreadable to us, or refused by the policy. */
const alwaysRefused = [
  // unspecified and "this network"
  ...words('0.0.0.0 0.0.0.1 0.1.2.3 0.255.255.255 :: 0:0:0:0:0:0:0:0 ::0 0:: 0'),
  // loopback
  ...words('127.0.0.1 127.0.0.0 127.0.1.1 127.1.2.3 127.255.255.255 ::1 0:0:0:0:0:0:0:1 0000::0001'),
  // loopback in forms that inet_aton or browsers would read
  ...words('127.1 127.0.1 0177.0.0.1 0x7f.0.0.1 0x7f.1 0x7f000001 2130706433 017700000001'),
  ...words('127.0.0.1. 127.0.0.01 127.00.0.1 １２７.0.0.1 127。0。0。1'),
  // IPv4-mapped, -compatible, -translated
  ...words('::ffff:127.0.0.1 ::FFFF:127.0.0.1 ::ffff:7f00:1 0:0:0:0:0:ffff:7f00:1 ::ffff:192.0.2.10'),
  ...words('::127.0.0.1 ::7f00:1 ::192.0.2.10 ::ffff:0:127.0.0.1 ::ffff:0:c000:20a'),
  // embedded in tunnels and translators
  ...words('2002:7f00:1:: 2002:7f00:0001::1 2002:a9fe:a9fe::1 2002:e000:1:: 2002::'),
  ...words('64:ff9b::127.0.0.1'),
  ...words('64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:: 64:ff9b:1::1 64:ff9b:1:ffff::7f00:1'),
  ...words('2001:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::5efe:127.0.0.1'),
  ...words('2001:db8::200:5efe:a9fe:a9fe'),
  // link-local and cloud metadata
  ...words('169.254.0.0 169.254.1.1 169.254.169.254 169.254.255.255 0xa9fea9fe 2852039166'),
  ...words('169.254.43518'),
  ...words('fe80:: fe80::1 FE80::1 fe80::1%eth0 febf:ffff::1 fec0::1 fd00:ec2::254 fd00:0ec2:0::254'),
  ...words('100.100.100.200 168.63.129.16 192.0.0.192 fd20:ce::254'),
  // multicast, broadcast, class E, discard
  ...words('224.0.0.1 224.0.0.81 239.255.255.250 ff00:: ff02::1 FF05::2 ffff:ffff::1'),
  ...words('255.255.255.255 240.0.0.1 250.1.2.3 255.255.255.254 100:: 100::1 0x100::'),
  // ends of on-link subnets
  ...words('192.0.2.0 192.0.2.127 10.0.0.0 10.0.0.255 2001:db8:1:: 2001:db8:1:0::0'),
  // reservedCIDRs of this director, also by NAT64 and 6to4
  ...words('10.96.0.1 10.100.1.1 10.111.255.255 172.20.0.1 64:ff9b::10.96.0.1 2002:a60:1::1'),
  // not addresses
  ...words('localhost kubernetes.default.svc 192.0.2.10/32 192.0.2.10:80 [::1] 1.2.3 1.2.3.4.5'),
  ...words('256.1.1.1'),
  ...words('-1.2.3.4 :::1 1::2::3 12345:: ::g ::1/128 0x0a.0.0.5 ١٢٧.0.0.1'),
  // whitespace that a lenient reader would trim, and nothing at all
  '',
  ' 127.0.0.1',
  '127.0.0.1 ',
  '1.2.3.4\n',
];

const vipRefusedOnly = [
  '10.0.0.1',
  '192.0.2.1',
  '2001:db8:1::1',
  '2001:0db8:0001::0001',
  '2001:DB8:1:0:0:0:0:1',
];

const goodVips = [
  ...words('192.0.2.10 192.0.2.126 192.0.2.128 192.0.2.255 198.51.100.4 198.51.100.5 203.0.113.0'),
  ...words('8.8.8.8 1.0.0.0 100.64.0.1 172.20.0.2 10.95.255.255 10.112.0.0 223.255.255.255'),
  ...words('2001:db8::1 2001:db8:1::2 2001:DB8::A 2001:db8:0:0:1:: fd00::1 2002:c000:20a::1'),
  ...words('64:ff9b::8.8.8.8'),
];

describe('address policy', () => {
  it('has tables of the promised size', () => {
    assert.ok(new Set(alwaysRefused).size >= 80);
  });

  for (const text of new Set(alwaysRefused)) {
    it(`refuses ${JSON.stringify(text)} as a VIP and as a real server`, () => {
      const ip = tryParseIpAddress(text);
      if (ip === undefined) return;
      assert.notEqual(policy.judgeVip(ip), undefined);
      assert.notEqual(policy.judgeRealServer(ip, 'Static'), undefined);
    });
  }

  for (const text of vipRefusedOnly) {
    it(`refuses ${text}, an address of the director, as a VIP alone`, () => {
      const ip = parseIpAddress(text);
      assert.equal(policy.judgeVip(ip)?.reason, 'AddressOfDirector');
      assert.equal(policy.judgeRealServer(ip, 'Static'), undefined);
    });
  }

  for (const text of goodVips) {
    it(`takes ${text} as a VIP and as a real server`, () => {
      assert.equal(policy.judgeVip(parseIpAddress(text)), undefined);
      assert.equal(policy.judgeRealServer(parseIpAddress(text), 'Static'), undefined);
    });
  }

  for (const port of [10250, 6443, 2379, 2380]) {
    it(`refuses the control port ${port} of the director, alone and inside a range`, () => {
      for (const own of facts.ownAddresses) {
        assert.equal(policy.judgeRealServerPort(own, port, port)?.reason, 'ControlPort');
        assert.equal(policy.judgeRealServerPort(own, port - 5, port + 5)?.reason, 'ControlPort');
      }
      assert.equal(policy.judgeRealServerPort(parseIpAddress('10.0.0.5'), port, port), undefined);
    });
  }

  it('takes other ports of the director: it may be a real server itself', () => {
    assert.equal(policy.judgeRealServerPort(parseIpAddress('10.0.0.1'), 8080, 8080), undefined);
  });
});
