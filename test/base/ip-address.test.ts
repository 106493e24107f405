import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  compareIpAddresses,
  formatCidr,
  ipBits,
  ipFamily,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  isInCidr,
  isInIpRange,
  isLvsError,
  maskAddress,
  parseCidr,
  parseIpAddress,
  parseIpRange,
  tryParseIpAddress,
  type IpAddress,
  type IpFamily,
} from '../../src/base/index.ts';

const invalid = (message: RegExp) => (error: unknown) =>
  isLvsError(error, 'LVS_ADDRESS_INVALID') && message.test(error.message);

const family = fc.constantFrom<IpFamily>('IPv4', 'IPv6');
/** Small numbers often, so that zeros and edges are met. */
const byte = fc.oneof(fc.constantFrom(0, 1, 0xff), fc.integer({ min: 0, max: 255 }));
const addressOf = (wanted: IpFamily) =>
  fc
    .array(byte, { minLength: ipBits(wanted) / 8, maxLength: ipBits(wanted) / 8 })
    .map((bytes) => ipFromBytes(Uint8Array.from(bytes)))
    // A mapped address is no address of ours: see parseIpAddress.
    .filter((ip) => !/^::ffff:[0-9a-f]+:[0-9a-f]+$/.test(ip));
const address = family.chain(addressOf);
const addressAndPrefix = address.chain((ip) =>
  fc.record({ ip: fc.constant(ip), prefixLength: fc.integer({ min: 0, max: ipBits(ipFamily(ip)) }) }),
);

