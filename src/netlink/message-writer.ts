import { assert } from '../base/index.ts';
import { NLA_F_NESTED, NLA_HDRLEN, NLMSG_HDRLEN, netlinkAlign } from './uapi.ts';

/** True on every machine that we run on (amd64, arm64); netlink integers are in host order. */
export const isLittleEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const initialBytes = 16 * 1024;
const limitBytes = 16 * 1024 * 1024;
const textEncoder = new TextEncoder();

/**
 * Builds netlink messages one after the other in a single buffer that is reused for ever: encoding allocates nothing,
 * which is what makes bulk programming fast (allocation cost five times more than the kernel did).
 *
 * ```
 * begin(type, flags, seq) … header of the family … attributes … end()     begin(…) … end()
 * └ nlmsghdr: length is reserved, patched by end()                        └ starts at the next multiple of 4
 * ```
 * Byte order is in the method name: `u16be` and `u32be` are network order, all others host order.
 */
export class MessageWriter {
  #bytes = new Uint8Array(initialBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #messageStart = -1;

  /** Everything written since `reset`. Valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The backing buffer, of which the first `length` bytes are meaningful. Spares a view per send. */
  get buffer(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  reset(): void {
    this.#length = 0;
    this.#messageStart = -1;
  }

  /** struct nlmsghdr. The port id is 0: the kernel knows the sender. */
  begin(type: number, flags: number, sequence: number): void {
    assert(this.#messageStart < 0, 'a netlink message was begun inside another');
    this.#messageStart = this.#length;
    this.u32(0);
    this.u16(type);
    this.u16(flags);
    this.u32(sequence);
    this.u32(0);
  }

  end(): void {
    assert(this.#messageStart >= 0, 'a netlink message was ended that was not begun');
    const length = this.#length - this.#messageStart;
    assert(length >= NLMSG_HDRLEN, 'a netlink message is shorter than its header');
    this.#view.setUint32(this.#messageStart, length, isLittleEndianHost);
    this.#pad();
    this.#messageStart = -1;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, isLittleEndianHost);
    this.#length += 2;
  }

  u16be(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, false);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, isLittleEndianHost);
    this.#length += 4;
  }

  u32be(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, false);
    this.#length += 4;
  }

  i32(value: number): void {
    this.#reserve(4);
    this.#view.setInt32(this.#length, value, isLittleEndianHost);
    this.#length += 4;
  }

  u64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#length, value, isLittleEndianHost);
    this.#length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  zeros(count: number): void {
    this.#reserve(count);
    this.#bytes.fill(0, this.#length, this.#length + count);
    this.#length += count;
  }

  /** Opens an attribute of any length; write its payload, then `endAttribute` with the offset returned here. */
  beginAttribute(type: number): number {
    const start = this.#length;
    this.u16(0);
    this.u16(type);
    return start;
  }

  endAttribute(start: number): void {
    const length = this.#length - start;
    assert(length <= 0xffff, 'a netlink attribute is longer than 65535 bytes');
    this.#view.setUint16(start, length, isLittleEndianHost);
    this.#pad();
  }

  beginNested(type: number): number {
    return this.beginAttribute(type | NLA_F_NESTED);
  }

  endNested(start: number): void {
    this.endAttribute(start);
  }

  attributeU8(type: number, value: number): void {
    this.#header(type, 1);
    this.u8(value);
    this.zeros(3);
  }

  attributeU16(type: number, value: number): void {
    this.#header(type, 2);
    this.u16(value);
    this.u16(0);
  }

  attributeU16be(type: number, value: number): void {
    this.#header(type, 2);
    this.u16be(value);
    this.u16(0);
  }

  attributeU32(type: number, value: number): void {
    this.#header(type, 4);
    this.u32(value);
  }

  attributeU32be(type: number, value: number): void {
    this.#header(type, 4);
    this.u32be(value);
  }

  attributeI32(type: number, value: number): void {
    this.#header(type, 4);
    this.i32(value);
  }

  attributeU64(type: number, value: bigint): void {
    this.#header(type, 8);
    this.u64(value);
  }

  attributeBytes(type: number, bytes: Uint8Array): void {
    this.#header(type, bytes.length);
    this.raw(bytes);
    this.#pad();
  }

  /** NUL-terminated, as the kernel's NLA_NUL_STRING wants it. UTF-8. */
  attributeString(type: number, text: string): void {
    assert(!text.includes('\0'), 'a netlink string holds a NUL byte');
    const start = this.beginAttribute(type);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.raw(textEncoder.encode(text.slice(i)));
        break;
      }
      this.u8(code);
    }
    this.u8(0);
    this.endAttribute(start);
  }

  attributeFlag(type: number): void {
    this.#header(type, 0);
  }

  #header(type: number, payloadLength: number): void {
    this.u16(NLA_HDRLEN + payloadLength);
    this.u16(type);
  }

  #pad(): void {
    this.zeros(netlinkAlign(this.#length) - this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    assert(needed <= limitBytes, 'a netlink batch is larger than 16 MiB');
    let capacity = this.#bytes.length * 2;
    while (capacity < needed) capacity *= 2;
    const bytes = new Uint8Array(capacity);
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
