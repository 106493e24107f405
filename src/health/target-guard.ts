import { isInCidr, parseCidr } from '../base/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';

/**
 * Addresses that no probe is ever sent to, whatever a caller asks for. `plan` refuses such real servers before; this is
 * the second lock on the same door, as probes run with the network of the host (CVE-2020-8555, CVE-2025-13281).
 */
const forbidden: readonly Cidr[] = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  // ::, ::1 and IPv4 in disguise: a probe means the address that it names.
  '::/96',
  '::ffff:0:0:0/96',
  '64:ff9b:1::/48',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
].map(parseCidr);

const loopback: readonly Cidr[] = ['127.0.0.0/8', '::1/128'].map(parseCidr);

export function isForbiddenTarget(ip: IpAddress): boolean {
  return forbidden.some((network) => isInCidr(ip, network));
}

export function isLoopback(ip: IpAddress): boolean {
  return loopback.some((network) => isInCidr(ip, network));
}