describe('parseIpAddress makes canonical text', () => {
  const table: [text: string, canonical: string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    // RFC 5952, section 4.1: no leading zeros.
    ['2001:0db8::0001', '2001:db8::1'],
    // 4.2.1: shorten as much as possible.
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8::0:1', '2001:db8::1'],
    // 4.2.2: one group of zeros is not shortened.
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    // 4.2.3: the longest run, and the first of two equal ones.
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['0:0:3:4:5:6:7:8', '::3:4:5:6:7:8'],
    // 4.3: lower case.
    ['2001:DB8:AaAa::A', '2001:db8:aaaa::a'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::192.0.2.1', '::c000:201'],
    ['::fffe:192.0.2.1', '::fffe:c000:201'],
  ];
  for (const [text, canonical] of table) {
    it(`${text} → ${canonical}`, () => assert.equal(parseIpAddress(text), canonical));
  }
});

describe('parseIpAddress refuses', () => {
  const table: [scenario: string, text: string, message: RegExp][] = [
    ['nothing', '', /"" is not an IP address/],
    ['a name', 'localhost', /"localhost" is not/],
    ['an octal byte', '010.0.0.1', /is not/],
    ['a hexadecimal byte', '0x7f.0.0.1', /is not/],
    ['a short form', '127.1', /is not/],
    ['one number', '2130706433', /is not/],
    ['a byte too large', '1.2.3.256', /is not/],
    ['five bytes', '1.2.3.4.5', /is not/],
    ['blanks around it', ' 1.2.3.4', /is not/],
    ['a line break behind it', '1.2.3.4\n', /is not/],
    ['full-width digits', '１.2.3.4', /is not/],
    ['a prefix length', '1.2.3.4/32', /is not/],
    ['a port', '1.2.3.4:80', /is not/],
    ['brackets', '[::1]', /is not/],
    ['a zone', 'fe80::1%eth0', /is not/],
    ['two gaps', '1::2::3', /is not/],
    ['nine groups', '1:2:3:4:5:6:7:8:9', /is not/],
    ['a gap of nothing', '1:2:3:4:5:6:7:8::', /is not/],
    ['five digits in a group', '12345::', /is not/],
    ['a mapped address', '::ffff:192.0.2.1', /IPv4-mapped.*write the IPv4 address/],
    ['a mapped address in hex', '::ffff:c000:201', /IPv4-mapped/],
    ['a mapped address in full', '0:0:0:0:0:FFFF:c000:0201', /IPv4-mapped/],
  ];
  for (const [scenario, text, message] of table) {
    it(scenario, () => {
      assert.throws(() => parseIpAddress(text), invalid(message));
      assert.equal(tryParseIpAddress(text), undefined);
    });
  }

  it('a long text without repeating all of it', () => {
    assert.throws(() => parseIpAddress('x'.repeat(10_000)), invalid(/^.{0,100}$/));
  });
});

describe('addresses', () => {
  it('survive parsing, bytes and numbers unchanged', () => {
    fc.assert(
      fc.property(address, (ip) => {
        assert.equal(parseIpAddress(ip), ip);
        assert.equal(ipFromBytes(ipToBytes(ip)), ip);
        assert.equal(ipFromBigInt(ipToBigInt(ip), ipFamily(ip)), ip);
      }),
    );
  });

  it('have one text each, however the bytes were written', () => {
    fc.assert(
      fc.property(addressOf('IPv6'), (ip) => {
        const groups = [...ipToBytes(ip)].map((b) => b.toString(16).padStart(2, '0').toUpperCase());
        const long = groups.reduce((text, b, i) => text + (i > 0 && i % 2 === 0 ? ':' : '') + b, '');
        assert.equal(parseIpAddress(long), ip);
      }),
    );
  });

  it('order by family, then by number', () => {
    fc.assert(
      fc.property(address, address, (a, b) => {
        const expected =
          ipFamily(a) === ipFamily(b)
            ? Number(ipToBigInt(a) > ipToBigInt(b)) - Number(ipToBigInt(a) < ipToBigInt(b))
            : ipFamily(a) === 'IPv4'
              ? -1
              : 1;
        assert.equal(Math.sign(compareIpAddresses(a, b)), expected);
      }),
    );
  });

  it('have 4 or 16 bytes, no other number of them', () => {
    for (const length of [0, 1, 3, 5, 15, 17]) {
      assert.throws(() => ipFromBytes(new Uint8Array(length)), invalid(/4 or 16 bytes/));
    }
  });

  it('end where their family ends', () => {
    assert.equal(ipFromBigInt(2n ** 32n - 1n, 'IPv4'), '255.255.255.255');
    assert.throws(() => ipFromBigInt(2n ** 32n, 'IPv4'), /bug in lvs-operator/);
    assert.throws(() => ipFromBigInt(-1n, 'IPv6'), /bug in lvs-operator/);
  });
});

describe('parseCidr', () => {
  const good: [text: string, formatted: string][] = [
    ['192.0.2.0/24', '192.0.2.0/24'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['192.0.2.7', '192.0.2.7/32'],
    ['192.0.2.7/32', '192.0.2.7/32'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['2001:db8::8/125', '2001:db8::8/125'],
  ];
  for (const [text, formatted] of good) it(text, () => assert.equal(formatCidr(parseCidr(text)), formatted));

  const bad: [text: string, message: RegExp][] = [
    ['192.0.2.1/24', /host bits set; did you mean 192\.0\.2\.0\/24\?/],
    ['2001:db8::1/64', /did you mean 2001:db8::\/64\?/],
    ['192.0.2.0/33', /must be 0 to 32/],
    ['2001:db8::/129', /must be 0 to 128/],
    ['192.0.2.0/', /must be 0 to 32/],
    ['192.0.2.0/-1', /must be 0 to 32/],
    ['192.0.2.0/ 8', /must be 0 to 32/],
    ['192.0.2.0/024', /must be 0 to 32/],
    ['192.0.2.0/1e1', /must be 0 to 32/],
    ['192.0.2.0/255.255.255.0', /must be 0 to 32/],
    ['192.0.2.0/24/24', /must be 0 to 32/],
    ['/24', /is not an IP address/],
    ['::ffff:0.0.0.0/96', /IPv4-mapped/],
  ];
  for (const [text, message] of bad)
    it(`refuses ${text}`, () => assert.throws(() => parseCidr(text), invalid(message)));

  it('holds exactly the addresses that share its leading bits', () => {
    fc.assert(
      fc.property(addressAndPrefix, address, ({ ip, prefixLength }, other) => {
        const cidr = { address: maskAddress(ip, prefixLength), prefixLength };
        const shift = BigInt(ipBits(ipFamily(ip)) - prefixLength);
        const expected =
          ipFamily(other) === ipFamily(ip) && ipToBigInt(other) >> shift === ipToBigInt(ip) >> shift;
        assert.equal(isInCidr(other, cidr), expected);
        assert.equal(isInCidr(ip, cidr), true);
        assert.equal(ipToBigInt(cidr.address), (ipToBigInt(ip) >> shift) << shift);
      }),
    );
  });

  it('accepts what formatCidr wrote', () => {
    fc.assert(
      fc.property(addressAndPrefix, ({ ip, prefixLength }) => {
        const network = maskAddress(ip, prefixLength);
        fc.pre(tryParseIpAddress(network) !== undefined);
        const cidr = { address: network, prefixLength };
        assert.deepEqual(parseCidr(formatCidr(cidr)), cidr);
      }),
    );
  });
});

describe('parseIpRange', () => {
  const good: [text: string, first: string, last: string][] = [
    ['192.0.2.10-192.0.2.20', '192.0.2.10', '192.0.2.20'],
    ['192.0.2.10 - 192.0.2.10', '192.0.2.10', '192.0.2.10'],
    ['192.0.2.0/30', '192.0.2.0', '192.0.2.3'],
    ['192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['0.0.0.0/0', '0.0.0.0', '255.255.255.255'],
    ['2001:db8::/126', '2001:db8::', '2001:db8::3'],
    ['2001:db8::a-2001:db8::1:0', '2001:db8::a', '2001:db8::1:0'],
    ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ];
  for (const [text, first, last] of good)
    it(text, () => assert.deepEqual(parseIpRange(text), { first, last }));

  const bad: [text: string, message: RegExp][] = [
    ['192.0.2.20-192.0.2.10', /ends before it begins/],
    ['192.0.2.1-2001:db8::1', /mixes IPv4 and IPv6/],
    ['192.0.2.1-20', /"20" is not an IP address/],
    ['192.0.2.1-192.0.2.2-192.0.2.3', /is not an IP address/],
    ['192.0.2.0/24-192.0.3.0', /"192\.0\.2\.0\/24" is not an IP address/],
    ['-', /is not an IP address/],
  ];
  for (const [text, message] of bad)
    it(`refuses ${text}`, () => assert.throws(() => parseIpRange(text), invalid(message)));

  it('holds exactly the addresses between its ends', () => {
    fc.assert(
      fc.property(
        family.chain((f) => fc.tuple(addressOf(f), addressOf(f))),
        address,
        ([a, b], other) => {
          const [first, last] = [a, b].toSorted(compareIpAddresses) as [IpAddress, IpAddress];
          const range = parseIpRange(`${first}-${last}`);
          const value = ipToBigInt(other);
          const expected =
            ipFamily(other) === ipFamily(first) && ipToBigInt(first) <= value && value <= ipToBigInt(last);
          assert.equal(isInIpRange(other, range), expected);
        },
      ),
    );
  });

  it('of a CIDR is the CIDR', () => {
    fc.assert(
      fc.property(addressAndPrefix, address, ({ ip, prefixLength }, other) => {
        const network = maskAddress(ip, prefixLength);
        fc.pre(tryParseIpAddress(network) !== undefined);
        const cidr = { address: network, prefixLength };
        assert.equal(isInIpRange(other, parseIpRange(formatCidr(cidr))), isInCidr(other, cidr));
      }),
    );
  });
});
