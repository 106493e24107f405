import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isLvsError } from '../../src/base/index.ts';
import {
  MessageReader,
  MessageWriter,
  formatErrno,
  kernelRefusal,
  netlinkAlign,
} from '../../src/netlink/index.ts';
import type { AttributeReader } from '../../src/netlink/index.ts';
import { attribute, i32, message, nulString, u16, u16be, u32, u64, u8 } from '../fakes/wire.ts';
import { readGolden } from '../golden/read-golden.ts';

const head = { type: 28, flags: 5, sequence: 9, portId: 0 };

/** Each kind of attribute: how we write it, how the other implementation does, and how we read it. */
const kinds: readonly {
  readonly name: string;
  readonly value: fc.Arbitrary<number | bigint | string>;
  readonly write: (writer: MessageWriter, value: never) => void;
  readonly bytes: (value: never) => Buffer;
  readonly read: (attributes: AttributeReader) => unknown;
}[] = [
  {
    name: 'u8',
    value: fc.nat(0xff),
    write: (writer, value) => writer.attributeU8(1, value),
    bytes: u8,
    read: (attributes) => attributes.u8('a'),
  },
  {
    name: 'u16',
    value: fc.nat(0xffff),
    write: (writer, value) => writer.attributeU16(1, value),
    bytes: u16,
    read: (attributes) => attributes.u16('a'),
  },
  {
    name: 'u16be',
    value: fc.nat(0xffff),
    write: (writer, value) => writer.attributeU16be(1, value),
    bytes: u16be,
    read: (attributes) => attributes.u16be('a'),
  },
  {
    name: 'u32',
    value: fc.nat(0xffffffff),
    write: (writer, value) => writer.attributeU32(1, value),
    bytes: u32,
    read: (attributes) => attributes.u32('a'),
  },
  {
    name: 'u32be',
    value: fc.nat(0xffffffff),
    write: (writer, value) => writer.attributeU32be(1, value),
    bytes: (value) => Buffer.from(u32(value)).reverse(),
    read: (attributes) => attributes.u32be('a'),
  },
  {
    name: 'i32',
    value: fc.integer(),
    write: (writer, value) => writer.attributeI32(1, value),
    bytes: i32,
    read: (attributes) => attributes.i32('a'),
  },
  {
    name: 'u64',
    value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    write: (writer, value) => writer.attributeU64(1, value),
    bytes: u64,
    read: (attributes) => attributes.u64('a'),
  },
  {
    name: 'string',
    value: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
    write: (writer, value) => writer.attributeString(1, value),
    bytes: nulString,
    read: (attributes) => attributes.string('a'),
  },
];

function encodeOne(write: (writer: MessageWriter) => void): Buffer {
  const writer = new MessageWriter();
  writer.begin(head.type, head.flags, head.sequence);
  write(writer);
  writer.end();
  return Buffer.from(writer.bytes);
}

describe('attributes', () => {
  for (const { name, value, write, bytes, read } of kinds) {
    it(`${name}: our bytes are another's bytes, and read back`, () => {
      fc.assert(
        fc.property(value, (any) => {
          const encoded = encodeOne((writer) => write(writer, any as never));
          assert.equal(
            encoded.toString('hex'),
            message(head, attribute(1, bytes(any as never))).toString('hex'),
          );
          const reader = new MessageReader(encoded);
          assert.ok(reader.next());
          const attributes = reader.attributes(0, 'test');
          assert.ok(attributes.next());
          assert.equal(read(attributes), any);
          assert.equal(attributes.next(), false);
        }),
      );
    });
  }

  it('of the wrong length are named, with both lengths', () => {
    for (const { name, read } of kinds.filter((kind) => kind.name !== 'string')) {
      const reader = new MessageReader(message(head, attribute(7, Buffer.alloc(3))));
      reader.next();
      const attributes = reader.attributes(0, 'NETWORK');
      attributes.next();
      assert.throws(
        () => read(attributes),
        (error) =>
          isLvsError(error, 'LVS_NETLINK_MALFORMED') &&
          /^NETWORK: a has 3 bytes instead of \d\.$/.test(error.message),
        name,
      );
    }
  });

  it('nest, and their flag bits are not part of the type', () => {
    const encoded = encodeOne((writer) => {
      const outer = writer.beginNested(3);
      const inner = writer.beginNested(4);
      writer.attributeFlag(5);
      writer.endNested(inner);
      writer.attributeBytes(6, Buffer.from('abcde'));
      writer.endNested(outer);
    });
    const wanted = message(
      head,
      attribute(3 | 0x8000, attribute(4 | 0x8000, attribute(5)), attribute(6, Buffer.from('abcde'))),
    );
    assert.equal(encoded.toString('hex'), wanted.toString('hex'));
    const reader = new MessageReader(encoded);
    reader.next();
    const attributes = reader.attributes(0, 'test');
    assert.ok(attributes.next());
    assert.equal(attributes.type, 3);
    const nested = attributes.nested('outer');
    assert.ok(nested.next() && nested.type === 4 && nested.next());
    assert.equal(Buffer.from(nested.bytes('b')).toString(), 'abcde');
  });

  it('whose lengths lead outside are truncated', () => {
    for (const length of [0, 3, 9, 0xffff]) {
      const bytes = message(head, attribute(1, u32(5)));
      bytes.writeUInt16LE(length, 16);
      const reader = new MessageReader(bytes);
      reader.next();
      assert.throws(
        () => reader.attributes(0, 'test').next(),
        (error) =>
          isLvsError(error, 'LVS_NETLINK_TRUNCATED') &&
          error.message.includes(`claims ${length} bytes where 8`),
      );
    }
  });
});

