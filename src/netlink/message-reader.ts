import { LvsError } from '../base/index.ts';
import { AttributeReader } from './attribute-reader.ts';
import { isLittleEndianHost } from './message-writer.ts';
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSGERR_ATTR_MSG, NLMSG_HDRLEN, netlinkAlign } from './uapi.ts';

/**
 * Walks the messages of one received datagram. `next()` moves to the following message; the getters read the current
 * one. Offsets of the integer getters count from the end of the nlmsghdr, where the family header begins, so that
 * `message.i32(4)` is `ifi_index` of a struct ifinfomsg.
 *
 * Views share the receive buffer: copy what must outlive the callback.
 *
 * @throws LvsError LVS_NETLINK_TRUNCATED when a length or an offset leads outside the message.
 */
export class MessageReader {
  readonly #view: DataView;
  #end: number;
  #next = 0;
  #start = 0;
  #length = 0;

  /** @param length meaningful bytes at the start of `bytes`. */
  constructor(bytes: Uint8Array, length = bytes.length) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = length;
  }

  /** Starts over on the same buffer, which now holds another datagram of `length` bytes. */
  reset(length: number): void {
    this.#end = length;
    this.#next = 0;
    this.#start = 0;
    this.#length = 0;
  }

  next(): boolean {
    const left = this.#end - this.#next;
    if (left <= 0) return false;
    const length = left < NLMSG_HDRLEN ? 0 : this.#view.getUint32(this.#next, isLittleEndianHost);
    if (length < NLMSG_HDRLEN || length > left) {
      throw new LvsError(
        'LVS_NETLINK_TRUNCATED',
        `A netlink message claims ${length} bytes where ${left} are left in the datagram.`,
      );
    }
    this.#start = this.#next;
    this.#length = length;
    this.#next += netlinkAlign(length);
    return true;
  }

  get type(): number {
    return this.#view.getUint16(this.#start + 4, isLittleEndianHost);
  }

  get flags(): number {
    return this.#view.getUint16(this.#start + 6, isLittleEndianHost);
  }

  get sequence(): number {
    return this.#view.getUint32(this.#start + 8, isLittleEndianHost);
  }

  get portId(): number {
    return this.#view.getUint32(this.#start + 12, isLittleEndianHost);
  }

  /** Bytes after the nlmsghdr. */
  get payloadLength(): number {
    return this.#length - NLMSG_HDRLEN;
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.#at(offset, 1));
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.#at(offset, 2), isLittleEndianHost);
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#at(offset, 4), isLittleEndianHost);
  }

  i32(offset: number): number {
    return this.#view.getInt32(this.#at(offset, 4), isLittleEndianHost);
  }

  /**
   * The attributes behind a family header.
   * @param headerLength bytes of the family header: 4 for genlmsghdr, 8 for ifaddrmsg, 16 for ifinfomsg.
   * @param context names the message in errors.
   */
  attributes(headerLength: number, context: string): AttributeReader {
    const aligned = netlinkAlign(headerLength);
    if (this.payloadLength < headerLength) this.#at(headerLength - 1, 1);
    const start = Math.min(this.#start + NLMSG_HDRLEN + aligned, this.#start + this.#length);
    return new AttributeReader(this.#view, start, this.#start + this.#length, context);
  }

  /** A copy of the whole message, header included. */
  copy(): Uint8Array {
    return this.#bytes().slice();
  }

  /** Of an NLMSG_ERROR or NLMSG_DONE message: 0 or the positive errno. */
  errorNumber(): number {
    return 0 - this.i32(0);
  }

  /** Extended-ack text of an NLMSG_ERROR message, if the kernel sent one. */
  extendedAckText(): string | undefined {
    if ((this.flags & NLM_F_ACK_TLVS) === 0) return undefined;
    // i32 error, then the request's header; its body too, unless the socket asked for capped acks.
    const requestLength = (this.flags & NLM_F_CAPPED) === 0 ? this.u32(4) : NLMSG_HDRLEN;
    // Checked before it is rounded up: netlinkAlign() is 32-bit arithmetic and turns a huge length negative.
    this.#at(4, requestLength);
    const attributes = this.attributes(4 + netlinkAlign(requestLength), 'extended ack');
    while (attributes.next()) {
      if (attributes.type === NLMSGERR_ATTR_MSG) return attributes.string('NLMSGERR_ATTR_MSG');
    }
    return undefined;
  }

  #bytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#start, this.#length);
  }

  #at(offset: number, length: number): number {
    if (offset < 0 || offset + length > this.payloadLength) {
      throw new LvsError(
        'LVS_NETLINK_TRUNCATED',
        `A netlink message of type ${this.type} ends after ${this.payloadLength} bytes; ` +
          `${offset + length} were expected.`,
      );
    }
    return this.#start + NLMSG_HDRLEN + offset;
  }
}
