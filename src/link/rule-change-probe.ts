import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IpFamily } from '../base/index.ts';
import { NetlinkConnection } from '../netlink/index.ts';
import type { Libc, MessageReader, NetlinkDebug } from '../netlink/index.ts';
import { tableNames } from './rule-tables.ts';
import type { TableName } from './rule-tables.ts';

/**
 * "Did anybody touch the packet rules?", asked every second and therefore without running a command.
 *
 * - legacy: `IPT_SO_GET_INFO` of each table that is in use: number of rules, bytes, and where the built-in chains
 *   begin. An edit that keeps all of these is left to the full look.
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

// include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h
const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
/** struct nfgenmsg: family, version, resource id. */
const NFGENMSG_LENGTH = 4;

export interface RuleChangeProbe {
  /** Differs from the one before when rules were changed. Undefined: this host does not say. */
  fingerprint(backend: NetfilterBackend): string | undefined;
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

  const readLegacyInfo = (family: IpFamily, table: TableName): string | undefined => {
    const fd = socketOf(family);
    if (fd < 0) return undefined;
    const info = Buffer.alloc(IPT_GETINFO_LENGTH);
    info.write(table, 'latin1');
    const length = new Uint8Array(Uint32Array.of(info.length).buffer);
    const level = family === 'IPv4' ? SOL_IP : SOL_IPV6;
    const result = libc.getsockopt(fd, level, IPT_SO_GET_INFO, info, length);
    return result < 0 ? undefined : info.subarray(32).toString('base64');
  };

  const readGeneration = (): string | undefined => {
    // The first netlink message of this kind would load nf_tables; its file tells whether it is there already.
    if (!existsSync(join(procRoot, 'sys/net/netfilter')) && connection === undefined) return undefined;
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
    fingerprint: (backend) => {
      if (backend === 'nft') return readGeneration();
      const parts: string[] = [];
      for (const family of ['IPv4', 'IPv6'] as const) {
        for (const table of listLegacyTables(family)) {
          const info = readLegacyInfo(family, table);
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

function decodeGeneration(message: MessageReader): number | undefined {
  if (message.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN)) return undefined;
  const attributes = message.attributes(NFGENMSG_LENGTH, 'NFT_MSG_NEWGEN');
  while (attributes.next()) {
    if (attributes.type === NFTA_GEN_ID) return attributes.u32be('NFTA_GEN_ID');
  }
  return undefined;
}
