import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import { NetlinkConnection, NetlinkMonitor, inNetns } from '../../src/netlink/index.ts';
import type { Libc } from '../../src/netlink/index.ts';
import { i32, message } from '../fakes/wire.ts';
import { scriptedLibc } from './scripted-libc.ts';

const ENOENT = 2;
const EINTR = 4;
const EAGAIN = 11;
const EPERM = 1;
const EINVAL = 22;
const ENOBUFS = 105;
const EMSGSIZE = 90;

const socketError = (text: RegExp) => (error: unknown) =>
  isLvsError(error, 'LVS_NETLINK_SOCKET') && text.test(error.message);

/** Receives these in turn: a datagram, or an errno; then nothing. */
function receiving(...script: (Buffer | number)[]): Pick<Libc, 'recv' | 'errno'> {
  let errno = EAGAIN;
  return {
    recv(_fd, bytes) {
      const next = script.shift() ?? EAGAIN;
      if (typeof next === 'number') {
        errno = next;
        return -1;
      }
      bytes.set(next);
      return next.length;
    },
    errno: () => errno,
  };
}

const ack = (sequence: number) =>
  message({ type: 2, flags: 0, sequence, portId: 1 }, i32(0), Buffer.alloc(16));
const event = (type: number) => message({ type, flags: 0, sequence: 0, portId: 0 }, Buffer.alloc(16));

describe('a socket that cannot be had', () => {
  const table: [scenario: string, libc: Partial<Libc>, text: RegExp][] = [
    ['no socket', { socket: () => -1, errno: () => EPERM }, /socket: EPERM/],
    ['no port', { bind: () => -1, errno: () => EINVAL }, /bind: EINVAL/],
    ['nothing goes out', { send: () => -1, errno: () => EMSGSIZE }, /send: EMSGSIZE/],
    ['nothing comes in', { recv: () => -1, errno: () => EINVAL }, /recv: EINVAL/],
  ];
  for (const [scenario, replaced, text] of table) {
    it(`${scenario}: says so and leaves no descriptor behind`, () => {
      const { libc, calls } = scriptedLibc(replaced);
      assert.throws(() => NetlinkConnection.open({ libc, protocol: 0 }), socketError(text));
      assert.equal(calls.includes('close 3'), replaced.socket === undefined);
    });
  }

  it('a kernel that is silent about a ping is no kernel', () => {
    const { libc } = scriptedLibc();
    assert.throws(
      () => NetlinkConnection.open({ libc, protocol: 0 }),
      (error) => isLvsError(error, 'LVS_NETLINK_NO_ANSWER'),
    );
  });

  it('an interrupted receive is repeated', () => {
    const { libc } = scriptedLibc(receiving(EINTR, EINTR, ack(1)));
    NetlinkConnection.open({ libc, protocol: 0 }).close();
  });

  it('queues are asked for by force first, then politely', () => {
    const plain = scriptedLibc({ ...receiving(ack(1)), setsockopt: () => -1 });
    NetlinkConnection.open({ libc: plain.libc, protocol: 0, isStrict: true }).close();
    const options = plain.calls.filter((call) => call.startsWith('setsockopt'));
    assert.deepEqual(options, [
      'setsockopt 3 1 33 4',
      'setsockopt 3 1 8 4',
      'setsockopt 3 1 32 4',
      'setsockopt 3 1 7 4',
      'setsockopt 3 270 10 4',
      'setsockopt 3 270 11 4',
      'setsockopt 3 270 12 4',
    ]);
  });

  it('a datagram longer than the buffer is an error and not half an answer', () => {
    const { libc } = scriptedLibc({ recv: (_fd, bytes) => bytes.length + 1 });
    assert.throws(
      () => NetlinkConnection.open({ libc, protocol: 0 }),
      (error) => isLvsError(error, 'LVS_NETLINK_TRUNCATED'),
    );
  });

  it('closing twice closes once', () => {
    const { libc, calls } = scriptedLibc(receiving(ack(1)));
    const connection = NetlinkConnection.open({ libc, protocol: 0 });
    connection.close();
    connection.close();
    assert.equal(calls.filter((call) => call === 'close 3').length, 1);
  });
});

describe('inNetns', () => {
  it('comes home, and closes what it opened, even when the body fails', () => {
    let fd = 10;
    const { libc, calls } = scriptedLibc({ openReadOnly: () => fd++ });
    const failure = new Error('body');
    assert.throws(
      () =>
        inNetns(libc, '/run/netns/x', () => {
          calls.push('body');
          throw failure;
        }),
      failure,
    );
    assert.deepEqual(calls, [
      'open /proc/thread-self/ns/net',
      'open /run/netns/x',
      'setns 11 1073741824',
      'close 11',
      'body',
      'setns 10 1073741824',
      'close 10',
    ]);
  });

  it('without a namespace nothing is entered', () => {
    const { libc, calls } = scriptedLibc();
    assert.equal(
      inNetns(libc, undefined, () => 5),
      5,
    );
    assert.deepEqual(calls, []);
  });

  const failures: [scenario: string, replaced: Partial<Libc>, text: RegExp, opened: number][] = [
    [
      'a namespace that does not exist',
      { openReadOnly: (path) => (path.startsWith('/run') ? -1 : 10), errno: () => ENOENT },
      /open \/run\/netns\/x: ENOENT/,
      1,
    ],
    [
      'a namespace that may not be entered',
      { setns: () => -1, errno: () => EPERM },
      /setns \/run\/netns\/x: EPERM/,
      2,
    ],
  ];
  for (const [scenario, replaced, text, opened] of failures) {
    it(`${scenario}: the body does not run`, () => {
      const { libc, calls } = scriptedLibc(replaced);
      assert.throws(() => inNetns(libc, '/run/netns/x', () => assert.fail('ran')), socketError(text));
      assert.equal(calls.filter((call) => call.startsWith('close')).length, opened);
    });
  }
});

describe('a monitor', () => {
  it('joins its groups and hands out what waits, without waiting itself', () => {
    const { libc, calls } = scriptedLibc(receiving(event(20), Buffer.concat([event(21), event(16)])));
    const lines: string[] = [];
    const monitor = NetlinkMonitor.open({
      libc,
      protocol: 0,
      groups: [1, 5],
      debug: { sink: (line) => lines.push(line) },
    });
    assert.equal(calls.filter((call) => call === 'setsockopt 3 270 1 4').length, 2);
    const types: number[] = [];
    assert.equal(
      monitor.drainEvents(({ type }) => types.push(type)),
      true,
    );
    assert.deepEqual(types, [20, 21, 16]);
    assert.equal(lines.length, 3);
    assert.equal(
      monitor.drainEvents(() => assert.fail('nothing came')),
      true,
    );
    monitor.close();
  });

  it('tells when events were lost', () => {
    const { libc } = scriptedLibc(receiving(event(20), ENOBUFS, event(21)));
    const monitor = NetlinkMonitor.open({ libc, protocol: 0, groups: [] });
    let events = 0;
    assert.equal(
      monitor.drainEvents(() => events++),
      false,
    );
    assert.equal(events, 2);
  });

  it('that may not join is not opened', () => {
    const { libc, calls } = scriptedLibc({
      setsockopt: (_fd, level) => (level === 270 ? -1 : 0),
      errno: () => EPERM,
    });
    assert.throws(
      () => NetlinkMonitor.open({ libc, protocol: 0, groups: [1] }),
      socketError(/ADD_MEMBERSHIP: EPERM/),
    );
    assert.ok(calls.includes('close 3'));
  });
});
