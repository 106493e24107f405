import { LvsError } from '../base/index.ts';
import { isLittleEndianHost } from './message-writer.ts';
import { NLA_HDRLEN, NLA_TYPE_MASK, netlinkAlign } from './uapi.ts';

const textDecoder = new TextDecoder('utf-8');

/**
 * Walks a run of attributes (struct nlattr). `next()` moves to the following one; the typed getters read the current
 * one, demand the exact length of their type and name the attribute when it is wrong. Unknown attributes are skipped
 * by not asking for them; a malformed one is an error.
 *
 * Views share the receive buffer: copy what must outlive the callback.
 *
 * @throws LvsError LVS_NETLINK_TRUNCATED when a length field leads outside the run,
 * LVS_NETLINK_MALFORMED when a getter meets a length that its type does not allow.
 */
export class AttributeReader {
  readonly #view: DataView;
  readonly #end: number;
  readonly #context: string;
  #next: number;
  #start = 0;
  #length = 0;
  #type = 0;

  /** @param context names the run in errors, such as `IPVS_CMD_ATTR_SERVICE`. */
  constructor(view: DataView, start: number, end: number, context: string) {
    this.#view = view;
    this.#next = start;
    this.#end = end;
    this.#context = context;
  }

  next(): boolean {
    const left = this.#end - this.#next;
    // Fewer bytes than a header can only be padding; the kernel's nla_ok() stops here too.
    if (left < NLA_HDRLEN) return false;
    const length = this.#view.getUint16(this.#next, isLittleEndianHost);
    if (length < NLA_HDRLEN || length > left) {
      throw new LvsError(
        'LVS_NETLINK_TRUNCATED',
        `${this.#context}: an attribute claims ${length} bytes where ${left} are left.`,
      );
    }
    this.#type = this.#view.getUint16(this.#next + 2, isLittleEndianHost) & NLA_TYPE_MASK;
    this.#start = this.#next + NLA_HDRLEN;
    this.#length = length - NLA_HDRLEN;
    this.#next += netlinkAlign(length);
    return true;
  }

  /** Type of the current attribute without its two flag bits. */
  get type(): number {
    return this.#type;
  }

  /** Payload bytes of the current attribute. */
  get length(): number {
    return this.#length;
  }

  u8(name: string): number {
    this.#expect(name, 1);
    return this.#view.getUint8(this.#start);
  }

  u16(name: string): number {
    this.#expect(name, 2);
    return this.#view.getUint16(this.#start, isLittleEndianHost);
  }

  u16be(name: string): number {
    this.#expect(name, 2);
    return this.#view.getUint16(this.#start, false);
  }

  u32(name: string): number {
    this.#expect(name, 4);
    return this.#view.getUint32(this.#start, isLittleEndianHost);
  }

  u32be(name: string): number {
    this.#expect(name, 4);
    return this.#view.getUint32(this.#start, false);
  }

  i32(name: string): number {
    this.#expect(name, 4);
    return this.#view.getInt32(this.#start, isLittleEndianHost);
  }

  u64(name: string): bigint {
    this.#expect(name, 8);
    return this.#view.getBigUint64(this.#start, isLittleEndianHost);
  }

  /** A view into the receive buffer; copy it to keep it. */
  bytes(name: string, expectedLength?: number): Uint8Array {
    if (expectedLength !== undefined) this.#expect(name, expectedLength);
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#start, this.#length);
  }

  /** Text up to the first NUL, which the kernel always sends. */
  string(name: string): string {
    const bytes = this.bytes(name);
    const end = bytes.indexOf(0);
    return textDecoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  nested(name: string): AttributeReader {
    return new AttributeReader(this.#view, this.#start, this.#start + this.#length, name);
  }

  /** The error for a value that has the right length and is still impossible. */
  malformed(name: string, reason: string): LvsError {
    return new LvsError('LVS_NETLINK_MALFORMED', `${this.#context}: ${name} ${reason}.`);
  }

  #expect(name: string, length: number): void {
    if (this.#length !== length) throw this.malformed(name, `has ${this.#length} bytes instead of ${length}`);
  }
}
