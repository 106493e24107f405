import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import type { ErrorCode } from '../../src/base/index.ts';
import { NetlinkConnection, encodeGenericHeader, resolveGenericFamily } from '../../src/netlink/index.ts';
import type { Libc, NetlinkRequest } from '../../src/netlink/index.ts';
import { FakeKernel } from '../fakes/fake-kernel.ts';

const GENERIC = 16;
const familyId = 28;
const withCode = (code: ErrorCode) => (error: unknown) => isLvsError(error, code);

function ipvs(command: number, more: Partial<NetlinkRequest> = {}): NetlinkRequest {
  return {
    operation: `COMMAND_${command}`,
    type: familyId,
    encode: (writer) => encodeGenericHeader(writer, command, 1),
    ...more,
  };
}
const getInfo = ipvs(15);
const dumpServices = ipvs(4);
/** A service on mark `mark`, IPv4, rr. */
function addService(mark: number): NetlinkRequest {
  return ipvs(1, {
    subject: `mark ${mark}`,
    encode(writer) {
      encodeGenericHeader(writer, 1, 1);
      const service = writer.beginNested(1);
      writer.attributeU16(1, 2);
      writer.attributeU32(5, mark);
      writer.attributeString(6, 'rr');
      writer.attributeU64(7, 0n);
      writer.attributeU32(8, 0);
      writer.attributeU32(9, 0);
      writer.endNested(service);
    },
  });
}

function open(kernel: FakeKernel, libc: Libc = kernel.libc, lines?: string[]): NetlinkConnection {
  return NetlinkConnection.open({
    libc,
    protocol: GENERIC,
    ...(lines === undefined ? {} : { debug: { sink: (line) => lines.push(line) } }),
  });
}

/** The fake's C library with every received datagram passed through `change`. */
function receivingChanged(kernel: FakeKernel, change: (datagram: Buffer) => void): Libc {
  return {
    ...kernel.libc,
    recv(fd, bytes, length, flags) {
      const received = kernel.libc.recv(fd, bytes, length, flags);
      if (received > 0) change(Buffer.from(bytes.buffer, bytes.byteOffset, received));
      return received;
    },
  };
}

describe('request', () => {
  it('hands the answer to decode and returns what that returns', () => {
    const connection = open(new FakeKernel());
    assert.deepEqual(
      connection.request(getInfo, (message) => message.payloadLength),
      [20],
    );
    assert.deepEqual(
      connection.request(getInfo, () => undefined),
      [],
    );
    assert.deepEqual(connection.request(getInfo), []);
  });

  it('turns errno into an error that names operation and subject, and goes on', () => {
    const connection = open(new FakeKernel());
    connection.request(addService(1));
    assert.throws(
      () => connection.request(addService(1)),
      (error) =>
        isLvsError(error, 'LVS_KERNEL_REFUSED') &&
        error.errno === 17 &&
        error.message === 'The kernel refused COMMAND_1 of mark 1: EEXIST.',
    );
    assert.equal(connection.request(getInfo, () => 1).length, 1);
  });

  it('EPERM is a permission', () => {
    const connection = open(new FakeKernel({ isPrivileged: false }));
    assert.throws(() => connection.request(getInfo), withCode('LVS_KERNEL_PERMISSION'));
  });

  it('a family that is not there', () => {
    const connection = open(new FakeKernel({ hasModule: false }));
    assert.throws(
      () => resolveGenericFamily(connection, 'IPVS'),
      (error) => isLvsError(error, 'LVS_KERNEL_REFUSED') && error.errno === 2,
    );
    assert.equal(resolveGenericFamily(open(new FakeKernel()), 'IPVS'), familyId);
  });

  it('silence is told as silence', () => {
    const kernel = new FakeKernel();
    const mute = { isMute: false };
    const libc: Libc = {
      ...kernel.libc,
      send: (fd, bytes, length, flags) => (mute.isMute ? length : kernel.libc.send(fd, bytes, length, flags)),
    };
    const connection = open(kernel, libc);
    mute.isMute = true;
    assert.throws(() => connection.request(getInfo), withCode('LVS_NETLINK_NO_ANSWER'));
    assert.deepEqual(
      connection.batch([getInfo]).map((outcome) => outcome?.code),
      ['LVS_NETLINK_NO_ANSWER'],
    );
    mute.isMute = false;
    connection.request(getInfo);
  });

  it('a transaction inside another is our own mistake, and said so', () => {
    const connection = open(new FakeKernel());
    assert.throws(
      () => connection.request(getInfo, () => connection.ping()),
      /bug in lvs-operator: a netlink transaction was started from within another/,
    );
    connection.ping();
  });
});

