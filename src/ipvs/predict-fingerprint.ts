import { procAddress, procHex, procServiceName } from './proc-names.ts';
import { TableSum, hashLine, seedOfRealServers } from './proc-table.ts';
import type { LineHash } from './proc-table.ts';
import { serviceFlags } from './service-flags.ts';
import type { ObservedRealServer, ObservedVirtualService } from './types.ts';

type RealServer = Pick<ObservedRealServer, 'key' | 'config'>;
type Service = Pick<ObservedVirtualService, 'key' | 'config'> & {
  readonly realServers: ReadonlyMap<string, RealServer>;
};

/** A service before and after our own operations; undefined: it was not there, or is gone. */
export interface TableChange {
  readonly was: Service | undefined;
  readonly is: Service | undefined;
}

/**
 * The fingerprint that /proc/net/ip_vs must have after our own operations, from the one it had before. Nothing is read,
 * and that is the point: a fingerprint that is read after our change would also hold whatever others changed since the
 * last look, and hide it. Against the predicted one it shows.
 *
 * @param before of `ipvsTableFingerprint`.
 * @returns undefined when it cannot be told: the kernel prints the timeout of a persistent service in its own clock ticks,
 *   whose length no interface names.
 */
export function predictTableFingerprint(before: string, changes: Iterable<TableChange>): string | undefined {
  const sum = TableSum.parse(before);
  if (sum === undefined) return undefined;
  for (const { was, is } of changes) {
    const lineBefore = was === undefined ? undefined : formatService(was);
    const lineAfter = is === undefined ? undefined : formatService(is);
    if (lineBefore === 'unknown' || lineAfter === 'unknown') return undefined;
    const isSameService = lineBefore === lineAfter;
    // A line of a real server hashes with that of its service, so all of them move when that one does.
    const other = (service: Service | undefined) => (isSameService ? service?.realServers : undefined);
    if (was !== undefined && lineBefore !== undefined)
      forEachLine(lineBefore, was, other(is), (a, b) => sum.remove(a, b));
    if (is !== undefined && lineAfter !== undefined)
      forEachLine(lineAfter, is, other(was), (a, b) => sum.add(a, b));
  }
  return sum.format();
}

/** Every line of a service but those of real servers that are the same objects in `unchanged`. */
function forEachLine(
  line: string,
  service: Service,
  unchanged: ReadonlyMap<string, RealServer> | undefined,
  visit: (a: number, b: number) => void,
): void {
  const hash: LineHash = hashLine(line);
  visit(hash.a, hash.b);
  const seed = seedOfRealServers(hash);
  for (const [key, realServer] of service.realServers) {
    if (unchanged?.get(key) === realServer) continue;
    const { a, b } = hashLine(formatRealServer(realServer), seed);
    visit(a, b);
  }
}

/** A line without its spaces, as ip_vs_info_seq_show prints it (ip_vs_ctl.c). */
function formatService({ key, config }: Service): string {
  if ((config.flags & serviceFlags.PERSISTENT) !== 0) return 'unknown';
  const onePacket = (config.flags & serviceFlags.ONEPACKET) === 0 ? '' : 'ops';
  const shown = key.kind === 'address' && key.vip.includes(':') ? '' : onePacket;
  return `${procServiceName(key)}${config.scheduler}${shown}`;
}

function formatRealServer({ key, config }: RealServer): string {
  return `->${procAddress(key.rip)}:${procHex(key.port, 4)}${methodNames[config.forwarding]}${config.weight}`;
}

/** ip_vs_fwd_name (ip_vs_ctl.c); what has no name of its own is shown as NAT. */
const methodNames: Readonly<Record<RealServer['config']['forwarding'], string>> = {
  NAT: 'Masq',
  DR: 'Route',
  TUN: 'Tunnel',
  LOCAL: 'Local',
  BYPASS: 'Masq',
};