describe('messages', () => {
  it('in a row begin at multiples of 4 and are read in turn, by offsets behind their header', () => {
    const writer = new MessageWriter();
    for (let i = 0; i < 3; i++) {
      writer.begin(20 + i, i, 100 + i);
      writer.u8(i);
      writer.u8(0xff);
      writer.raw(Buffer.alloc(i));
      writer.end();
    }
    const reader = new MessageReader(writer.bytes);
    for (let i = 0; i < 3; i++) {
      assert.ok(reader.next());
      assert.deepEqual([reader.type, reader.flags, reader.sequence, reader.portId], [20 + i, i, 100 + i, 0]);
      assert.deepEqual([reader.u8(0), reader.u16(0), reader.payloadLength], [i, 0xff00 + i, 2 + i]);
      assert.equal(reader.copy().length, 18 + i);
      assert.throws(
        () => reader.u32(i),
        (error) => isLvsError(error, 'LVS_NETLINK_TRUNCATED'),
      );
    }
    assert.equal(reader.next(), false);
  });

  it('that are shorter than a header, or longer than what came, are truncated', () => {
    for (const length of [0, 15, 25, 0xffffffff]) {
      const bytes = message(head, Buffer.alloc(8));
      bytes.writeUInt32LE(length, 0);
      assert.throws(
        () => new MessageReader(bytes).next(),
        (error) => isLvsError(error, 'LVS_NETLINK_TRUNCATED'),
        String(length),
      );
    }
    assert.throws(
      () => new MessageReader(Buffer.alloc(7)).next(),
      (error) => isLvsError(error, 'LVS_NETLINK_TRUNCATED'),
    );
  });

  it('a writer grows, forgets on reset, and knows its own mistakes', () => {
    const writer = new MessageWriter();
    writer.begin(1, 0, 0);
    writer.zeros(100_000);
    writer.end();
    assert.equal(writer.length, 100_016);
    assert.equal(writer.bytes.length, writer.length);
    assert.ok(writer.buffer.length >= writer.length);
    writer.reset();
    assert.equal(writer.length, 0);
    assert.throws(() => writer.end(), /bug in lvs-operator/);
    writer.begin(1, 0, 0);
    assert.throws(() => writer.begin(1, 0, 0), /bug in lvs-operator/);
    assert.throws(() => writer.attributeString(1, 'a\0b'), /NUL/);
    const start = writer.beginAttribute(1);
    writer.zeros(70_000);
    assert.throws(() => writer.endAttribute(start), /longer than 65535/);
    assert.throws(() => writer.zeros(17 * 1024 * 1024), /larger than 16 MiB/);
  });

  it('align to 4', () => {
    assert.deepEqual([0, 1, 4, 5, 65_535].map(netlinkAlign), [0, 4, 4, 8, 65_536]);
  });
});

describe('errors of the kernel', () => {
  it('carry the extended text, capped or behind the echoed request', () => {
    const capped = new MessageReader(readGolden('netlink-error-extended-ack'));
    assert.ok(capped.next());
    assert.equal(capped.errorNumber(), 95);
    assert.equal(capped.extendedAckText(), 'Unknown device type');
    const request = message({ ...head, sequence: 1 }, Buffer.alloc(5));
    const text = attribute(1, nulString('no'));
    const echoed = new MessageReader(
      message({ ...head, type: 2, flags: 0x200 }, i32(-22), request, attribute(2, u32(1)), text),
    );
    assert.ok(echoed.next());
    assert.equal(echoed.extendedAckText(), 'no');
    const none = new MessageReader(message({ ...head, type: 2, flags: 0 }, i32(-22), request));
    assert.ok(none.next());
    assert.equal(none.extendedAckText(), undefined);
  });

  it('with an echoed length beyond the message are truncated, also where rounding it up overflows', () => {
    for (const length of [100, 0x7fffffff, 0xffffffff]) {
      const reader = new MessageReader(
        message({ ...head, type: 2, flags: 0x200 }, i32(-22), u32(length), Buffer.alloc(12)),
      );
      assert.ok(reader.next());
      assert.throws(
        () => reader.extendedAckText(),
        (error) => isLvsError(error, 'LVS_NETLINK_TRUNCATED'),
      );
    }
  });

  it('are written for people', () => {
    const refusal = kernelRefusal({
      errno: 17,
      operation: 'RTM_NEWADDR',
      subject: '192.0.2.1',
      kernelMessage: 'already',
    });
    assert.equal(refusal.code, 'LVS_KERNEL_REFUSED');
    assert.equal(refusal.message, 'The kernel refused RTM_NEWADDR of 192.0.2.1: EEXIST ("already").');
    assert.equal(refusal.hint, undefined);
    for (const errno of [1, 13]) {
      const permission = kernelRefusal({ errno, operation: 'RTM_NEWADDR' });
      assert.equal(permission.code, 'LVS_KERNEL_PERMISSION');
      assert.match(permission.hint ?? '', /CAP_NET_ADMIN/);
    }
    assert.equal(formatErrno(105), 'ENOBUFS');
    assert.equal(formatErrno(4095), 'errno 4095');
  });
});
