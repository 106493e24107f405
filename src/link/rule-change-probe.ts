import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IpFamily } from '../base/index.ts';
import { NetlinkConnection, isLittleEndianHost } from '../netlink/index.ts';
import type { Libc, MessageReader, NetlinkDebug } from '../netlink/index.ts';
import { tableNames } from './rule-tables.ts';
import type { TableName } from './rule-tables.ts';

/**
 * "Did anybody touch the packet rules?", asked every second and therefore without running a command.
 *
 * - legacy: `IPT_SO_GET_INFO` of each table that is in use (number of rules, bytes, where the built-in chains begin)
 *   and a hash of the rules themselves without their packet counters. In a table larger than `hashedBytesMax` an edit
 *   that keeps the numbers is left to the full look.
 * - nft: the generation number of nf_tables, which every commit of anybody raises.
 *
 * A table that is not in use is not asked for: the mere question would load its module and, for `nat`, switch on
 * connection tracking for the whole host (ip_tables.c, xt_request_find_table_lock).
 */
export type NetfilterBackend = 'legacy' | 'nft';

// include/linux/socket.h
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_RAW = 255;

// include/uapi/linux/netfilter_ipv4/ip_tables.h and netfilter_ipv6/ip6_tables.h
const IPT_SO_GET_INFO = 64;
const SOL_IP = 0;
const SOL_IPV6 = 41;
/** struct ipt_getinfo: name[32], valid_hooks, hook_entry[5], underflow[5], num_entries, size. */
const IPT_GETINFO_LENGTH = 84;
const IPT_SO_GET_ENTRIES = 65;
/** struct ipt_get_entries: name[32], size, padding, then the entries. */
const IPT_GET_ENTRIES_LENGTH = 40;
/** Where struct ipt_entry and struct ip6t_entry say how long they are and count their packets and bytes. */
const entryLayouts = {
  IPv4: { nextOffset: 90, counters: 96, length: 112 },
  IPv6: { nextOffset: 142, counters: 152, length: 168 },
} as const;
/** About two thousand rules; reading and hashing them takes a fraction of a millisecond. */
const hashedBytesMax = 512 * 1024;

// include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h
const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
/** struct nfgenmsg: family, version, resource id. */
const NFGENMSG_LENGTH = 4;

export interface RuleChangeProbe {
  /**
   * Differs from the one before when rules were changed. Undefined: this host does not say.
   * @param isExact hash tables of any size, so that no edit can keep the fingerprint
   */
  fingerprint(backend: NetfilterBackend, isExact?: boolean): string | undefined;
  /** Legacy tables that are in use in this namespace, without bringing any to life. */
  listLegacyTables(family: IpFamily): TableName[];
  close(): void;
}

export interface RuleChangeProbeOptions {
  readonly libc: Libc;
  readonly debug?: NetlinkDebug;
  /** @default /proc */
  readonly procRoot?: string;
}

