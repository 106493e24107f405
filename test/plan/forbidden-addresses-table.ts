import { parseCidr, parseIpAddress } from '../../src/base/index.ts';
import type { DirectorFacts } from '../../src/plan/index.ts';

/**
 * What must never be a VIP or a real server, in every spelling that somebody might try. Plain data, so that a test of
 * packets or of an API server can play it again. The pools of such a test should admit everything: then nothing but the
 * rules about the addresses themselves can refuse.
 */
export interface ForbiddenAddress {
  readonly written: string;
  /** `Unreadable`: no schema takes it, so it never becomes an address. Otherwise the reason of its refusal. */
  readonly fate: 'Unreadable' | ForbiddenReason;
}

export type ForbiddenReason =
  | 'AddressReserved'
  | 'AddressOfDirector'
  | 'AddressOfNode'
  | 'AddressOfPodNetwork'
  | 'AddressOfServiceNetwork'
  | 'AddressOfApiServer'
  | 'AddressOfSubnet';

/** The host and the cluster that the table speaks of. */
export const forbiddenFacts: DirectorFacts = {
  ownAddresses: ['192.0.2.1', '2001:db8:1::1'].map(parseIpAddress),
  uplinks: [
    {
      name: 'eth0',
      subnets: ['192.0.2.0/25', '2001:db8:1::/64', '198.51.100.4/31'].map(parseCidr),
      mtu: 1500,
    },
  ],
  unavailableSchedulers: [],
  reservedCidrs: [parseCidr('172.20.0.0/16')],
  cluster: {
    nodeAddresses: ['192.0.2.1', '192.0.2.2', '203.0.113.7', '2001:db8:1::2'].map(parseIpAddress),
    podCidrs: ['10.244.0.0/16', 'fd00:10:244::/56'].map(parseCidr),
    serviceCidrs: ['10.96.0.0/12', 'fd00:10:96::/112'].map(parseCidr),
    apiServerAddresses: ['192.0.2.100', '2001:db8:1::100'].map(parseIpAddress),
  },
};

/** A VIP that nothing is wrong with, and a pod and a static real server in both families. */
export const allowed = {
  vips: ['203.0.113.10', '2001:db8:2::10'],
  pods: ['10.244.1.5', 'fd00:10:244:1::5'],
  statics: ['198.18.0.5', '2001:db8:3::5'],
} as const;

/** Other spellings of allowed addresses, and what they become. */
export const normalised: readonly (readonly [written: string, canonical: string])[] = [
  ['2001:DB8:2::10', '2001:db8:2::10'],
  ['2001:0db8:0002:0000:0000:0000:0000:0010', '2001:db8:2::10'],
  ['2001:db8:2:0:0:0:0:10', '2001:db8:2::10'],
  ['2001:db8:2::0:10', '2001:db8:2::10'],
  ['2001:db8:2::0.0.0.16', '2001:db8:2::10'],
];

const rows = (fate: ForbiddenAddress['fate'], texts: string): readonly ForbiddenAddress[] =>
  texts
    .split(' ')
    .filter((text) => text !== '')
    .map((written) => ({ written, fate }));

