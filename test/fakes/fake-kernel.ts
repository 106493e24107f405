import type { Libc } from '../../src/netlink/index.ts';
import { FakeIpvs } from './fake-ipvs.ts';
import type { FakeIpvsOptions } from './fake-ipvs.ts';
import {
  attribute,
  genericHeader,
  i32,
  message,
  nulString,
  readAttributes,
  readMessages,
  u16,
  u32,
} from './wire.ts';
import type { Message, MessageHead } from './wire.ts';

/**
 * A kernel with generic netlink and IPVS behind the Libc interface: bytes in, bytes out. What it imitates of
 * net/netlink/af_netlink.c is what a client can trip over: answers queue inside send(), dumps come in chunks sized by
 * the largest receive so far and are resumed by ordinal number, a full receive queue loses answers and says ENOBUFS
 * once, an unfinished dump refuses the next with EBUSY, and -EINTR is answered by nothing at all.
 */

const EPERM = 1;
const ENOENT = 2;
const EINTR = 4;
const EBADF = 9;
const EAGAIN = 11;
const EBUSY = 16;
const EMSGSIZE = 90;
const EOPNOTSUPP = 95;
const ENOBUFS = 105;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSG_MIN_TYPE = 16;
const NLM_F_REQUEST = 1;
const NLM_F_MULTI = 2;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED = 0x100;
const SOL_SOCKET = 1;
const GENL_ID_CTRL = 16;

/** An skb with an acknowledgement in it is charged so much of the receive queue (6.18). */
const acknowledgementCharge = 832;
const defaultQueueBytes = 212_992;
/** SKB_WITH_OVERHEAD of one page and of 32 KiB. */
const chunkBytesMin = 4096 - 320;
const chunkBytesMax = 32_768 - 320;

export interface FakeKernelOptions extends FakeIpvsOptions {
  /** CAP_NET_ADMIN. @default true */
  readonly isPrivileged?: boolean;
  /** Whether asking for the family finds or loads the module. @default true */
  readonly hasModule?: boolean;
  /** Whether the large queues that the client asks for are granted. @default true */
  readonly grantsQueues?: boolean;
  /** Receive queue that no socket option changes, to make it overrun. @default the kernel's, which options change */
  readonly queueBytes?: number;
}

interface Dump {
  readonly request: Message;
  position: number;
}

interface Socket {
  readonly portId: number;
  readonly queue: { bytes: Buffer; charge: number }[];
  receiveQueueBytes: number;
  sendQueueBytes: number;
  charged: number;
  largestReceive: number;
  dump: Dump | undefined;
  isCongested: boolean;
  pendingError: number;
}

export class FakeKernel {
  ipvs: FakeIpvs;
  /** Runs before each chunk of a dump but the first: the moment for another hand on the table. */
  beforeNextChunk: ((command: number) => void) | undefined;
  /** Every datagram that was sent, for tests that count or look. */
  readonly sent: Buffer[] = [];
  readonly #options: FakeKernelOptions;
  readonly #sockets = new Map<number, Socket>();
  #familyId = 28;
  #nextFd = 100;
  #errno = 0;

  constructor(options: FakeKernelOptions = {}) {
    this.#options = options;
    this.ipvs = new FakeIpvs(options);
  }

