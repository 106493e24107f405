/**
 * The floor for programming: the very datagrams that our client sends, sent again without any encoding, decoding or
 * bookkeeping. What is above it is ours to improve, what is below is the kernel's and the C library's.
 */
import type { Libc } from '../src/netlink/index.ts';

const domain = 16; // AF_NETLINK
const type = 3 | 0x80000; // SOCK_RAW | SOCK_CLOEXEC
const genericNetlink = 16; // NETLINK_GENERIC
const dontWait = 0x40; // MSG_DONTWAIT

/** Runs `body` with a C library that remembers what was sent, but for the family lookup at the beginning. */
export function recordDatagrams(libc: Libc, body: (recorder: Libc) => void): Uint8Array[] {
  const sent: Uint8Array[] = [];
  body({
    ...libc,
    send: (fd, bytes, length, flags) => {
      sent.push(bytes.slice(0, length));
      return libc.send(fd, bytes, length, flags);
    },
  });
  // A batch is larger than any single request.
  return sent.filter((datagram) => datagram.length > 200);
}

/** Sends each datagram and reads its answers away. */
export function replayDatagrams(libc: Libc, datagrams: readonly Uint8Array[]): void {
  const fd = libc.socket(domain, type, genericNetlink);
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (const datagram of datagrams) {
      if (libc.send(fd, datagram, datagram.length, 0) !== datagram.length) {
        throw new Error(`a replayed datagram was refused: errno ${libc.errno()}`);
      }
      while (libc.recv(fd, buffer, buffer.length, dontWait) > 0);
    }
  } finally {
    libc.close(fd);
  }
}
