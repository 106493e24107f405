import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { LvsError } from '../base/index.ts';

/**
 * The few calls of the C library that netlink needs, synchronous and on the calling thread (a network namespace is a
 * property of the thread, so nothing here may run on another one). Every call returns what C returns, -1 on failure,
 * and `errno()` is right only straight after the call. Tests put a fake in this place.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  /** With MSG_TRUNC in `flags` the true length of the datagram, even if it did not fit. */
  recv(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  sendto(
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  /** `length` is a 4-byte in/out integer in host order, as in C. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  close(fd: number): number;
  /** open(2) with O_RDONLY | O_CLOEXEC. */
  openReadOnly(path: string): number;
  setns(fd: number, type: number): number;
  errno(): number;
}

let loaded: Libc | undefined;

/**
 * The C library of this process, loaded at the first call and shared afterwards.
 * @throws LvsError LVS_LIBC_UNAVAILABLE
 */
export function loadLibc(): Libc {
  loaded ??= bindLibc();
  return loaded;
}

function bindLibc(): Libc {
  try {
    // Required at the first use rather than imported: reading manifests and planning must work without it.
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    // null is the process itself, which has libc mapped; it spares us the name, which differs between glibc and musl.
    const library = koffi.load(null);
    // Buffers pass as pointers without a copy. ssize_t is written intptr_t, the name that koffi knows.
    const open = library.func('int open(const char *path, int flags)') as (
      path: string,
      flags: number,
    ) => number;
    return {
      socket: library.func('int socket(int domain, int type, int protocol)') as Libc['socket'],
      bind: library.func('int bind(int fd, void *address, unsigned int length)') as Libc['bind'],
      send: library.func('intptr_t send(int fd, void *bytes, size_t length, int flags)') as Libc['send'],
      recv: library.func('intptr_t recv(int fd, void *bytes, size_t length, int flags)') as Libc['recv'],
      sendto: library.func(
        'intptr_t sendto(int fd, void *bytes, size_t length, int flags, void *address, unsigned int addressLength)',
      ) as Libc['sendto'],
      setsockopt: library.func(
        'int setsockopt(int fd, int level, int option, void *value, unsigned int length)',
      ) as Libc['setsockopt'],
      getsockopt: library.func(
        'int getsockopt(int fd, int level, int option, void *value, void *length)',
      ) as Libc['getsockopt'],
      getsockname: library.func(
        'int getsockname(int fd, void *address, void *length)',
      ) as Libc['getsockname'],
      close: library.func('int close(int fd)') as Libc['close'],
      openReadOnly: (path) => open(path, O_RDONLY_CLOEXEC),
      setns: library.func('int setns(int fd, int type)') as Libc['setns'],
      errno: () => koffi.errno(),
    };
  } catch (cause) {
    throw new LvsError('LVS_LIBC_UNAVAILABLE', 'The C library could not be called from this process.', {
      cause,
      hint: 'lvs-operator programs the kernel on Linux only; the koffi package must be installed next to it.',
    });
  }
}

/** O_RDONLY | O_CLOEXEC (asm-generic/fcntl.h; the same on amd64 and arm64). */
const O_RDONLY_CLOEXEC = 0o2000000;
