import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipFromBytes, isLvsError, parseIpAddress } from '../../src/base/index.ts';
import { encodeAnnouncement } from '../../src/link/pure.ts';
import type { ObservedLink, VipBinding } from '../../src/link/pure.ts';
import { Announcer, announcementTimesMs } from '../../src/link/announcer.ts';
import type { Libc } from '../../src/netlink/index.ts';

const mac = Uint8Array.of(0x02, 0x00, 0x00, 0x00, 0x00, 0x0a);

test('announcement: gratuitous ARP, byte by byte', () => {
  const { etherType, bytes } = encodeAnnouncement(parseIpAddress('192.0.2.100'), mac);
  assert.equal(etherType, 0x0806);
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    'ffffffffffff' +
      '02000000000a' +
      '0806' + // Ethernet: to all, from us, ARP
      '0001' +
      '0800' +
      '06' +
      '04' +
      '0001' + // Ethernet, IPv4, address lengths, request
      '02000000000a' +
      'c0000264' + // sender: our MAC, the VIP
      'ffffffffffff' +
      'c0000264', // target: anybody, the VIP
  );
});

test('announcement: unsolicited neighbour advertisement, byte by byte', () => {
  const { etherType, bytes } = encodeAnnouncement(parseIpAddress('2001:db8::64'), mac);
  assert.equal(etherType, 0x86dd);
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    '333300000001' +
      '02000000000a' +
      '86dd' + // Ethernet: all nodes, from us, IPv6
      '60000000' +
      '0020' +
      '3a' +
      'ff' + // IPv6: 32 bytes of ICMPv6, hop limit 255
      '20010db8000000000000000000000064' + // from the VIP
      'ff020000000000000000000000000001' + // to all nodes
      '88' +
      '00' +
      'f85b' +
      '20000000' + // neighbour advertisement, checksum, Override
      '20010db8000000000000000000000064' + // target: the VIP
      '02' +
      '01' +
      '02000000000a', // its link-layer address
  );
});

test('announcement: a receiver that sums up pseudo-header and message finds the checksum right', () => {
  const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(sixteenBytes, fc.uint8Array({ minLength: 6, maxLength: 6 }), (vip, hardwareAddress) => {
      const { bytes } = encodeAnnouncement(ipFromBytes(vip), hardwareAddress);
      let sum = 32 + 58;
      for (let i = 22; i < bytes.length; i += 2) sum += (bytes[i] ?? 0) * 256 + (bytes[i + 1] ?? 0);
      assert.equal(sum % 0xffff, 0);
    }),
  );
});

const eth0: ObservedLink = {
  index: 3,
  name: 'eth0',
  kind: 'veth',
  mtu: 1500,
  isUp: true,
  hasCarrier: true,
  isLoopback: false,
  hasArp: true,
  hardwareAddress: mac,
};
const binding: VipBinding = { vip: parseIpAddress('192.0.2.100'), device: 'eth0', announce: true };

/** Time that moves when told to, and a C library that records frames. */
function setUp(errnoOfSocket?: number) {
  const timers: { atMs: number; callback: () => void }[] = [];
  const frames: { atMs: number; linkIndex: number }[] = [];
  let nowMs = 0;
  const libc = {
    socket: () => (errnoOfSocket === undefined ? 7 : -1),
    errno: () => errnoOfSocket ?? 0,
    close: () => 0,
    sendto: (_fd: number, bytes: Uint8Array, _length: number, _flags: number, address: Uint8Array) => {
      frames.push({ atMs: nowMs, linkIndex: new DataView(address.buffer).getInt32(4, true) });
      return bytes.length;
    },
  } as unknown as Libc;
  const announcer = new Announcer({
    libc,
    startTimer: (callback, delayMs) => {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
  });
  const advanceTo = (atMs: number) => {
    for (const timer of timers.filter((item) => item.atMs <= atMs).toSorted((a, b) => a.atMs - b.atMs)) {
      nowMs = timer.atMs;
      timers.splice(timers.indexOf(timer), 1);
      timer.callback();
    }
    nowMs = atMs;
  };
  return { announcer, frames, timers, advanceTo };
}

test('announcer: five copies spread over a second, and five more after five seconds', () => {
  const { announcer, frames, timers, advanceTo } = setUp();
  assert.equal(announcer.announce([binding], [eth0]).size, 0);
  assert.deepEqual(frames, [{ atMs: 0, linkIndex: 3 }]);
  advanceTo(60_000);
  assert.deepEqual(
    frames.map((frame) => frame.atMs),
    [...announcementTimesMs],
  );
  assert.equal(timers.length, 0);
});

test('announcer: a VIP that left is not announced again', () => {
  const { announcer, frames, advanceTo } = setUp();
  announcer.announce([binding], [eth0]);
  advanceTo(300);
  announcer.forget([binding]);
  advanceTo(60_000);
  assert.equal(frames.length, 3);
});

test('announcer: a VIP that left and came back is announced by its new burst alone', () => {
  const { announcer, frames, advanceTo } = setUp();
  announcer.announce([binding], [eth0]);
  announcer.forget([binding]);
  advanceTo(50);
  announcer.announce([binding], [eth0]);
  advanceTo(60_000);
  assert.equal(frames.length, 1 + announcementTimesMs.length);
});

test('announcer: nobody is told on a link without ARP', () => {
  const { announcer, frames } = setUp();
  announcer.announce([binding], [{ ...eth0, hasArp: false }]);
  assert.deepEqual(frames, []);
});

test('announcer: without CAP_NET_RAW a warning, no timers and no crash', () => {
  const { announcer, timers } = setUp(1);
  const error = announcer.announce([binding], [eth0]).get(binding);
  assert.ok(isLvsError(error, 'LVS_KERNEL_PERMISSION'));
  assert.match(error.hint ?? '', /CAP_NET_RAW/);
  assert.equal(timers.length, 0);
});

test('announcer: closing ends what was still to come', () => {
  const { announcer, timers } = setUp();
  announcer.announce([binding], [eth0]);
  announcer.close();
  assert.equal(timers.length, 0);
});
