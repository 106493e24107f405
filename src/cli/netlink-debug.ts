import type { CommandIo } from './command.ts';

/** `NETLINK_DEBUG=1` prints every decoded request and reply; undefined otherwise, which costs nothing. */
export function netlinkDebugSink(io: CommandIo): ((line: string) => void) | undefined {
  const value = io.env['NETLINK_DEBUG'];
  if (value === undefined || value === '' || value === '0') return undefined;
  return (line) => io.err(`${line}\n`);
}
