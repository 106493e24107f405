import type { MessageReader } from './message-reader.ts';
import type { MessageWriter } from './message-writer.ts';

/** struct genlmsghdr: u8 command, u8 version, u16 reserved. */
export function encodeGenericHeader(writer: MessageWriter, command: number, version: number): void {
  writer.u8(command);
  writer.u8(version);
  writer.u16(0);
}

/** The command of a generic netlink message. @throws LvsError LVS_NETLINK_TRUNCATED */
export function genericCommand(message: MessageReader): number {
  return message.u8(0);
}
