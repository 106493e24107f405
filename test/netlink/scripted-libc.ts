import type { Libc } from '../../src/netlink/index.ts';

/** A C library in which every call works and nothing is ever received, but for what a test replaces; calls are noted. */
export function scriptedLibc(replaced: Partial<Libc> = {}): { libc: Libc; calls: string[] } {
  const calls: string[] = [];
  const base: Libc = {
    socket: () => 3,
    bind: () => 0,
    send: (_fd, _bytes, length) => length,
    recv: () => -1,
    sendto: () => -1,
    setsockopt: () => 0,
    getsockopt: () => -1,
    getsockname: () => -1,
    close: () => 0,
    openReadOnly: () => 10,
    setns: () => 0,
    errno: () => 11,
    ...replaced,
  };
  const note =
    <A extends unknown[]>(name: string, call: (...args: A) => number) =>
    (...args: A): number => {
      calls.push(`${name} ${args.filter((arg) => typeof arg !== 'object').join(' ')}`.trim());
      return call(...args);
    };
  return {
    calls,
    libc: {
      ...base,
      socket: note('socket', (...args) => base.socket(...args)),
      setsockopt: note('setsockopt', (...args) => base.setsockopt(...args)),
      close: note('close', (...args) => base.close(...args)),
      openReadOnly: note('open', (...args) => base.openReadOnly(...args)),
      setns: note('setns', (...args) => base.setns(...args)),
    },
  };
}
