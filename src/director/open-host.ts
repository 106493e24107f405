import type { DirectorConfiguration } from '../api/index.ts';
import type { Logger } from '../base/index.ts';
import { IpvsClient, ipvsTableFingerprint, readProcConnections } from '../ipvs/index.ts';
import { openLink } from '../link/index.ts';
import { loadLibc } from '../netlink/index.ts';
import type { Libc } from '../netlink/index.ts';
import { Host } from './host.ts';
import { ProcTableReader } from './proc-table-reader.ts';

export interface OpenHostOptions {
  readonly configuration: DirectorConfiguration;
  readonly logger: Logger;
  /** Receives decoded netlink traffic, a line each. */
  readonly netlinkDebug?: ((line: string) => void) | undefined;
  /** @default the C library of this process */
  readonly libc?: Libc | undefined;
}

/**
 * Opens the kernel of this network namespace.
 * @throws LvsError LVS_IPVS_UNAVAILABLE, LVS_KERNEL_PERMISSION, LVS_LIBC_UNAVAILABLE, LVS_NETLINK_SOCKET
 */
export function openHost(options: OpenHostOptions): Host {
  const { configuration, logger, netlinkDebug } = options;
  const libc = options.libc ?? loadLibc();
  const client = IpvsClient.open({ libc, ...(netlinkDebug === undefined ? {} : { debug: netlinkDebug }) });
  try {
    const link = openLink({
      libc,
      sysctlRoot: configuration.sysctlRoot,
      netfilterBackend: backendOf(configuration),
      ...(netlinkDebug === undefined ? {} : { debug: { sink: netlinkDebug } }),
    });
    const procTable = new ProcTableReader();
    return new Host({
      client,
      link,
      configuration,
      logger,
      readTableFingerprint: () => {
        const text = procTable.read();
        return text === undefined ? undefined : ipvsTableFingerprint(text);
      },
      readConnections: () => {
        const text = procTable.read();
        return text === undefined ? undefined : readProcConnections(text);
      },
    });
  } catch (error) {
    client.close();
    throw error;
  }
}

function backendOf({ netfilter }: DirectorConfiguration): 'auto' | 'legacy' | 'nft' {
  switch (netfilter) {
    case 'Legacy':
      return 'legacy';
    case 'Nft':
      return 'nft';
    case 'Auto':
    case 'Off':
      return 'auto';
  }
}