describe('dump', () => {
  const marks = Array.from({ length: 500 }, (_, i) => addService(i + 1));

  it('is whole over many datagrams, which are told apart', () => {
    const connection = open(new FakeKernel());
    assert.deepEqual(
      connection.dump(dumpServices, () => 1),
      [],
    );
    connection.batch(marks);
    const datagrams = connection.dump(dumpServices, (_message, datagram) => datagram);
    assert.equal(datagrams.length, 500);
    assert.ok(new Set(datagrams).size > 3);
    assert.deepEqual(
      datagrams,
      datagrams.toSorted((a, b) => a - b),
    );
  });

  it('broken off by the decoder leaves neither records nor EBUSY behind', () => {
    const connection = open(new FakeKernel());
    connection.batch(marks);
    const failure = new Error('decoder');
    for (let again = 0; again < 2; again++) {
      assert.throws(
        () =>
          connection.dump(dumpServices, () => {
            throw failure;
          }),
        failure,
      );
    }
    assert.equal(connection.request(getInfo, () => 1).length, 1);
    assert.equal(connection.dump(dumpServices, () => 1).length, 500);
  });

  for (const [scenario, marked, isGivenUp] of [
    ['twice marked as interrupted is repeated', 2, false],
    ['always marked as interrupted is given up', Infinity, true],
  ] as const) {
    it(scenario, () => {
      const kernel = new FakeKernel();
      let left = marked;
      const libc = receivingChanged(kernel, (datagram) => {
        // NLM_F_DUMP_INTR on the first record of a dump's datagram.
        if (datagram.readUInt16LE(4) !== familyId || (datagram.readUInt16LE(6) & 2) === 0 || left <= 0)
          return;
        datagram.writeUInt16LE(datagram.readUInt16LE(6) | 0x10, 6);
        left -= 1;
      });
      const connection = open(kernel, libc);
      connection.batch(marks.slice(0, 5));
      if (isGivenUp)
        assert.throws(() => connection.dump(dumpServices, () => 1), withCode('LVS_NETLINK_INTERRUPTED'));
      else assert.equal(connection.dump(dumpServices, () => 1).length, 5);
      left = 0;
      assert.equal(connection.dump(dumpServices, () => 1).length, 5);
    });
  }

  it('that the kernel refuses is an error', () => {
    const connection = open(new FakeKernel());
    assert.throws(
      () => connection.dump(ipvs(13), () => 1),
      (error) => isLvsError(error, 'LVS_KERNEL_REFUSED') && error.errno === 95,
    );
  });

  it('cut by the kernel is an error', () => {
    const kernel = new FakeKernel();
    const connection = open(
      kernel,
      receivingChanged(kernel, (datagram) => {
        if (datagram.readUInt16LE(4) === familyId) datagram.writeUInt32LE(datagram.length + 4, 0);
      }),
    );
    connection.batch(marks.slice(0, 3));
    assert.throws(() => connection.dump(dumpServices, () => 1), withCode('LVS_NETLINK_TRUNCATED'));
  });
});

describe('batch', () => {
  it('sends as many to a datagram as it was told, with one fence each, and tells each verdict', () => {
    const kernel = new FakeKernel();
    const connection = open(kernel);
    const before = kernel.sent.length;
    const requests = [addService(1), addService(2), addService(1), addService(3), addService(2)];
    const outcomes = connection.batch(requests, 2);
    assert.deepEqual(
      outcomes.map((outcome) => outcome?.errno),
      [undefined, undefined, 17, undefined, 17],
    );
    assert.equal(outcomes[4]?.subject, 'mark 2');
    assert.equal(kernel.sent.length - before, 3);
    assert.deepEqual(connection.batch([]), []);
    assert.equal(connection.dump(dumpServices, () => 1).length, 3);
  });

  it('lost answers are told as lost, and the rest of the socket works', () => {
    const kernel = new FakeKernel({ queueBytes: 5 * 832 });
    const connection = open(kernel);
    connection.request(addService(1));
    const outcomes = connection.batch(Array.from({ length: 50 }, () => addService(1)));
    const codes = outcomes.map((outcome) => outcome?.code);
    assert.ok(codes.includes('LVS_KERNEL_REFUSED'));
    assert.ok(codes.includes('LVS_NETLINK_OVERRUN'));
    assert.ok(!codes.includes(undefined), 'nothing that failed counts as done');
    connection.request(addService(2));
    assert.deepEqual(connection.batch([addService(3)]), [undefined]);
  });

  it('refuses a size that could overrun the smallest queue', () => {
    const connection = open(new FakeKernel());
    assert.throws(() => connection.batch([getInfo], 201), /batch size/);
    assert.throws(() => connection.batch([getInfo], 0), /batch size/);
  });

  it('200 failures fit the queue that everybody is given', () => {
    const connection = open(new FakeKernel({ grantsQueues: false }));
    connection.request(addService(1));
    const outcomes = connection.batch(
      Array.from({ length: 200 }, () => addService(1)),
      200,
    );
    assert.equal(outcomes.filter((outcome) => outcome?.errno === 17).length, 200);
  });
});

describe('NETLINK_DEBUG', () => {
  it('prints requests, answers, acknowledgements, errors and ends, a line each', () => {
    const lines: string[] = [];
    const connection = open(new FakeKernel(), undefined, lines);
    connection.batch([addService(1), addService(1)]);
    connection.dump(dumpServices, () => 1);
    assert.ok(lines.every((line) => /^[<>] /.test(line) && !line.includes('\n')));
    for (const wanted of [
      /^> control 1 seq=1/,
      /^< ACK seq=1/,
      /^< ERROR EEXIST seq=3/,
      /^< DONE seq=5/,
      /^> type 28 .* bytes$/,
    ]) {
      assert.ok(
        lines.some((line) => wanted.test(line)),
        String(wanted),
      );
    }
  });
});
