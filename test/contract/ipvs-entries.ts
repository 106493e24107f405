import { parseIpAddress } from '../../src/base/index.ts';
import { formatRealServerKey, formatVirtualServiceKey, serviceFlags } from '../../src/ipvs/index.ts';
import type {
  IpvsOperation,
  IpvsTable,
  Protocol,
  RealServerConfig,
  RealServerKey,
  Tunnel,
  VirtualServiceConfig,
  VirtualServiceKey,
} from '../../src/ipvs/index.ts';

/** Short words for entries of the table, shared by the contract and the tests around it. */

export function service(protocol: Protocol, vip: string, port: number): VirtualServiceKey {
  return { kind: 'address', protocol, vip: parseIpAddress(vip), port };
}

export function markService(mark: number, family: 'IPv4' | 'IPv6' = 'IPv4'): VirtualServiceKey {
  return { kind: 'mark', family, mark };
}

/** A plain rr service; its prefix length is what the kernel's tools give one without persistence. */
export function serviceConfig(
  key: VirtualServiceKey,
  more: Partial<VirtualServiceConfig> = {},
): VirtualServiceConfig {
  const isIpv6 = key.kind === 'mark' ? key.family === 'IPv6' : key.vip.includes(':');
  return {
    scheduler: 'rr',
    flags: 0,
    persistenceTimeoutSeconds: 0,
    persistencePrefixLength: isIpv6 ? 128 : 32,
    persistenceEngine: undefined,
    ...more,
  };
}

export function persistent(seconds: number, prefixLength: number, more: Partial<VirtualServiceConfig> = {}) {
  return {
    flags: serviceFlags.PERSISTENT | (more.flags ?? 0),
    persistenceTimeoutSeconds: seconds,
    persistencePrefixLength: prefixLength,
    ...(more.scheduler === undefined ? {} : { scheduler: more.scheduler }),
    ...(more.persistenceEngine === undefined ? {} : { persistenceEngine: more.persistenceEngine }),
  };
}

export function realServer(rip: string, port: number): RealServerKey {
  return { rip: parseIpAddress(rip), port };
}

export function realServerConfig(more: Partial<RealServerConfig> = {}): RealServerConfig {
  return { forwarding: 'NAT', tunnel: undefined, weight: 1, upperThreshold: 0, lowerThreshold: 0, ...more };
}

export function tunnelTo(
  type: Tunnel['type'],
  checksum: Tunnel['checksum'] = 'None',
  port = type === 'GUE' ? 6080 : 0,
) {
  return { forwarding: 'TUN', tunnel: { type, port, checksum } } as const;
}

export interface Entry {
  readonly key: VirtualServiceKey;
  readonly config: VirtualServiceConfig;
  readonly realServers: readonly { readonly key: RealServerKey; readonly config: RealServerConfig }[];
}

export function entry(
  key: VirtualServiceKey,
  config: Partial<VirtualServiceConfig> = {},
  realServers: Entry['realServers'] = [],
): Entry {
  return { key, config: serviceConfig(key, config), realServers };
}

/** What adds these entries to any table. */
export function additions(entries: readonly Entry[]): IpvsOperation[] {
  return entries.flatMap(({ key, config, realServers }): IpvsOperation[] => [
    { type: 'addVirtualService', service: key, config },
    ...realServers.map((server): IpvsOperation => ({
      type: 'addRealServer',
      service: key,
      realServer: server.key,
      config: server.config,
    })),
  ]);
}

type Comparable = Record<
  string,
  { config: VirtualServiceConfig; realServers: Record<string, RealServerConfig> }
>;

/** Key and configuration of everything observed, in an order that does not matter. */
export function settingsOf(table: IpvsTable): Comparable {
  return Object.fromEntries(
    [...table].map(([key, { config, realServers }]) => [
      key,
      {
        config,
        realServers: Object.fromEntries([...realServers].map(([name, server]) => [name, server.config])),
      },
    ]),
  );
}

/** The same of what was asked for. */
export function wantedSettings(entries: readonly Entry[]): Comparable {
  return Object.fromEntries(
    entries.map(({ key, config, realServers }) => [
      formatVirtualServiceKey(key),
      {
        config,
        realServers: Object.fromEntries(
          realServers.map((server) => [formatRealServerKey(server.key), server.config]),
        ),
      },
    ]),
  );
}

