import { ipFamily } from '../base/index.ts';
import { tunnelViolations } from './forwarding.ts';
import { duplicateViolations } from './duplicates.ts';
import type { ObjectRule, RuleViolation } from './problem.ts';
import type { VirtualPort, VirtualServiceSpec } from './virtual-service.ts';

/** What the structure of a VirtualService cannot say. Paths are relative to the object. */
export const virtualServiceRules: readonly ObjectRule<VirtualServiceSpec>[] = [
  {
    name: 'DuplicateAddress',
    promise: 'An address is listed once.',
    violations: ({ addresses = [] }) =>
      duplicateViolations(addresses, ({ ip }) => ip, ['spec', 'addresses'], 'ip'),
  },
  {
    name: 'AddressFamilyMismatch',
    promise: 'The family of an address with `ip` is that of the ip.',
    violations: ({ addresses = [] }) =>
      addresses.flatMap(({ ip, family }, index) =>
        ip === undefined || family === undefined || ipFamily(ip) === family
          ? []
          : [
              {
                path: ['spec', 'addresses', index, 'family'],
                message: `is ${family}, but ${ip} is ${ipFamily(ip)}`,
              },
            ],
      ),
  },
  {
    name: 'AddressFamiliesUnused',
    promise: 'addressFamilies is set only when addresses is omitted, and names a family once.',
    violations: ({ addresses, addressFamilies = [] }) => [
      ...(addresses !== undefined && addressFamilies.length > 0
        ? [
            {
              path: ['spec', 'addressFamilies'],
              message: 'has no effect beside spec.addresses; remove one of them',
            },
          ]
        : []),
      ...duplicateViolations(addressFamilies, (family) => family, ['spec', 'addressFamilies']),
    ],
  },
  {
    name: 'PortNameMissing',
    promise: 'Every port has a name when there are several.',
    violations: ({ ports }) =>
      ports.length < 2
        ? []
        : ports.flatMap(({ name }, index) =>
            name === undefined
              ? [
                  {
                    path: ['spec', 'ports', index, 'name'],
                    message: 'is required when there are several ports: RealServers join their ports by name',
                  },
                ]
              : [],
          ),
  },
  {
    name: 'DuplicatePortName',
    promise: 'Port names are unique.',
    violations: ({ ports }) => duplicateViolations(ports, ({ name }) => name, ['spec', 'ports'], 'name'),
  },
  {
    name: 'PortRangeInvalid',
    promise: 'A port range ends where it begins or later, and belongs to portGrouping Together.',
    violations: ({ ports, portGrouping }) =>
      ports.flatMap((port, index) => rangeViolations(port, index, portGrouping)),
  },
  {
    name: 'DuplicatePort',
    promise: 'No two ports of one protocol overlap.',
    violations: ({ ports }) => overlapViolations(ports),
  },
  {
    name: 'SchedulerFlagMismatch',
    promise: 'sh- flags go with scheduler sh and mh- flags with mh; each is listed once.',
    violations: ({ scheduler, schedulerFlags }) => [
      ...schedulerFlags.flatMap((flag, index) => {
        const wanted = flag.slice(0, 2);
        return wanted === scheduler
          ? []
          : [
              {
                path: ['spec', 'schedulerFlags', index],
                message: `${flag} applies to scheduler ${wanted} only, and spec.scheduler is ${scheduler}`,
              },
            ];
      }),
      ...duplicateViolations(schedulerFlags, (flag) => flag, ['spec', 'schedulerFlags']),
    ],
  },
  {
    name: 'TunnelMismatch',
    promise: 'A tunnel goes with method TUN, a port with GUE, and a checksum with the types that have one.',
    violations: ({ forwarding }) => tunnelViolations(forwarding, ['spec', 'forwarding']),
  },
  {
    name: 'SourceNATMismatch',
    promise: 'sourceNAT is true only with method NAT.',
    violations: ({ forwarding }) =>
      forwarding.sourceNAT === true && forwarding.method !== 'NAT'
        ? [
            {
              path: ['spec', 'forwarding', 'sourceNAT'],
              message: `works with method NAT only: with ${forwarding.method} the real server answers the client directly`,
            },
          ]
        : [],
  },
  {
    name: 'OnePacketMismatch',
    promise: 'onePacket is set only when every port is UDP and there is no persistence.',
    violations: ({ onePacket, ports, persistence }) => {
      if (!onePacket) return [];
      const path = ['spec', 'onePacket'];
      // ip_vs_schedule() looks at the flag for UDP alone; on other protocols it would be accepted and ignored.
      const other = ports.find(({ protocol }) => protocol !== 'UDP');
      if (other !== undefined) {
        return [
          { path, message: `works for UDP only, and port ${other.port} is ${other.protocol}; remove it` },
        ];
      }
      return persistence === undefined
        ? []
        : [
            {
              path,
              message:
                'chooses a real server for every datagram, which contradicts spec.persistence; remove one of them',
            },
          ];
    },
  },
  {
    name: 'DuplicateSourceRange',
    promise: 'A source range is listed once.',
    violations: ({ sourceRanges }) =>
      duplicateViolations(sourceRanges, ({ address, prefixLength }) => `${address}/${prefixLength}`, [
        'spec',
        'sourceRanges',
      ]),
  },
];

function rangeViolations(port: VirtualPort, index: number, portGrouping: string): readonly RuleViolation[] {
  if (port.endPort === undefined) return [];
  const path = ['spec', 'ports', index, 'endPort'];
  if (port.endPort < port.port) {
    return [{ path, message: `is ${port.endPort}, before the first port ${port.port} of its range` }];
  }
  return portGrouping === 'Together'
    ? []
    : [
        {
          path,
          message:
            'needs portGrouping: Together, where a range is one service in the kernel; ' +
            'with Separate every port is a service of its own, so list them one by one',
        },
      ];
}

function overlapViolations(ports: readonly VirtualPort[]): readonly RuleViolation[] {
  return ports.flatMap((port, index) => {
    const first = ports.findIndex(
      (other) =>
        other.protocol === port.protocol &&
        other.port <= (port.endPort ?? port.port) &&
        port.port <= (other.endPort ?? other.port),
    );
    return first < index && first >= 0
      ? [
          {
            path: ['spec', 'ports', index, 'port'],
            message: `overlaps ${port.protocol} port ${ports[first]?.port} of entry ${first}; write it once`,
          },
        ]
      : [];
  });
}