export function openRuleChangeProbe(options: RuleChangeProbeOptions): RuleChangeProbe {
  const { libc, procRoot = '/proc' } = options;
  let connection: NetlinkConnection | undefined;
  const sockets = new Map<IpFamily, number>();

  const listLegacyTables = (family: IpFamily): TableName[] => {
    const path = join(procRoot, 'self/net', family === 'IPv4' ? 'ip_tables_names' : 'ip6_tables_names');
    try {
      const names = readFileSync(path, 'utf8').split('\n');
      return tableNames.filter((name) => names.includes(name));
    } catch {
      // The file comes with the module: no file, no tables.
      return [];
    }
  };

  const socketOf = (family: IpFamily): number => {
    const known = sockets.get(family);
    if (known !== undefined) return known;
    const domain = family === 'IPv4' ? AF_INET : AF_INET6;
    const fd = libc.socket(domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    sockets.set(family, fd);
    return fd;
  };

  const readLegacyInfo = (family: IpFamily, table: TableName, isExact: boolean): string | undefined => {
    const fd = socketOf(family);
    if (fd < 0) return undefined;
    const info = Buffer.alloc(IPT_GETINFO_LENGTH);
    info.write(table, 'latin1');
    const length = new Uint8Array(Uint32Array.of(info.length).buffer);
    const level = family === 'IPv4' ? SOL_IP : SOL_IPV6;
    const result = libc.getsockopt(fd, level, IPT_SO_GET_INFO, info, length);
    if (result < 0) return undefined;
    const hash = hashRules(fd, family, info, isExact);
    return hash === undefined ? undefined : `${info.subarray(32).toString('base64')} ${hash}`;
  };

  /**
   * Empty where the table is too large, or changed between the two calls: the next poll sees that anyway. Undefined
   * where an exact answer was asked for and there is none.
   */
  const hashRules = (fd: number, family: IpFamily, info: Buffer, isExact: boolean): string | undefined => {
    const size = new DataView(info.buffer, info.byteOffset).getUint32(80, isLittleEndianHost);
    if (size > hashedBytesMax && !isExact) return '';
    // Zeroed: the kernel leaves gaps in what it copies, and they must not hash as chance has filled them.
    const entries = Buffer.alloc(IPT_GET_ENTRIES_LENGTH + size);
    info.copy(entries, 0, 0, 32);
    new DataView(entries.buffer, entries.byteOffset).setUint32(32, size, isLittleEndianHost);
    const length = new Uint8Array(Uint32Array.of(entries.length).buffer);
    const level = family === 'IPv4' ? SOL_IP : SOL_IPV6;
    if (libc.getsockopt(fd, level, IPT_SO_GET_ENTRIES, entries, length) < 0) return isExact ? undefined : '';
    clearCounters(entries.subarray(IPT_GET_ENTRIES_LENGTH), family);
    return createHash('sha1').update(entries).digest('base64');
  };

  const readGeneration = (): string | undefined => {
    try {
      connection ??= NetlinkConnection.open({ ...options, protocol: NETLINK_NETFILTER });
      const [generation] = connection.request(
        {
          operation: 'NFT_MSG_GETGEN',
          type: (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
          encode: (writer) => writer.zeros(NFGENMSG_LENGTH),
        },
        decodeGeneration,
      );
      return generation === undefined ? undefined : String(generation);
    } catch {
      return undefined;
    }
  };

  return {
    listLegacyTables,
    fingerprint: (backend, isExact = false) => {
      if (backend === 'nft') return readGeneration();
      const parts: string[] = [];
      for (const family of ['IPv4', 'IPv6'] as const) {
        for (const table of listLegacyTables(family)) {
          const info = readLegacyInfo(family, table, isExact);
          if (info === undefined) return undefined;
          parts.push(`${family} ${table} ${info}`);
        }
      }
      return parts.join('\n');
    },
    close: () => {
      connection?.close();
      connection = undefined;
      for (const fd of sockets.values()) if (fd >= 0) libc.close(fd);
      sockets.clear();
    },
  };
}

/** Traffic is no change of the rules. The counters of a rule are two 64-bit numbers (struct xt_counters). */
function clearCounters(entries: Buffer, family: IpFamily): void {
  const layout = entryLayouts[family];
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  for (let offset = 0; offset + layout.length <= entries.length;) {
    view.setFloat64(offset + layout.counters, 0);
    view.setFloat64(offset + layout.counters + 8, 0);
    const next = view.getUint16(offset + layout.nextOffset, isLittleEndianHost);
    if (next < layout.length) return;
    offset += next;
  }
}

function decodeGeneration(message: MessageReader): number | undefined {
  if (message.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN)) return undefined;
  const attributes = message.attributes(NFGENMSG_LENGTH, 'NFT_MSG_NEWGEN');
  while (attributes.next()) {
    if (attributes.type === NFTA_GEN_ID) return attributes.u32be('NFTA_GEN_ID');
  }
  return undefined;
}
