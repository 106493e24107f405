import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import {
  addDummyLinkRequest,
  addVipRequest,
  decodeAddress,
  decodeLink,
  deleteVipRequest,
  setLinkUpRequest,
} from '../../src/link/rtnetlink-codec.ts';
import type { RouteRequest } from '../../src/link/rtnetlink-codec.ts';
import { MessageReader, MessageWriter } from '../../src/netlink/index.ts';

function encode(request: RouteRequest): string {
  const writer = new MessageWriter();
  request.encode(writer);
  return Buffer.from(writer.bytes).toString('hex');
}

function messageOf(type: number, payload: string): MessageReader {
  const body = Buffer.from(payload.replaceAll(/\s/g, ''), 'hex');
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeUInt16LE(type, 4);
  const reader = new MessageReader(new Uint8Array(Buffer.concat([header, body])));
  assert.ok(reader.next());
  return reader;
}

const eth0 = { index: 3, name: 'eth0' };

test('rtnetlink: an IPv4 VIP is a host address with no route of its own, marked as ours', () => {
  const request = addVipRequest(parseIpAddress('192.0.2.100'), eth0);
  assert.equal(request.type, 20);
  assert.equal(request.flags, 0x600, 'CREATE | EXCL');
  assert.equal(
    encode(request),
    '02' +
      '20' +
      '00' +
      '00' +
      '03000000' + // AF_INET, /32, flags, universe, link 3
      '0800' +
      '0200' +
      'c0000264' + // IFA_LOCAL
      '0800' +
      '0800' +
      '00020000' + // IFA_FLAGS NOPREFIXROUTE
      '0500' +
      '0b00' +
      '4c000000', // IFA_PROTO
  );
});

test('rtnetlink: an IPv6 VIP skips duplicate address detection and is never preferred as a source', () => {
  assert.equal(
    encode(addVipRequest(parseIpAddress('2001:db8::64'), eth0)),
    '0a' +
      '80' +
      '00' +
      '00' +
      '03000000' + // AF_INET6, /128
      '1400' +
      '0200' +
      '20010db8000000000000000000000064' + // IFA_LOCAL
      '0800' +
      '0800' +
      '02020000' + // IFA_FLAGS NODAD | NOPREFIXROUTE
      '0500' +
      '0b00' +
      '4c000000' + // IFA_PROTO
      '1400' +
      '0600' +
      '00000000' +
      'ffffffff' +
      '00000000' +
      '00000000', // IFA_CACHEINFO: preferred 0, valid for ever
  );
});

test('rtnetlink: a VIP is deleted by address, prefix and link', () => {
  const request = deleteVipRequest(parseIpAddress('192.0.2.100'), eth0);
  assert.equal(request.type, 21);
  assert.equal(encode(request), '02200000' + '03000000' + '08000200c0000264');
});

test('rtnetlink: lvs0 is a dummy that is born up', () => {
  assert.equal(
    encode(addDummyLinkRequest('lvs0')),
    '00000000' +
      '00000000' +
      '01000000' +
      '01000000' + // any index, IFF_UP
      '0900' +
      '0300' +
      '6c76733000' +
      '000000' + // IFLA_IFNAME lvs0
      '1000' +
      '1280' +
      '0a00' +
      '0100' +
      '64756d6d7900' +
      '0000', // IFLA_LINKINFO { KIND dummy }
  );
});

test('rtnetlink: setting a link up names it by index and changes that flag alone', () => {
  assert.equal(encode(setLinkUpRequest(eth0)), '00000000' + '03000000' + '01000000' + '01000000');
});

test('rtnetlink: a link as the kernel shows it', () => {
  const link = decodeLink(
    messageOf(
      16,
      '0000 0100 03000000 43100100 00000000' +
        '0900 0300 6574683000 000000' +
        '0800 0400 dc050000' +
        '0a00 0100 02000000000a 0000' +
        '1000 1200 0900 0100 7665746800 000000' +
        '0800 ff00 01020304',
    ),
  );
  assert.deepEqual(link, {
    index: 3,
    name: 'eth0',
    kind: 'veth',
    mtu: 1500,
    isUp: true,
    hasCarrier: true,
    isLoopback: false,
    hasArp: true,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 10),
  });
});

test('rtnetlink: addresses as the kernel shows them', () => {
  const scenarios = [
    {
      payload: '02 18 80 00 03000000' + '0800 0100 c0000201' + '0800 0200 c0000201' + '0800 0800 80000000',
      expected: { ip: '192.0.2.1', prefixLength: 24, family: 'IPv4', protocol: 0, isTentative: false },
    },
    {
      payload:
        '0a 80 40 00 03000000' +
        '1400 0100 20010db8000000000000000000000064' +
        '0500 0b00 4c000000' +
        '0800 0800 40000000',
      expected: { ip: '2001:db8::64', prefixLength: 128, family: 'IPv6', protocol: 0x4c, isTentative: true },
    },
    {
      payload: '02 20 00 00 03000000' + '0800 0100 0a000002' + '0800 0200 0a000001',
      expected: { ip: '10.0.0.1', prefixLength: 32, family: 'IPv4', protocol: 0, isTentative: false },
    },
  ];
  for (const { payload, expected } of scenarios) {
    assert.deepEqual(decodeAddress(messageOf(20, payload)), { ...expected, linkIndex: 3 });
  }
});

test('rtnetlink: other families and other messages are skipped', () => {
  assert.equal(decodeAddress(messageOf(20, '1d 18 80 00 03000000')), undefined);
  assert.equal(decodeLink(messageOf(17, '0000 0100 03000000 43100100 00000000')), undefined);
});
