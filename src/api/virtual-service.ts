import type * as z from 'zod';
import type { IpAddress, IpFamily } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import {
  choice,
  cidr,
  fields,
  flag,
  integer,
  ipAddress,
  keyedList,
  label,
  list,
  objectName,
  set,
} from './fields.ts';
import { forwardingSchema } from './forwarding.ts';
import type { Immutable } from './immutable.ts';
import type { NamespacedMetadata, apiVersion } from './metadata.ts';
import { serviceHealthFields } from './service-health.ts';
import { weightPolicySchema } from './weight-policy.ts';

/** All IPVS schedulers, in the order of the kernel's Kconfig. */
export const schedulerNames = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'fo',
  'ovf',
  'lblc',
  'lblcr',
  'dh',
  'sh',
  'mh',
  'sed',
  'nq',
] as const;
export const schedulerFlagNames = ['sh-port', 'sh-fallback', 'mh-port', 'mh-fallback'] as const;
export type SchedulerName = (typeof schedulerNames)[number];
export type SchedulerFlag = (typeof schedulerFlagNames)[number];

const ipFamilies = ['IPv4', 'IPv6'] as const;

const addressSchema = fields({
  ip: ipAddress()
    .optional()
    .describe('This address and no other. It must lie in an AddressPool that admits the namespace.'),
  pool: objectName('the name of an AddressPool')
    .optional()
    .describe('Take the address from this AddressPool; with `ip`, demand that the address lies in it.'),
  family: choice(ipFamilies).optional().describe('Family of an address taken from a pool. IPv4 if omitted.'),
});

const portSchema = fields({
  name: label('a port name')
    .optional()
    .describe(
      'Joins this port to the port of the same name in RealServers. Required when there are several ports.',
    ),
  protocol: choice(['TCP', 'UDP', 'SCTP']).default('TCP').describe('Transport protocol.'),
  port: integer(1, 65535).describe('Port that clients connect to; with `endPort`, the first of a range.'),
  endPort: integer(1, 65535)
    .optional()
    .describe(
      'Last port of a range, included. Only with portGrouping Together, where the whole range is one ' +
        'service in the kernel.',
    ),
});

const persistenceSchema = fields({
  // ipvsadm's bound. The kernel computes timeout × HZ in 32 bits (ip_vs_genl_parse_service), which wraps far above it.
  timeoutSeconds: integer(1, 31 * 24 * 3600)
    .default(300)
    .describe('How long a client without connections is remembered.'),
  ipv4PrefixLength: integer(1, 32).default(32).describe('IPv4 clients that share this prefix count as one.'),
  ipv6PrefixLength: integer(1, 128)
    .default(128)
    .describe('IPv6 clients that share this prefix count as one.'),
});

const maxDrainSeconds = 7 * 24 * 3600;

const drainSchema = fields({
  timeoutSeconds: integer(0, maxDrainSeconds)
    .default(300)
    .describe(
      'Longest drain of a real server that leaves; connections that are left then are cut. 0 cuts at once.',
    ),
  settleSeconds: integer(0, maxDrainSeconds)
    .default(120)
    .describe(
      'Without active connections for this long, a draining real server is removed although inactive ones remain. ' +
        'A half-closed transfer counts as inactive, and the kernel forgets one after 120 seconds.',
    ),
  udpSeconds: integer(0, maxDrainSeconds)
    .default(0)
    .describe('How long a draining real server keeps its UDP flows, which never end by themselves.'),
  onCordon: flag()
    .default(false)
    .describe(
      'Real servers on a cordoned node get no new connections, unless no others are left. In a cluster; ' +
        '`lvs-operator drain node` drains those of a node whatever stands here.',
    ),
});

