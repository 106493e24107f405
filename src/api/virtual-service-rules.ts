import { ipFamily } from '../base/index.ts';
import { tunnelCel, tunnelViolations } from './forwarding.ts';
import { duplicateViolations, twoSpellings } from './duplicates.ts';
import { duplicatePortNameCel, portNameMissingCel } from './port-name-cel.ts';
import type { ResourceRule, RuleViolation } from './problem.ts';
import { serviceHealthRules } from './service-health.ts';
import type { VirtualPort, VirtualServiceSpec } from './virtual-service.ts';
import { weightPolicyRules } from './weight-policy-rules.ts';

const rangeNeedsTogether =
  'needs portGrouping: Together, where a range is one service in the kernel; ' +
  'with Separate every port is a service of its own, so list them one by one';

/** What the structure of a VirtualService cannot say. Paths are relative to the object. */
export const virtualServiceRules: readonly ResourceRule<VirtualServiceSpec>[] = [
  {
    name: 'DuplicateAddress',
    promise: 'An address is listed once.',
    violations: ({ addresses = [] }) =>
      duplicateViolations(addresses, ({ ip }) => ip, ['spec', 'addresses'], 'ip'),
    cel: [
      {
        at: ['spec', 'addresses'],
        // isIP comes first, for a rule of an entry does not keep this one from running.
        rule:
          'self.all(a, !has(a.ip) || !isIP(a.ip) || ' +
          'self.exists_one(b, has(b.ip) && isIP(b.ip) && ip(b.ip) == ip(a.ip)))',
        message: 'An address is listed once.',
      },
    ],
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
    cel: [
      {
        at: ['spec', 'addresses', '[]'],
        rule:
          '!has(self.ip) || !has(self.family) || !isIP(self.ip) || ' +
          "ip(self.ip).family() == (self.family == 'IPv4' ? 4 : 6)",
        message: 'is not the family of the ip',
        messageExpression:
          "'is %s, but %s is %s'.format([self.family, self.ip, ip(self.ip).family() == 4 ? 'IPv4' : 'IPv6'])",
        fieldPath: '.family',
      },
    ],
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
    cel: [
      {
        at: ['spec'],
        rule: '!has(self.addresses) || !has(self.addressFamilies)',
        message: 'has no effect beside spec.addresses; remove one of them',
        fieldPath: '.addressFamilies',
        reason: 'FieldValueForbidden',
      },
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
    cel: [
      portNameMissingCel('is required when there are several ports: RealServers join their ports by name'),
    ],
  },
  {
    name: 'DuplicatePortName',
    promise: 'Port names are unique.',
    violations: ({ ports }) => duplicateViolations(ports, ({ name }) => name, ['spec', 'ports'], 'name'),
    cel: [duplicatePortNameCel],
  },
  {
    name: 'PortRangeInvalid',
    promise: 'A port range ends where it begins or later, and belongs to portGrouping Together.',
    violations: ({ ports, portGrouping }) =>
      ports.flatMap((port, index) => rangeViolations(port, index, portGrouping)),
    cel: [
      {
        at: ['spec', 'ports', '[]'],
        rule: '!has(self.endPort) || self.endPort >= self.port',
        message: 'is before the first port of its range',
        messageExpression: "'is %d, before the first port %d of its range'.format([self.endPort, self.port])",
        fieldPath: '.endPort',
      },
      {
        at: ['spec'],
        rule: "self.portGrouping == 'Together' || self.ports.all(p, !has(p.endPort))",
        message: `endPort ${rangeNeedsTogether}`,
        fieldPath: '.ports',
        reason: 'FieldValueForbidden',
      },
    ],
  },
  {
    name: 'DuplicatePort',
    promise: 'No two ports of one protocol overlap.',
    violations: ({ ports }) => overlapViolations(ports),
    cel: [
      {
        at: ['spec', 'ports'],
        rule:
          'self.all(p, self.filter(q, q.protocol == p.protocol && ' +
          'q.port <= (has(p.endPort) ? p.endPort : p.port) && ' +
          'p.port <= (has(q.endPort) ? q.endPort : q.port)).size() < 2)',
        message: 'No two ports of one protocol overlap.',
      },
    ],
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
    cel: [
      {
        at: ['spec'],
        rule: "self.schedulerFlags.all(f, f.startsWith(self.scheduler + '-'))",
        message: 'sh- flags apply to scheduler sh only, and mh- flags to mh only',
        messageExpression:
          "self.schedulerFlags.filter(f, !f.startsWith(self.scheduler + '-')).map(f, " +
          "'%s applies to scheduler %s only, and spec.scheduler is %s'" +
          ".format([f, f.startsWith('sh-') ? 'sh' : 'mh', self.scheduler]))[0]",
        fieldPath: '.schedulerFlags',
      },
    ],
  },
  {
    name: 'TunnelMismatch',
    promise: 'A tunnel goes with method TUN, a port with GUE, and a checksum with the types that have one.',
    violations: ({ forwarding }) => tunnelViolations(forwarding, ['spec', 'forwarding']),
    cel: tunnelCel(['spec', 'forwarding']),
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
    cel: [
      {
        at: ['spec', 'forwarding'],
        rule: "!has(self.sourceNAT) || !self.sourceNAT || self.method == 'NAT'",
        message: 'works with method NAT only',
        messageExpression:
          "'works with method NAT only: with %s the real server answers the client directly'.format([self.method])",
        fieldPath: '.sourceNAT',
        reason: 'FieldValueForbidden',
      },
    ],
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
    cel: [
      {
        at: ['spec'],
        rule: "!self.onePacket || self.ports.all(p, p.protocol == 'UDP')",
        message: 'works for UDP only',
        // A list literal in CEL holds one type; dyn() makes it one.
        messageExpression:
          "self.ports.filter(p, p.protocol != 'UDP').map(p, " +
          "'works for UDP only, and port %d is %s; remove it'.format([dyn(p.port), dyn(p.protocol)]))[0]",
        fieldPath: '.onePacket',
        reason: 'FieldValueForbidden',
      },
      {
        at: ['spec'],
        rule: '!self.onePacket || !has(self.persistence)',
        message:
          'chooses a real server for every datagram, which contradicts spec.persistence; remove one of them',
        fieldPath: '.onePacket',
        reason: 'FieldValueForbidden',
      },
    ],
  },
  ...serviceHealthRules,
  {
    name: 'DuplicateSourceRange',
    promise: 'A source range is listed once.',
    violations: ({ sourceRanges }) =>
      duplicateViolations(sourceRanges, ({ address, prefixLength }) => `${address}/${prefixLength}`, [
        'spec',
        'sourceRanges',
      ]),
    cel: [],
    beyondApiServer: twoSpellings,
  },
  ...weightPolicyRules,
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
          message: rangeNeedsTogether,
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
