import { isLvsError } from '../base/index.ts';
import type { AttributeReader } from './attribute-reader.ts';
import { formatErrno } from './errno.ts';
import type { MessageReader } from './message-reader.ts';
import { NLMSG_DONE, NLMSG_ERROR, NLMSG_MIN_TYPE } from './uapi.ts';

/** What a family knows of its own messages, for NETLINK_DEBUG. All numbers print as they are where a name lacks. */
export interface NetlinkNames {
  /** `IPVS_CMD_NEW_DEST`, `RTM_NEWADDR`; undefined when unknown. */
  messageName(message: MessageReader): string | undefined;
  /** Bytes of the family header of this message. */
  headerLength(message: MessageReader): number;
  readonly attributes: AttributeNames;
}

/** By attribute type. `nested` says that the payload is a run of attributes itself. */
export type AttributeNames = Readonly<
  Record<number, { readonly name: string; readonly nested?: AttributeNames }>
>;

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
    return `${direction} ${name} ${head} ${formatAttributes(attributes, names.attributes)}`;
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
        ? Buffer.from(attributes.bytes(name)).toString('hex')
        : `{${formatAttributes(attributes.nested(name), known.nested)}}`;
    parts.push(`${name}=${value}`);
  }
  return parts.join(' ');
}