/** Every kind of entry that our API can ask for, and some that only the kernel interface knows. */
export function everyKindOfService(): readonly (readonly [scenario: string, entry: Entry])[] {
  const tcp4 = service('TCP', '192.0.2.10', 80);
  const tcp6 = service('TCP', '2001:db8::10', 80);
  const { ONEPACKET, SCHED1, SCHED2, SCHED3 } = serviceFlags;
  return [
    ['TCP over IPv4', entry(tcp4)],
    ['TCP over IPv6', entry(tcp6)],
    ['UDP over IPv4', entry(service('UDP', '192.0.2.10', 53))],
    ['UDP over IPv6', entry(service('UDP', '2001:db8::10', 53))],
    ['SCTP over IPv4', entry(service('SCTP', '192.0.2.10', 36412))],
    ['SCTP over IPv6', entry(service('SCTP', '2001:db8::10', 36412))],
    ['the highest port', entry(service('TCP', '192.0.2.10', 65535))],
    ['a mark of IPv4', entry(markService(0x4c560001))],
    ['a mark of IPv6', entry(markService(0x4c560001, 'IPv6'))],
    ['a mark beyond 16 and 31 bits', entry(markService(0xfedcba98))],
    ['the mark 1', entry(markService(1))],
    ['any port, persistent', entry(service('TCP', '192.0.2.11', 0), persistent(300, 32))],
    ['persistence for a /24', entry(tcp4, persistent(360, 24))],
    ['persistence for all clients, /0', entry(tcp4, persistent(360, 0))],
    ['persistence of 31 days', entry(tcp4, persistent(31 * 24 * 3600, 32))],
    ['persistence for a /64', entry(tcp6, persistent(360, 64))],
    ['persistence for a /1 of IPv6', entry(tcp6, persistent(360, 1))],
    ['persistence of a mark', entry(markService(7), persistent(60, 16))],
    [
      'persistence by SIP call',
      entry(service('UDP', '192.0.2.10', 5060), persistent(60, 32, { persistenceEngine: 'sip' })),
    ],
    ['one packet', entry(service('UDP', '192.0.2.10', 53), { flags: ONEPACKET })],
    ['sh with fallback', entry(tcp4, { scheduler: 'sh', flags: SCHED1 })],
    ['sh with port', entry(tcp4, { scheduler: 'sh', flags: SCHED2 })],
    ['mh with both', entry(tcp4, { scheduler: 'mh', flags: SCHED1 | SCHED2 })],
    [
      'every flag at once',
      entry(tcp4, persistent(5, 8, { scheduler: 'mh', flags: ONEPACKET | SCHED1 | SCHED2 | SCHED3 })),
    ],
    ['flags that the kernel stores and never reads', entry(tcp4, { flags: 0xff00 })],
    ['no scheduler', entry(tcp4, { scheduler: 'none' })],
  ];
}

export function everyKindOfRealServer(): readonly (readonly [
  scenario: string,
  key: VirtualServiceKey,
  server: Entry['realServers'][number],
])[] {
  const tcp4 = service('TCP', '192.0.2.20', 80);
  const tcp6 = service('TCP', '2001:db8::20', 80);
  const v4 = (port: number, more: Partial<RealServerConfig>) => ({
    key: realServer('10.0.0.5', port),
    config: realServerConfig(more),
  });
  const v6 = (port: number, more: Partial<RealServerConfig>) => ({
    key: realServer('2001:db8:5::5', port),
    config: realServerConfig(more),
  });
  return [
    ['NAT', tcp4, v4(80, {})],
    ['NAT to another port', tcp4, v4(8080, {})],
    ['NAT over IPv6', tcp6, v6(8080, {})],
    ['DR', tcp4, v4(80, { forwarding: 'DR' })],
    ['DR over IPv6', tcp6, v6(80, { forwarding: 'DR' })],
    ['an IPIP tunnel', tcp4, v4(80, tunnelTo('IPIP'))],
    ['an IPIP tunnel over IPv6', tcp6, v6(80, tunnelTo('IPIP'))],
    ['a GUE tunnel', tcp4, v4(80, tunnelTo('GUE'))],
    [
      'a GUE tunnel with a port that reads differently backwards',
      tcp4,
      v4(80, tunnelTo('GUE', 'None', 0x0102)),
    ],
    ['a GUE tunnel with checksum', tcp4, v4(80, tunnelTo('GUE', 'Checksum'))],
    ['a GUE tunnel with remote checksum', tcp6, v6(80, tunnelTo('GUE', 'RemoteChecksum'))],
    ['a GRE tunnel', tcp4, v4(80, tunnelTo('GRE'))],
    ['a GRE tunnel with checksum', tcp6, v6(80, tunnelTo('GRE', 'Checksum'))],
    ['an IPv6 server of an IPv4 service', tcp4, v6(80, tunnelTo('IPIP'))],
    ['an IPv4 server of an IPv6 service', tcp6, v4(80, tunnelTo('GUE'))],
    ['a server of a mark, any port', markService(9), v4(0, { forwarding: 'DR' })],
    ['LOCAL, as others may write it', tcp4, v4(80, { forwarding: 'LOCAL' })],
    ['BYPASS, as others may write it', tcp4, v4(80, { forwarding: 'BYPASS' })],
    ['quiesced', tcp4, v4(80, { weight: 0 })],
    ['a weight beyond 16 bits', tcp4, v4(80, { weight: 70_000 })],
    ['the greatest weight', tcp4, v4(80, { weight: 0x7fffffff })],
    ['thresholds', tcp4, v4(80, { upperThreshold: 100, lowerThreshold: 50 })],
    ['an upper threshold alone', tcp4, v4(80, { upperThreshold: 1 })],
  ];
}