/** Neither a VIP nor a real server, whoever asks. */
const forEverybody: readonly ForbiddenAddress[] = [
  // decimal, hexadecimal, octal and short forms, as inet_aton and browsers read them
  ...rows(
    'Unreadable',
    '2130706433 3221225985 0x7f000001 0x7f.0.0.1 0x7f.1 0xc0000201 0XC0.0.2.1 017700000001',
  ),
  ...rows('Unreadable', '0177.0.0.1 0300.0.2.1 127.1 127.0.1 192.0.513 10.96.1 0 1 127'),
  // leading zeros, which some read as octal
  ...rows('Unreadable', '127.0.0.01 127.00.0.1 010.96.0.1 192.0.2.001 192.000.002.001 010.244.1.5'),
  // IPv4-mapped
  ...rows(
    'Unreadable',
    '::ffff:127.0.0.1 ::FFFF:127.0.0.1 ::ffff:7f00:1 0:0:0:0:0:ffff:7f00:1 ::ffff:192.0.2.1',
  ),
  ...rows('Unreadable', '::ffff:10.96.0.1 ::ffff:10.244.1.5 ::ffff:203.0.113.10 0::ffff:203.0.113.10'),
  // zones
  ...rows('Unreadable', 'fe80::1%eth0 fe80::1%25eth0 2001:db8:2::10%eth0 203.0.113.10%eth0 ::1%lo'),
  // dressed up
  ...rows(
    'Unreadable',
    '203.0.113.10/32 203.0.113.10:80 [2001:db8:2::10] [::1]:80 http://127.0.0.1 127.0.0.1.',
  ),
  ...rows('Unreadable', '.127.0.0.1 127.0.0.1, 127..0.1 １２７.0.0.1 127。0。0。1 ١٢٧.0.0.1 127.0.0.1\u200b'),
  ...rows(
    'Unreadable',
    'localhost kubernetes.default.svc 1.2.3.4.5 256.0.0.1 -1.0.0.1 1e2.0.0.1 :::1 1::2::3',
  ),
  ...['', ' 127.0.0.1', '127.0.0.1 ', '127.0.0.1\n', '127.0.0.1\0', '\t::1'].map(
    (written) => ({ written, fate: 'Unreadable' }) as const,
  ),
  // unspecified, "this network", loopback
  ...rows('AddressReserved', '0.0.0.0 0.0.0.1 0.255.255.255 :: 0:0:0:0:0:0:0:0 ::0 127.0.0.1 127.0.0.53'),
  ...rows('AddressReserved', '127.255.255.255 ::1 0:0:0:0:0:0:0:1 0000::0001'),
  // link-local, site-local, metadata services
  ...rows(
    'AddressReserved',
    '169.254.0.1 169.254.169.254 169.254.255.255 fe80::1 FE80::1 febf:ffff::1 fec0::1',
  ),
  ...rows(
    'AddressReserved',
    '100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 FD00:0EC2::254 fd20:ce::254',
  ),
  // multicast, broadcast, class E, discard
  ...rows(
    'AddressReserved',
    '224.0.0.1 224.0.0.18 239.255.255.250 255.255.255.255 240.0.0.1 255.255.255.254',
  ),
  ...rows('AddressReserved', 'ff00:: ff02::1 FF05::2 100:: 100::1'),
  // IPv4 in disguise: compatible, translated, Teredo, local NAT64
  ...rows('AddressReserved', '::127.0.0.1 ::7f00:1 ::203.0.113.10 ::ffff:0:127.0.0.1 ::ffff:0:cb00:710a'),
  ...rows(
    'AddressReserved',
    '2001:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 64:ff9b:1::1 64:ff9b:1:ffff::7f00:1',
  ),
  // reserved addresses inside 6to4, NAT64 and ISATAP
  ...rows('AddressReserved', '2002:7f00:1:: 2002:a9fe:a9fe::1 2002:e000:1:: 2002:: 64:ff9b::127.0.0.1'),
  ...rows('AddressReserved', '64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:FF9B:: 2001:db8::5efe:127.0.0.1'),
  ...rows('AddressReserved', '2001:db8::200:5efe:a9fe:a9fe'),
  // reservedCIDRs of the configuration, plain and embedded
  ...rows(
    'AddressReserved',
    '172.20.0.1 172.20.255.255 64:ff9b::172.20.0.1 2002:ac14:1::1 2001:db8::5efe:ac14:1',
  ),
  // Services of the cluster, plain and embedded
  ...rows('AddressOfServiceNetwork', '10.96.0.1 10.96.0.10 10.111.255.255 fd00:10:96::a FD00:0010:0096::A'),
  ...rows(
    'AddressOfServiceNetwork',
    '64:ff9b::10.96.0.1 64:ff9b::a60:1 2002:a60:1::1 2001:db8::5efe:10.96.0.1',
  ),
  // ends of on-link subnets
  ...rows('AddressOfSubnet', '192.0.2.0 192.0.2.127 2001:db8:1:: 2001:db8:1:0::0'),
];