  /** rmmod and modprobe: an empty table behind another family id. */
  reloadModule(): void {
    this.#familyId += 1;
    this.ipvs = new FakeIpvs(this.#options);
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** The system calls of a process of this kernel. */
  readonly libc: Libc = {
    socket: () => this.#open(),
    bind: (fd) => this.#on(fd, () => 0),
    send: (fd, bytes, length) =>
      this.#on(fd, (socket) => this.#send(socket, Buffer.from(bytes.subarray(0, length)))),
    recv: (fd, bytes, length) => this.#on(fd, (socket) => this.#receive(socket, bytes.subarray(0, length))),
    sendto: () => this.#fail(EOPNOTSUPP),
    setsockopt: (fd, level, option, value) =>
      this.#on(fd, (socket) => this.#setOption(socket, level, option, Buffer.from(value).readInt32LE(0))),
    getsockopt: () => this.#fail(EOPNOTSUPP),
    getsockname: () => this.#fail(EOPNOTSUPP),
    close: (fd) => (this.#sockets.delete(fd) ? 0 : this.#fail(EBADF)),
    openReadOnly: () => this.#fail(ENOENT),
    setns: () => this.#fail(EPERM),
    errno: () => this.#errno,
  };

  #fail(errno: number): -1 {
    this.#errno = errno;
    return -1;
  }

  #on(fd: number, body: (socket: Socket) => number): number {
    const socket = this.#sockets.get(fd);
    return socket === undefined ? this.#fail(EBADF) : body(socket);
  }

  #open(): number {
    const fd = this.#nextFd++;
    this.#sockets.set(fd, {
      portId: 4000 + fd,
      queue: [],
      receiveQueueBytes: this.#options.queueBytes ?? defaultQueueBytes,
      sendQueueBytes: defaultQueueBytes,
      charged: 0,
      largestReceive: 0,
      dump: undefined,
      isCongested: false,
      pendingError: 0,
    });
    return fd;
  }

  #setOption(socket: Socket, level: number, option: number, value: number): number {
    if (level !== SOL_SOCKET) return 0;
    if (this.#options.grantsQueues === false) return this.#fail(EPERM);
    // The kernel doubles what it is asked for. 7 and 32: SO_SNDBUF and its forced form; 8 and 33: SO_RCVBUF.
    if (option === 7 || option === 32) socket.sendQueueBytes = value * 2;
    if ((option === 8 || option === 33) && this.#options.queueBytes === undefined)
      socket.receiveQueueBytes = value * 2;
    return 0;
  }

  #send(socket: Socket, datagram: Buffer): number {
    if (datagram.length > socket.sendQueueBytes - 32) return this.#fail(EMSGSIZE);
    this.sent.push(datagram);
    for (const request of readMessages(datagram)) {
      if ((request.flags & NLM_F_REQUEST) === 0) continue;
      const errno = request.type < NLMSG_MIN_TYPE ? 0 : this.#handle(socket, request);
      if (errno === EINTR) continue;
      if (errno !== 0 || (request.flags & NLM_F_ACK) !== 0) this.#acknowledge(socket, request, errno);
    }
    return datagram.length;
  }

  /** genl_rcv_msg. @returns errno; EINTR where the kernel stays silent, as it does after starting a dump */
  #handle(socket: Socket, request: Message): number {
    const command = request.payload[0] ?? 0;
    const isDump = (request.flags & NLM_F_DUMP) === NLM_F_DUMP;
    const hasModule = this.#options.hasModule !== false;
    if (request.type === GENL_ID_CTRL) return this.#answerFamily(socket, request, hasModule);
    if (request.type !== this.#familyId || !hasModule) return ENOENT;
    if (isDump && this.ipvs.dump(command, request.payload.subarray(4), 0) === undefined) return EOPNOTSUPP;
    if (!isDump && (command === 8 || command === 11)) return EOPNOTSUPP;
    if (this.#options.isPrivileged === false) return EPERM;
    if (isDump) {
      if (socket.dump !== undefined) return EBUSY;
      socket.dump = { request, position: 0 };
      this.#fillChunk(socket);
      return EINTR;
    }
    const { errno, replies } = this.ipvs.do(command, request.payload.subarray(4));
    for (const reply of replies) this.#enqueue(socket, message(this.#head(socket, request, 0), reply));
    return errno;
  }

  #head(socket: Socket, request: Message, flags: number, type = this.#familyId): MessageHead {
    return { type, flags, sequence: request.sequence, portId: socket.portId };
  }

  #answerFamily(socket: Socket, request: Message, hasModule: boolean): number {
    const name = readAttributes(request.payload.subarray(4)).get(2)?.toString('latin1');
    if (name !== 'IPVS\0' || !hasModule) return ENOENT;
    const fields = [
      attribute(2, nulString('IPVS')),
      attribute(1, u16(this.#familyId)),
      attribute(3, u32(1)),
      attribute(4, u32(0)),
      attribute(5, u32(6)),
    ];
    this.#enqueue(
      socket,
      message(this.#head(socket, request, 0, GENL_ID_CTRL), genericHeader(1, 2), ...fields),
    );
    return 0;
  }

  #acknowledge(socket: Socket, request: Message, errno: number): void {
    const head = this.#head(socket, request, NLM_F_CAPPED, NLMSG_ERROR);
    this.#enqueue(socket, message(head, i32(-errno), request.bytes.subarray(0, 16)), acknowledgementCharge);
  }

  /** netlink_dump: records while they fit one buffer; when none is left, the end in a datagram of its own. */
  #fillChunk(socket: Socket): void {
    const { dump } = socket;
    if (dump === undefined) return;
    const command = dump.request.payload[0] ?? 0;
    const capacity = Math.max(chunkBytesMin, Math.min(socket.largestReceive, chunkBytesMax));
    const head = this.#head(socket, dump.request, NLM_F_MULTI);
    const records: Buffer[] = [];
    let length = 0;
    for (const record of this.ipvs.dump(command, dump.request.payload.subarray(4), dump.position) ?? []) {
      const bytes = message(head, record);
      if (length + bytes.length > capacity) break;
      records.push(bytes);
      length += bytes.length;
    }
    dump.position += records.length;
    if (records.length > 0) {
      this.#enqueue(socket, Buffer.concat(records), capacity + 512);
      return;
    }
    socket.dump = undefined;
    this.#enqueue(socket, message({ ...head, type: NLMSG_DONE }, i32(0)));
  }

  #enqueue(socket: Socket, bytes: Buffer, charge = bytes.length + 576): void {
    if (socket.isCongested || socket.charged > socket.receiveQueueBytes) {
      if (!socket.isCongested) socket.pendingError = ENOBUFS;
      socket.isCongested = true;
      return;
    }
    socket.queue.push({ bytes, charge });
    socket.charged += charge;
  }

  #receive(socket: Socket, buffer: Uint8Array): number {
    if (socket.pendingError !== 0) {
      const errno = socket.pendingError;
      socket.pendingError = 0;
      return this.#fail(errno);
    }
    const datagram = socket.queue.shift();
    if (datagram === undefined) {
      socket.isCongested = false;
      return this.#fail(EAGAIN);
    }
    buffer.set(datagram.bytes.subarray(0, buffer.length));
    socket.charged -= datagram.charge;
    socket.largestReceive = Math.max(socket.largestReceive, buffer.length);
    if (socket.dump !== undefined && socket.charged <= socket.receiveQueueBytes / 2) {
      this.beforeNextChunk?.(socket.dump.request.payload[0] ?? 0);
      this.#fillChunk(socket);
    }
    if (socket.queue.length === 0) socket.isCongested = false;
    return datagram.bytes.length;
  }
}
