import { ipToBytes } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { VirtualServiceKey } from './types.ts';

/** How /proc/net/ip_vs calls a service, without the space in between (ip_vs_ctl.c, ip_vs_info_seq_show). */
export function procServiceName(key: VirtualServiceKey): string {
  return key.kind === 'mark'
    ? `FWM${procHex(key.mark, 8)}`
    : `${key.protocol}${procAddress(key.vip)}:${procHex(key.port, 4)}`;
}

/** `%08X` for IPv4; `%pI6` for IPv6: all eight groups, in small letters. */
export function procAddress(ip: IpAddress): string {
  const bytes = Buffer.from(ipToBytes(ip));
  if (bytes.length === 4) return bytes.toString('hex').toUpperCase();
  return `[${bytes.toString('hex').replaceAll(/(.{4})(?=.)/g, '$1:')}]`;
}

export function procHex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
