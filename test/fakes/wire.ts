/**
 * Bytes of netlink as the kernel's side writes and reads them: a second implementation that shares nothing with src/,
 * so that a mistake there is not repeated here. Little endian only, as every machine that runs these tests is.
 */

export type Attributes = ReadonlyMap<number, Buffer>;

/** Payload of a run of attributes by type (flag bits cleared); the kernel keeps the last of equal types. */
export function readAttributes(bytes: Buffer): Attributes {
  const found = new Map<number, Buffer>();
  let rest = bytes;
  while (rest.length >= 4) {
    const length = rest.readUInt16LE(0);
    if (length < 4 || length > rest.length) break;
    found.set(rest.readUInt16LE(2) & 0x3fff, rest.subarray(4, length));
    rest = rest.subarray(Math.min(rest.length, (length + 3) & ~3));
  }
  return found;
}

export function attribute(type: number, ...payload: readonly Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  const length = 4 + body.length;
  return Buffer.concat([u16(length), u16(type), body, Buffer.alloc(-length & 3)]);
}

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function u16be(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

export function nulString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
  /** The whole message, unpadded. */
  readonly bytes: Buffer;
}

/** struct nlmsghdr and what follows; messages begin at multiples of 4. */
export function readMessages(datagram: Buffer): Message[] {
  const messages: Message[] = [];
  let rest = datagram;
  while (rest.length >= 16) {
    const length = rest.readUInt32LE(0);
    if (length < 16 || length > rest.length) break;
    messages.push({
      type: rest.readUInt16LE(4),
      flags: rest.readUInt16LE(6),
      sequence: rest.readUInt32LE(8),
      payload: rest.subarray(16, length),
      bytes: rest.subarray(0, length),
    });
    rest = rest.subarray(Math.min(rest.length, (length + 3) & ~3));
  }
  return messages;
}

export interface MessageHead {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
}

/** Padded to a multiple of 4, the length in the header not. */
export function message(head: MessageHead, ...payload: readonly Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  return Buffer.concat([
    u32(16 + body.length),
    u16(head.type),
    u16(head.flags),
    u32(head.sequence),
    u32(head.portId),
    body,
    Buffer.alloc(-body.length & 3),
  ]);
}

/** struct genlmsghdr. */
export function genericHeader(command: number, version = 1): Buffer {
  return Buffer.from([command, version, 0, 0]);
}
