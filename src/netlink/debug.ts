import { ipFromBytes, isLvsError } from '../base/index.ts';
import type { AttributeReader } from './attribute-reader.ts';
import { formatErrno } from './errno.ts';
import type { MessageReader } from './message-reader.ts';
import { isLittleEndianHost } from './message-writer.ts';
import { NLMSG_DONE, NLMSG_ERROR, NLMSG_MIN_TYPE } from './uapi.ts';

/** What a family knows of its own messages, for NETLINK_DEBUG. All numbers print as they are where a name lacks. */
export interface NetlinkNames {
  /** `IPVS_CMD_NEW_DEST`, `RTM_NEWADDR`; undefined when unknown. */
  messageName(message: MessageReader): string | undefined;
  /** Bytes of the family header of this message. */
  headerLength(message: MessageReader): number;
  /** The attributes that follow the header in this message. */
  attributes(message: MessageReader): AttributeNames;
}

/** By attribute type. Without a hint the payload prints as hex. */
export type AttributeNames = Readonly<Record<number, AttributeName>>;

export interface AttributeName {
  readonly name: string;
  /** The payload is a run of attributes itself. */
  readonly nested?: AttributeNames;
  /** How to print a payload of the right length; `ip` is 4 or 16 bytes, IPv4 in the first 4 of 16 included. */
  readonly as?: 'u8' | 'u16' | 'u16be' | 'u32' | 'text' | 'ip';
}

/** Where decoded traffic goes, one line per message, and how to read it. */
export interface NetlinkDebug {
  readonly sink: (line: string) => void;
  readonly names?: NetlinkNames;
}

/** One line: direction, name or type, flags, sequence, then the attributes, nested ones in braces. */
export function formatMessage(
  direction: '>' | '<',
  message: MessageReader,
  names: NetlinkNames | undefined,
): string {
  const head = `seq=${message.sequence} flags=0x${message.flags.toString(16)}`;
  try {
    if (message.type === NLMSG_ERROR) {
      const value = message.errorNumber();
      const text = message.extendedAckText();
      const verdict = value === 0 ? 'ACK' : `ERROR ${formatErrno(value)}`;
      return `${direction} ${verdict} ${head}${text === undefined ? '' : ` "${text}"`}`;
    }
    if (message.type === NLMSG_DONE) return `${direction} DONE ${head}`;
    if (message.type < NLMSG_MIN_TYPE) return `${direction} control ${message.type} ${head}`;
    if (names === undefined)
      return `${direction} type ${message.type} ${head} ${message.payloadLength} bytes`;
    const name = names.messageName(message) ?? `type ${message.type}`;
    const attributes = message.attributes(names.headerLength(message), name);
    return `${direction} ${name} ${head} ${formatAttributes(attributes, names.attributes(message))}`.trimEnd();
  } catch (error) {
    // The line is for a person who hunts exactly such a message: show it rather than fail.
    if (!isLvsError(error)) throw error;
    return `${direction} ${head} ${Buffer.from(message.copy()).toString('hex')} (${error.message})`;
  }
}

function formatAttributes(attributes: AttributeReader, names: AttributeNames): string {
  const parts: string[] = [];
  while (attributes.next()) {
    const known = names[attributes.type];
    const name = known?.name ?? String(attributes.type);
    const value =
      known?.nested === undefined
        ? formatPayload(attributes.bytes(name), known?.as)
        : `{${formatAttributes(attributes.nested(name), known.nested)}}`;
    parts.push(`${name}=${value}`);
  }
  return parts.join(' ');
}

function formatPayload(bytes: Uint8Array, as: AttributeName['as']): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (as === 'u8' && bytes.length === 1) return String(view.getUint8(0));
  if (as === 'u16' && bytes.length === 2) return String(view.getUint16(0, isLittleEndianHost));
  if (as === 'u16be' && bytes.length === 2) return String(view.getUint16(0));
  if (as === 'u32' && bytes.length === 4) return String(view.getUint32(0, isLittleEndianHost));
  if (as === 'text') return Buffer.from(bytes).toString('latin1').replace(/\0+$/, '');
  if (as === 'ip' && (bytes.length === 4 || bytes.length === 16)) {
    const isIpv4 = bytes.length === 4 || (bytes[0] !== 0 && bytes.subarray(4).every((byte) => byte === 0));
    return ipFromBytes(isIpv4 ? bytes.subarray(0, 4) : bytes);
  }
  return Buffer.from(bytes).toString('hex');
}
