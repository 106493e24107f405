import { ipBits, ipFamily, maskAddress, tryParseIpAddress } from '../base/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';

/** Addresses among texts; what is none (a host name, an address with a zone) is left out. */
export function readAddresses(texts: readonly string[]): readonly IpAddress[] {
  return texts.map(tryParseIpAddress).filter((ip) => ip !== undefined);
}

/**
 * Networks among texts. Host bits are cleared and not refused: old clusters hold such networks, and here they only
 * forbid.
 */
export function readNetworks(texts: readonly string[]): readonly Cidr[] {
  return texts.map(readNetwork).filter((cidr) => cidr !== undefined);
}

function readNetwork(text: string): Cidr | undefined {
  const [, addressText = '', lengthText = ''] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  const ip = tryParseIpAddress(addressText);
  const prefixLength = Number(lengthText);
  if (ip === undefined || prefixLength > ipBits(ipFamily(ip))) return undefined;
  return { address: maskAddress(ip, prefixLength), prefixLength };
}