/** Not for what a person writes; a pod may well be there. */
const notForPeople: readonly ForbiddenAddress[] = [
  ...rows('AddressOfPodNetwork', '10.244.0.1 10.244.1.5 10.244.255.255 fd00:10:244:1::5 FD00:10:244:00FF::1'),
  ...rows('AddressOfPodNetwork', '64:ff9b::10.244.1.5 2002:af4:105::1 2001:db8::200:5efe:10.244.1.5'),
  ...rows('AddressOfApiServer', '192.0.2.100 2001:db8:1::100 2001:DB8:1:0:0:0:0:100 64:ff9b::c000:264'),
  ...rows('AddressOfApiServer', '2002:c000:264::'),
];

/** Addresses of nodes: real servers on them are judged by their ports. */
const ofNodes: readonly ForbiddenAddress[] = [
  ...rows(
    'AddressOfDirector',
    '192.0.2.1 2001:db8:1::1 2001:0DB8:1:0:0::1 64:ff9b::192.0.2.1 2002:c000:201::1',
  ),
  ...rows('AddressOfNode', '192.0.2.2 203.0.113.7 2001:db8:1::2 2001:0db8:0001::0002 64:ff9b::203.0.113.7'),
  ...rows('AddressOfNode', '2002:c000:202::1 2001:db8::5efe:192.0.2.2'),
];

export const forbiddenVips: readonly ForbiddenAddress[] = [...forEverybody, ...notForPeople, ...ofNodes];
/** As static real servers. */
export const forbiddenStatics: readonly ForbiddenAddress[] = [...forEverybody, ...notForPeople];
/** As pods, whatever the controller has been made to believe. */
export const forbiddenPods: readonly ForbiddenAddress[] = forEverybody;

/** Ways to a port of the control plane on a node: `virtual` are the ports of the service, `real` those of the server. */
export interface ForbiddenPort {
  readonly what: string;
  readonly address: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly ports: readonly Readonly<Record<string, unknown>>[];
}

const together = { portGrouping: 'Together' };
export const forbiddenPorts: readonly ForbiddenPort[] = [
  '192.0.2.1',
  '192.0.2.2',
  '203.0.113.7',
  '2001:db8:1::2',
  '64:ff9b::192.0.2.2',
  '2002:c000:202::1',
].flatMap((address) => [
  { what: 'the kubelet, by its own port', address, spec: { ports: [{ port: 10250 }] }, ports: [] },
  {
    what: 'the kubelet, behind another port',
    address,
    spec: { ports: [{ port: 443 }] },
    ports: [{ port: 10250 }],
  },
  { what: 'the API server', address, spec: { ports: [{ port: 443 }] }, ports: [{ port: 6443 }] },
  { what: 'etcd for clients', address, spec: { ports: [{ port: 443 }] }, ports: [{ port: 2379 }] },
  { what: 'etcd for its peers', address, spec: { ports: [{ port: 443 }] }, ports: [{ port: 2380 }] },
  {
    what: 'the kubelet, in the middle of a range',
    address,
    spec: { ...together, ports: [{ port: 10000, endPort: 11000 }] },
    ports: [],
  },
  {
    what: 'etcd, at the end of a range',
    address,
    spec: { ...together, ports: [{ port: 2000, endPort: 2379 }] },
    ports: [],
  },
  {
    what: 'the API server, at the beginning of a range',
    address,
    spec: { ...together, ports: [{ port: 6443, endPort: 7000 }] },
    ports: [],
  },
  {
    what: 'the kubelet, as one of several ports that are grouped',
    address,
    spec: {
      ...together,
      ports: [
        { name: 'web', port: 80 },
        { name: 'more', port: 10250 },
      ],
    },
    ports: [],
  },
  {
    what: 'the API server, as the one port that all grouped ports lead to',
    address,
    spec: {
      ...together,
      ports: [
        { name: 'web', port: 80 },
        { name: 'tls', port: 443 },
      ],
    },
    ports: [
      { name: 'web', port: 6443 },
      { name: 'tls', port: 6443 },
    ],
  },
  {
    what: 'the kubelet, by direct return',
    address,
    spec: { ports: [{ port: 10250 }], forwarding: { method: 'DR' } },
    ports: [],
  },
  {
    what: 'the kubelet, through a tunnel, over UDP ports all the same',
    address,
    spec: { ports: [{ protocol: 'UDP', port: 10250 }], forwarding: { method: 'TUN' } },
    ports: [],
  },
]);