export const virtualServiceSpecSchema = fields(
  {
    addresses: list(addressSchema, 1, 16)
      .optional()
      .describe(
        'The virtual addresses. Omitted: one per entry of `addressFamilies` from the default AddressPool.',
      ),
    addressFamilies: set(choice(ipFamilies), 1, 2)
      .optional()
      .describe(
        'Families to take from the default AddressPool when `addresses` is omitted. IPv4 alone if neither is given.',
      ),
    ports: keyedList(portSchema, ['port', 'protocol'], 1, 64).describe(
      'The virtual ports, the same on every address.',
    ),
    portGrouping: choice(['Separate', 'Together'])
      .default('Separate')
      .describe(
        'Separate: each port balances on its own. Together: all ports of an address are one service with one ' +
          'affinity, so that a client finds the same real server on every port.',
      ),
    scheduler: choice(schedulerNames)
      .default('wlc')
      .describe(
        'How the kernel chooses the real server of a new connection. rr, wrr: in turn. lc, wlc: the fewest connections. ' +
          'sed, nq: the shortest expected delay. fo, ovf: the highest weight, until it is gone or full. sh, mh: by the ' +
          'client address. dh, lblc, lblcr: by the destination, for caches. Weights count for wrr, wlc, sed, nq, fo, ovf, ' +
          'lblc, lblcr, sh and mh.',
      ),
    schedulerFlags: set(choice(schedulerFlagNames), 0, 4)
      .default([])
      .describe(
        'sh-port, mh-port: hash the client port too. sh-fallback, mh-fallback: go on to another real ' +
          'server when the hashed one is not available.',
      ),
    forwarding: forwardingSchema.prefault({}).describe('How packets reach the real servers.'),
    persistence: persistenceSchema
      .optional()
      .describe('Client affinity: a client returns to its real server. Omitted: none.'),
    onePacket: flag()
      .default(false)
      .describe(
        'UDP only: choose a real server for every datagram anew, and remember nothing. Where clients expect answers, use ' +
          'DR or TUN: under NAT the kernel forgets the flow before the answer passes.',
      ),
    sourceRanges: set(cidr(), 0, 256)
      .prefault([])
      .describe('Networks whose clients may connect. Empty: everybody.'),
    ...serviceHealthFields,
    drain: drainSchema.prefault({}).describe('How real servers leave.'),
    weightPolicy: weightPolicySchema
      .optional()
      .describe('Weights that follow the load. Omitted: those of the RealServers, as written.'),
  },
  {
    selector:
      'is not how real servers are found: write a RealServer whose virtualServiceRef names this VirtualService',
    realServers:
      'is not a field here: write RealServer objects whose virtualServiceRef names this VirtualService',
    fwmark: 'is not a field here: portGrouping Together uses a firewall mark that the director chooses',
  },
);

export type VirtualServiceSpec = Immutable<z.output<typeof virtualServiceSpecSchema>>;
export type VirtualPort = VirtualServiceSpec['ports'][number];
export type QuorumSpec = NonNullable<VirtualServiceSpec['quorum']>;
export type SorryServerSpec = NonNullable<VirtualServiceSpec['sorryServer']>;
export type Persistence = NonNullable<VirtualServiceSpec['persistence']>;

/** A VirtualService as written by a person, parsed, with defaults applied. The kernel's is `VirtualService…` in ipvs. */
export interface VirtualServiceResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'VirtualService';
  readonly metadata: NamespacedMetadata;
  readonly spec: VirtualServiceSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** One wanted VIP: a certain address (possibly bound to a pool), or any of a family from a pool. */
export type AddressRequest =
  | {
      readonly kind: 'fixed';
      readonly ip: IpAddress;
      readonly family: IpFamily;
      readonly pool: string | undefined;
    }
  | { readonly kind: 'pool'; readonly family: IpFamily; readonly pool: string | undefined };

/**
 * The VIPs that a spec asks for, in order, with every default applied: the index is that of `spec.addresses`, or of
 * `spec.addressFamilies` when addresses are omitted. `pool` undefined: any pool that holds the fixed address, or the
 * default pool.
 */
export function requestedAddresses(spec: VirtualServiceSpec): readonly AddressRequest[] {
  if (spec.addresses === undefined) {
    return (spec.addressFamilies ?? ['IPv4']).map((family) => ({ kind: 'pool', family, pool: undefined }));
  }
  return spec.addresses.map(({ ip, pool, family }) =>
    ip === undefined
      ? { kind: 'pool', family: family ?? 'IPv4', pool }
      : { kind: 'fixed', ip, family: ipFamily(ip), pool },
  );
}
