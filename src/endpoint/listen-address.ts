import { LvsError, ipFamily, isInCidr, parseCidr, tryParseIpAddress } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';

/** Where the endpoint listens. */
export interface ListenAddress {
  /** Undefined: on all addresses, of both families where the host has both. */
  readonly host: IpAddress | undefined;
  readonly port: number;
}

/**
 * `127.0.0.1:9441`, `[::1]:9441`, `:9441` for all addresses, `off` for none.
 * @returns undefined for `off`
 * @throws LvsError LVS_CONFIG_INVALID
 */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text === 'off') return undefined;
  const [, v6, v4 = '', digits = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const name = v6 ?? v4;
  const host = name === '' ? undefined : tryParseIpAddress(name);
  const isMeant = v6 === undefined ? name === '' || isOfFamily(host, 'IPv4') : isOfFamily(host, 'IPv6');
  if (!isMeant || port < 1 || port > 65535) {
    throw new LvsError('LVS_CONFIG_INVALID', `"${text}" is no address to listen on.`, {
      subject: text,
      hint: 'Write ADDRESS:PORT, such as 127.0.0.1:9441 or [::1]:9441, :PORT for all addresses, or off.',
    });
  }
  return { host, port };
}

export function isLoopback({ host }: Pick<ListenAddress, 'host'>): boolean {
  return host !== undefined && isLoopbackAddress(host);
}

export function isLoopbackAddress(address: IpAddress): boolean {
  return address === '::1' || (ipFamily(address) === 'IPv4' && isInCidr(address, loopback));
}

const loopback = parseCidr('127.0.0.0/8');

function isOfFamily(host: IpAddress | undefined, family: 'IPv4' | 'IPv6'): boolean {
  return host !== undefined && ipFamily(host) === family;
}
