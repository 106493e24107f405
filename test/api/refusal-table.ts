import { clusterRefusals } from './cluster-refusal-table.ts';
import { healthRefusals } from './health-refusal-table.ts';
import { addressPool, apiVersion, realServer, virtualService } from './objects.ts';
import type { RefusalRow } from './objects.ts';
import { weightRefusals } from './weight-refusal-table.ts';

const schedulerList = 'rr, wrr, lc, wlc, fo, ovf, lblc, lblcr, dh, sh, mh, sed, nq';
const tunnel = (method: string, fields: object) => virtualService({ forwarding: { method, tunnel: fields } });
const slowStartReasons: Readonly<Record<string, string>> = {
  rr: 'ignores weights',
  lc: 'ignores weights',
  fo: 'sends everything to the highest weight, so all clients would move at once',
  ovf: 'reads weights as an order and as limits of connections, so clients would move between servers',
  dh: 'hashes destinations to servers, so flows would move',
  sh: 'hashes clients to servers, so every step would move clients of other servers',
  mh: 'hashes clients to servers, so every step would move clients of other servers',
};
/** What one object can get wrong, and every problem that is told about it. */
export const refusals: readonly RefusalRow[] = [
  // Structure
  [
    'nothing',
    null,
    'InvalidValue: the object must be a mapping with apiVersion, kind, metadata and spec, not empty (null)',
  ],
  [
    'a list',
    [],
    'InvalidValue: the object must be a mapping with apiVersion, kind, metadata and spec, not a list of 0',
  ],
  [
    'an object without apiVersion',
    { kind: 'VirtualService' },
    `MissingField: apiVersion is required: write apiVersion: ${apiVersion}`,
  ],
  [
    'an object without kind',
    { apiVersion },
    'MissingField: kind is required: one of VirtualService, RealServer, AddressPool, Director',
  ],
  [
    'a kind of others',
    { apiVersion: 'apps/v1', kind: 'Deployment' },
    'ForeignKind: apiVersion "apps/v1" with kind "Deployment" is not one of ours; move it to another folder',
  ],
  [
    'the VirtualService of others',
    { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService' },
    'ForeignKind: apiVersion "networking.istio.io/v1" with kind "VirtualService" is not one of ours; ' +
      `write apiVersion: ${apiVersion}`,
  ],
  [
    'another version',
    { apiVersion: 'networking.lvs-operator.io/v1', kind: 'VirtualService' },
    'UnknownVersion: apiVersion "networking.lvs-operator.io/v1" is a version that this release does ' +
      `not read; write ${apiVersion}`,
  ],
  [
    'a misspelt kind',
    { apiVersion, kind: 'RealServers' },
    `UnknownKind: kind "RealServers" does not exist in ${apiVersion}; did you mean "RealServer"?`,
  ],
  [
    'an unknown kind',
    { apiVersion, kind: 'Gateway' },
    `UnknownKind: kind "Gateway" does not exist in ${apiVersion}; known kinds are VirtualService, ` +
      'RealServer, AddressPool, Director',
  ],
  [
    'no metadata and no spec',
    { apiVersion, kind: 'RealServer' },
    'MissingField: metadata is required: a mapping of fields',
    'MissingField: spec is required: a mapping of fields',
  ],
  [
    'an unknown field at the top',
    { ...Object(virtualService()), data: {} },
    'UnknownField: data is not a field here; known fields are apiVersion, kind, metadata, spec, status',
  ],
  [
    'a misspelt field',
    virtualService({ schedular: 'rr' }),
    'UnknownField: spec.schedular is not a field here; did you mean "scheduler"?',
  ],
  [
    'a field that belongs to another kind',
    virtualService({ weight: 1 }),
    'UnknownField: spec.weight is not a field here; known fields are addresses, addressFamilies, ' +
      'ports, portGrouping, scheduler, schedulerFlags, forwarding, persistence, onePacket, ' +
      'sourceRanges, healthCheck, onFailure, quorum, sorryServer, panicThresholdPercent, slowStart, drain, weightPolicy',
  ],
  [
    'a firewall mark',
    virtualService({ fwmark: 1 }),
    'UnknownField: spec.fwmark is not a field here: portGrouping Together uses a firewall mark that ' +
      'the director chooses',
  ],
  // Metadata
  [
    'a name in capitals',
    virtualService({}, { name: 'Web' }),
    'InvalidValue: metadata.name must be a name: at most 253 lower-case letters, digits, "-" and ' +
      '".", beginning and ending with a letter or digit, not "Web"',
  ],
  [
    'no name',
    virtualService({}, { name: undefined }),
    'MissingField: metadata.name is required: a name: at most 253 lower-case letters, digits, "-" ' +
      'and ".", beginning and ending with a letter or digit',
  ],
  [
    'a generated name',
    virtualService({}, { generateName: 'web-' }),
    'UnknownField: metadata.generateName cannot be used here: a file needs a fixed metadata.name',
  ],
  [
    'a label that YAML made a number',
    virtualService({}, { labels: { tier: 1 } }),
    'InvalidValue: metadata.labels.tier must be text; put the value in quotes',
  ],
  [
    'a namespace on a cluster-wide kind',
    addressPool({}, { namespace: 'default' }),
    'UnknownField: metadata.namespace does not belong here: this kind is cluster-wide; remove it',
  ],
  // Addresses
  [
    'an empty list of addresses',
    virtualService({ addresses: [] }),
    'InvalidValue: spec.addresses must have 1 to 16 entries, not 0',
  ],
  [
    'seventeen addresses',
    virtualService({ addresses: Array.from({ length: 17 }, (_, index) => ({ ip: `192.0.2.${index}` })) }),
    'InvalidValue: spec.addresses must have 1 to 16 entries, not 17',
  ],
  [
    'an address with a leading zero',
    virtualService({ addresses: [{ ip: '192.0.2.010' }] }),
    'InvalidValue: spec.addresses[0].ip must be an IP address: "192.0.2.010" is not an IP address.',
  ],
  [
    'an address with a port',
    virtualService({ addresses: [{ ip: '192.0.2.1:80' }] }),
    'InvalidValue: spec.addresses[0].ip must be an IP address: "192.0.2.1:80" is not an IP address.',
  ],
  [
    'an IPv4-mapped address',
    virtualService({ addresses: [{ ip: '::ffff:192.0.2.1' }] }),
    'InvalidValue: spec.addresses[0].ip must be an IP address: "::ffff:192.0.2.1" is an IPv4-mapped ' +
      'IPv6 address; write the IPv4 address.',
  ],
  [
    'an address that YAML made a number',
    virtualService({ addresses: [{ ip: 192.2 }] }),
    'InvalidValue: spec.addresses[0].ip must be an IP address, not 192.2',
  ],
  [
    'one address in two spellings',
    virtualService({ addresses: [{ ip: '2001:db8::1' }, { ip: '2001:DB8:0::1' }] }),
    'DuplicateAddress: spec.addresses[1].ip repeats 2001:db8::1 of entry 0; write it once',
  ],
  [
    'an ip of another family',
    virtualService({ addresses: [{ ip: '192.0.2.1', family: 'IPv6' }] }),
    'AddressFamilyMismatch: spec.addresses[0].family is IPv6, but 192.0.2.1 is IPv4',
  ],
  [
    'addressFamilies beside addresses',
    virtualService({ addresses: [{ ip: '192.0.2.1' }], addressFamilies: ['IPv4'] }),
    'AddressFamiliesUnused: spec.addressFamilies has no effect beside spec.addresses; remove one of them',
  ],
  [
    'a family twice',
    virtualService({ addressFamilies: ['IPv4', 'IPv4'] }),
    'AddressFamiliesUnused: spec.addressFamilies[1] repeats IPv4 of entry 0; write it once',
  ],
  [
    'a source range with host bits',
    virtualService({ sourceRanges: ['10.0.0.1/8'] }),
    'InvalidValue: spec.sourceRanges[0] must be a network such as 192.0.2.0/24 or 2001:db8::/32: ' +
      '"10.0.0.1/8" has host bits set; did you mean 10.0.0.0/8?',
  ],
  [
    'a source range twice',
    virtualService({ sourceRanges: ['10.0.0.0/8', '10.0.0.0/8'] }),
    'DuplicateSourceRange: spec.sourceRanges[1] repeats 10.0.0.0/8 of entry 0; write it once',
  ],
  // Ports
  ['no ports', virtualService({ ports: undefined }), 'MissingField: spec.ports is required: a list'],
  [
    'an empty list of ports',
    virtualService({ ports: [] }),
    'InvalidValue: spec.ports must have 1 to 64 entries, not 0',
  ],
  [
    'ports that are no list',
    virtualService({ ports: { port: 80 } }),
    'InvalidValue: spec.ports must be a list, not a mapping',
  ],
  [
    'port 0',
    virtualService({ ports: [{ port: 0 }] }),
    'InvalidValue: spec.ports[0].port must be a whole number from 1 to 65535, not 0',
  ],
  [
    'port 65536',
    virtualService({ ports: [{ port: 65536 }] }),
    'InvalidValue: spec.ports[0].port must be a whole number from 1 to 65535, not 65536',
  ],
  [
    'half a port',
    virtualService({ ports: [{ port: 80.5 }] }),
    'InvalidValue: spec.ports[0].port must be a whole number from 1 to 65535, not 80.5',
  ],
  [
    'a port in quotes',
    virtualService({ ports: [{ port: '80' }] }),
    'InvalidValue: spec.ports[0].port must be a whole number from 1 to 65535, not the text "80" ' +
      '(remove the quotes)',
  ],
  [
    'a port in octal',
    virtualService({ ports: [{ port: '0o120' }] }),
    'InvalidValue: spec.ports[0].port must be a whole number from 1 to 65535, not the text "0o120" ' +
      '(write it in decimal)',
  ],
  [
    'a port beyond all integers',
    virtualService({ ports: [{ port: 1e30 }] }),
    'InvalidValue: spec.ports[0].port must be a whole number from 1 to 65535, not 1e+30',
  ],
  [
    'a protocol in lower case',
    virtualService({ ports: [{ port: 80, protocol: 'tcp' }] }),
    'InvalidValue: spec.ports[0].protocol must be one of TCP, UDP, SCTP, not "tcp"; did you mean "TCP"?',
  ],
  [
    'two ports without names',
    virtualService({ ports: [{ name: 'a', port: 80 }, { port: 443 }] }),
    'PortNameMissing: spec.ports[1].name is required when there are several ports: RealServers join ' +
      'their ports by name',
  ],
  [
    'a port name twice',
    virtualService({
      ports: [
        { name: 'a', port: 80 },
        { name: 'a', port: 443 },
      ],
    }),
    'DuplicatePortName: spec.ports[1].name repeats a of entry 0; write it once',
  ],
  [
    'a port twice',
    virtualService({
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 80 },
      ],
    }),
    'DuplicatePort: spec.ports[1].port overlaps TCP port 80 of entry 0; write it once',
  ],
  [
    'a port inside a range',
    virtualService({
      portGrouping: 'Together',
      ports: [
        { name: 'a', port: 80, endPort: 90 },
        { name: 'b', port: 85 },
      ],
    }),
    'DuplicatePort: spec.ports[1].port overlaps TCP port 80 of entry 0; write it once',
  ],
  [
    'a range that ends before it begins',
    virtualService({ portGrouping: 'Together', ports: [{ port: 90, endPort: 80 }] }),
    'PortRangeInvalid: spec.ports[0].endPort is 80, before the first port 90 of its range',
  ],
  [
    'a range with Separate',
    virtualService({ ports: [{ port: 80, endPort: 90 }] }),
    'PortRangeInvalid: spec.ports[0].endPort needs portGrouping: Together, where a range is one ' +
      'service in the kernel; with Separate every port is a service of its own, so list them one by one',
  ],
  // Scheduler
  [
    'an unknown scheduler',
    virtualService({ scheduler: 'fastest' }),
    `InvalidValue: spec.scheduler must be one of ${schedulerList}, not "fastest"`,
  ],
  [
    'a misspelt scheduler',
    virtualService({ scheduler: 'wcl' }),
    `InvalidValue: spec.scheduler must be one of ${schedulerList}, not "wcl"; did you mean "wlc"?`,
  ],
  [
    'an unknown flag',
    virtualService({ scheduler: 'sh', schedulerFlags: ['flag-1'] }),
    'InvalidValue: spec.schedulerFlags[0] must be one of sh-port, sh-fallback, mh-port, mh-fallback, not "flag-1"',
  ],
  [
    'a flag on the wrong scheduler',
    virtualService({ scheduler: 'rr', schedulerFlags: ['sh-port'] }),
    'SchedulerFlagMismatch: spec.schedulerFlags[0] sh-port applies to scheduler sh only, and spec.scheduler is rr',
  ],
  [
    'an sh flag on mh',
    virtualService({ scheduler: 'mh', schedulerFlags: ['sh-fallback'] }),
    'SchedulerFlagMismatch: spec.schedulerFlags[0] sh-fallback applies to scheduler sh only, and ' +
      'spec.scheduler is mh',
  ],
  [
    'a flag twice',
    virtualService({ scheduler: 'mh', schedulerFlags: ['mh-port', 'mh-port'] }),
    'SchedulerFlagMismatch: spec.schedulerFlags[1] repeats mh-port of entry 0; write it once',
  ],
  // Forwarding
  [
    'a method in lower case',
    virtualService({ forwarding: { method: 'dr' } }),
    'InvalidValue: spec.forwarding.method must be one of NAT, DR, TUN, not "dr"; did you mean "DR"?',
  ],
  [
    'a tunnel with DR',
    tunnel('DR', {}),
    'TunnelMismatch: spec.forwarding.tunnel applies to method TUN only, and the method is DR; remove one of them',
  ],
  [
    'GUE without a port',
    tunnel('TUN', { type: 'GUE' }),
    'TunnelMismatch: spec.forwarding.tunnel.port is required: GUE needs the UDP port of the real servers',
  ],
  [
    'IPIP with a port',
    tunnel('TUN', { port: 6080 }),
    'TunnelMismatch: spec.forwarding.tunnel.port applies to GUE only; IPIP has no port',
  ],
  [
    'IPIP with a checksum',
    tunnel('TUN', { checksum: 'Checksum' }),
    'TunnelMismatch: spec.forwarding.tunnel.checksum must be None: IPIP has no checksum of its own',
  ],
  [
    'GRE with a remote checksum',
    tunnel('TUN', { type: 'GRE', checksum: 'RemoteChecksum' }),
    'TunnelMismatch: spec.forwarding.tunnel.checksum must be None or Checksum: RemoteChecksum is for GUE',
  ],
  [
    'a quorum without a minimum',
    virtualService({ quorum: { countIn: 'Weight' } }),
    'QuorumInvalid: spec.quorum needs exactly one of minimum and minimumPercent',
  ],
  [
    'a quorum that can never be lost',
    virtualService({ quorum: { minimumPercent: 30, hysteresis: 30 } }),
    'QuorumInvalid: spec.quorum.hysteresis must be below the minimum, or the quorum could never be lost',
  ],
  [
    'a sorry server in a tunnel that is none',
    virtualService({
      sorryServer: { addresses: ['198.51.100.9'], forwarding: { method: 'DR', tunnel: {} } },
    }),
    'SorryServerTunnelMismatch: spec.sorryServer.forwarding.tunnel applies to method TUN only, and the method is DR; ' +
      'remove one of them',
  ],
  [
    'a sorry server whose check asks nothing',
    virtualService({ sorryServer: { addresses: ['198.51.100.9'], healthCheck: {} } }),
    'HealthCheckInvalid: spec.sorryServer.healthCheck needs exactly one of tcp, http, https, grpc, udp, dns, smtp, icmp, none',
  ],
  [
    'panic beside a sorry server',
    virtualService({ sorryServer: { addresses: ['198.51.100.9'] }, panicThresholdPercent: 50 }),
    'PanicBesideSorryServer: spec.panicThresholdPercent would answer for the lost servers before the sorry server could; ' +
      'remove one of the two',
  ],
  ...['rr', 'lc', 'fo', 'ovf', 'dh', 'sh', 'mh'].map((scheduler): RefusalRow => [
    `slow start under ${scheduler}`,
    virtualService({ scheduler, slowStart: { durationSeconds: 30 } }),
    `SlowStartMismatch: spec.slowStart has no good effect under ${scheduler}, which ${slowStartReasons[scheduler]}; ` +
      'use wrr or wlc, or remove it',
  ]),
  [
    'a ping through a virtual service',
    realServer({ healthCheck: { icmp: {}, through: 'virtualService' } }),
    'HealthCheckInvalid: spec.healthCheck.through needs a port to connect to; icmp and none have no way through a virtual service',
  ],
  [
    'a health check by an unknown name',
    virtualService({ healthCheck: { htpp: {} } }),
    'UnknownField: spec.healthCheck.htpp is not a field here; did you mean "http"?',
  ],
  [
    'sourceNAT with TUN',
    virtualService({ forwarding: { method: 'TUN', sourceNAT: true } }),
    'SourceNATMismatch: spec.forwarding.sourceNAT works with method NAT only: with TUN the real ' +
      'server answers the client directly',
  ],
  [
    'sourceNAT on one real server',
    realServer({ forwarding: { method: 'NAT', sourceNAT: true } }),
    'UnknownField: spec.forwarding.sourceNAT belongs to the VirtualService: it holds for all of its real servers',
  ],
  // One packet, persistence, drain
  [
    'onePacket on TCP',
    virtualService({ onePacket: true }),
    'OnePacketMismatch: spec.onePacket works for UDP only, and port 80 is TCP; remove it',
  ],
  [
    'onePacket with persistence',
    virtualService({ onePacket: true, ports: [{ protocol: 'UDP', port: 53 }], persistence: {} }),
    'OnePacketMismatch: spec.onePacket chooses a real server for every datagram, which contradicts ' +
      'spec.persistence; remove one of them',
  ],
  [
    'onePacket said with yes',
    virtualService({ onePacket: 'yes' }),
    'InvalidValue: spec.onePacket must be true or false, not "yes" (in YAML 1.2 only true is true)',
  ],
  [
    'persistence for 32 days',
    virtualService({ persistence: { timeoutSeconds: 32 * 86400 } }),
    'InvalidValue: spec.persistence.timeoutSeconds must be a whole number from 1 to 2678400, not 2764800',
  ],
  [
    'an IPv4 prefix of 33',
    virtualService({ persistence: { ipv4PrefixLength: 33 } }),
    'InvalidValue: spec.persistence.ipv4PrefixLength must be a whole number from 1 to 32, not 33',
  ],
  [
    'an IPv6 prefix of 129',
    virtualService({ persistence: { ipv6PrefixLength: 129 } }),
    'InvalidValue: spec.persistence.ipv6PrefixLength must be a whole number from 1 to 128, not 129',
  ],
  [
    'a negative drain',
    virtualService({ drain: { timeoutSeconds: -1 } }),
    'InvalidValue: spec.drain.timeoutSeconds must be a whole number from 0 to 604800, not -1',
  ],
  // RealServer
  [
    'no source',
    realServer({ addresses: undefined }),
    'OneSource: spec must say where the real servers are: give exactly one of addresses, podSelector, serviceRef',
  ],
  [
    'no reference',
    realServer({ virtualServiceRef: undefined }),
    'MissingField: spec.virtualServiceRef is required: a mapping of fields',
  ],
  [
    'an address twice',
    realServer({ addresses: ['198.51.100.1', '198.51.100.1'] }),
    'DuplicateAddress: spec.addresses[1] repeats 198.51.100.1 of entry 0; write it once',
  ],
  [
    'two sources',
    realServer({ podSelector: {} }),
    'OneSource: spec.podSelector cannot stand beside addresses: give exactly one of addresses, ' +
      'podSelector, serviceRef',
  ],
  [
    'three sources',
    realServer({ podSelector: {}, serviceRef: { name: 'web' } }),
    'OneSource: spec.serviceRef cannot stand beside addresses and podSelector: give exactly one of ' +
      'addresses, podSelector, serviceRef',
  ],
  [
    'two sources of a cluster',
    realServer({ addresses: undefined, podSelector: {}, serviceRef: { name: 'web' } }),
    'OneSource: spec.serviceRef cannot stand beside podSelector: give exactly one of addresses, ' +
      'podSelector, serviceRef',
  ],
  [
    'a Service and addresses',
    realServer({ serviceRef: { name: 'web' } }),
    'OneSource: spec.serviceRef cannot stand beside addresses: give exactly one of addresses, ' +
      'podSelector, serviceRef',
  ],
  [
    'a Service without a name',
    realServer({ addresses: undefined, serviceRef: {} }),
    'MissingField: spec.serviceRef.name is required: the name of a Service: at most 63 lower-case ' +
      'letters, digits and "-", beginning and ending with a letter or digit',
  ],
  [
    'weight 1001',
    realServer({ weight: 1001 }),
    'InvalidValue: spec.weight must be a whole number from 0 to 1000, not 1001',
  ],
  [
    'weight -1',
    realServer({ weight: -1 }),
    'InvalidValue: spec.weight must be a whole number from 0 to 1000, not -1',
  ],
  [
    'a misspelt state',
    realServer({ state: 'Drain' }),
    'InvalidValue: spec.state must be one of Enabled, Drained, not "Drain"; did you mean "Drained"?',
  ],
  [
    'lower above upper',
    realServer({ upperThreshold: 5, lowerThreshold: 6 }),
    'ThresholdOrder: spec.lowerThreshold is 6, above upperThreshold 5; it must be lower or equal',
  ],
  [
    'lower without upper',
    realServer({ lowerThreshold: 6 }),
    'ThresholdOrder: spec.lowerThreshold is 6, but there is no upperThreshold; set both or neither',
  ],
  [
    'two unnamed ports',
    realServer({ ports: [{ port: 1 }, { port: 2 }] }),
    'PortNameMissing: spec.ports[0].name is required when there are several ports: it names the ' +
      'virtual port that this one serves',
    'PortNameMissing: spec.ports[1].name is required when there are several ports: it names the ' +
      'virtual port that this one serves',
  ],
  [
    'two ports of one name',
    realServer({
      ports: [
        { name: 'a', port: 1 },
        { name: 'a', port: 2 },
      ],
    }),
    'DuplicatePortName: spec.ports[1].name repeats a of entry 0; write it once',
  ],
  [
    'an override with a stray tunnel',
    realServer({ forwarding: { method: 'NAT', tunnel: {} } }),
    'TunnelMismatch: spec.forwarding.tunnel applies to method TUN only, and the method is NAT; remove one of them',
  ],
  [
    'an override without a method',
    realServer({ forwarding: {} }),
    'MissingField: spec.forwarding.method is required: one of NAT, DR, TUN',
  ],
  // AddressPool
  [
    'a range of addresses that ends before it begins',
    addressPool({ addresses: ['192.0.2.9-192.0.2.1'] }),
    'InvalidValue: spec.addresses[0] must be a network (192.0.2.0/24) or a range ' +
      '(192.0.2.10-192.0.2.20): "192.0.2.9-192.0.2.1" ends before it begins.',
  ],
  [
    'a range in two spellings',
    addressPool({ addresses: ['192.0.2.0/24', '192.0.2.0-192.0.2.255'] }),
    'DuplicateRange: spec.addresses[1] repeats 192.0.2.0-192.0.2.255 of entry 0; write it once',
  ],
  [
    'a namespace twice',
    addressPool({ namespaces: ['a', 'a'] }),
    'DuplicateNamespace: spec.namespaces[1] repeats a of entry 0; write it once',
  ],
  [
    'a default pool without addresses',
    addressPool({ addresses: [], default: true }),
    'DefaultPoolEmpty: spec.default is true, but spec.addresses is empty; add addresses or remove it',
  ],
  ...clusterRefusals,
  ...healthRefusals,
  ...weightRefusals,
];
