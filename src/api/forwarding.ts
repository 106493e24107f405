import type * as z from 'zod';
import type { CelRule } from './cel.ts';
import { choice, fields, flag, integer } from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { FieldPath, RuleViolation } from './problem.ts';

const forwardingMethods = ['NAT', 'DR', 'TUN'] as const;

const method = choice(forwardingMethods).describe(
  'How packets reach the real server. NAT rewrites the destination and needs the answer to come back through the ' +
    'director. DR (direct return) only changes the MAC address: director and real server share a layer-2 network. ' +
    'TUN wraps the packet and works across routers. With DR and TUN the real server owns the virtual address too, ' +
    'answers the client directly, and listens on the virtual port.',
);

const tunnelSchema = fields({
  type: choice(['IPIP', 'GUE', 'GRE'])
    .default('IPIP')
    .describe('IPIP: plain IP in IP. GUE: in UDP, passes where protocol 4 is blocked. GRE: in GRE.'),
  port: integer(1, 65535)
    .optional()
    .describe('UDP port where the real server receives GUE. Required for GUE, only for GUE.'),
  checksum: choice(['None', 'Checksum', 'RemoteChecksum'])
    .default('None')
    .describe('Checksum of the outer packet. GRE knows None and Checksum, GUE all three, IPIP None.'),
});

export const forwardingSchema = fields({
  method: method.default('NAT'),
  tunnel: tunnelSchema.optional().describe('The wrapping of TUN; IPIP if omitted. Only with method TUN.'),
  sourceNAT: flag()
    .optional()
    .describe(
      'Let packets to the real servers leave with an address of the director, so that answers return through it ' +
        'wherever the real servers are; they no longer see the client address. Only with method NAT. ' +
        'Default: true where a RealServer finds pods (podSelector, serviceRef), whose answers would take another way; ' +
        'false for static addresses.',
    ),
});

/** What a RealServer may override: everything that is kept per real server in the kernel. */
export const forwardingOverrideSchema = fields(
  {
    method,
    tunnel: tunnelSchema.optional().describe('The wrapping of TUN; IPIP if omitted. Only with method TUN.'),
  },
  { sourceNAT: 'belongs to the VirtualService: it holds for all of its real servers' },
);

export type Forwarding = Immutable<z.output<typeof forwardingSchema>>;
export type ForwardingOverride = Immutable<z.output<typeof forwardingOverrideSchema>>;
export type TunnelSpec = Immutable<z.output<typeof tunnelSchema>>;

/** What TUN means without a `tunnel`. */
export const defaultTunnel: TunnelSpec = { type: 'IPIP', checksum: 'None' };

/** Violations of the rules that bind `tunnel` to the method and its own type. */
export function tunnelViolations(
  forwarding: { readonly method: string; readonly tunnel?: TunnelSpec | undefined },
  path: FieldPath,
): readonly RuleViolation[] {
  const { method, tunnel } = forwarding;
  if (tunnel === undefined) return [];
  if (method !== 'TUN') {
    return [
      {
        path: [...path, 'tunnel'],
        message: `applies to method TUN only, and the method is ${method}; remove one of them`,
      },
    ];
  }
  const violations: RuleViolation[] = [];
  if (tunnel.type === 'GUE' && tunnel.port === undefined) {
    violations.push({
      path: [...path, 'tunnel', 'port'],
      message: 'is required: GUE needs the UDP port of the real servers',
    });
  }
  if (tunnel.type !== 'GUE' && tunnel.port !== undefined) {
    violations.push({
      path: [...path, 'tunnel', 'port'],
      message: `applies to GUE only; ${tunnel.type} has no port`,
    });
  }
  if (tunnel.type === 'IPIP' && tunnel.checksum !== 'None') {
    violations.push({
      path: [...path, 'tunnel', 'checksum'],
      message: 'must be None: IPIP has no checksum of its own',
    });
  }
  if (tunnel.type === 'GRE' && tunnel.checksum === 'RemoteChecksum') {
    violations.push({
      path: [...path, 'tunnel', 'checksum'],
      message: 'must be None or Checksum: RemoteChecksum is for GUE',
    });
  }
  return violations;
}

/** The same in CEL. `path` leads to the forwarding. */
export function tunnelCel(path: readonly string[]): readonly CelRule[] {
  const tunnel = [...path, 'tunnel'];
  return [
    {
      at: path,
      rule: "!has(self.tunnel) || self.method == 'TUN'",
      message: 'applies to method TUN only',
      messageExpression:
        "'applies to method TUN only, and the method is %s; remove one of them'.format([self.method])",
      fieldPath: '.tunnel',
      reason: 'FieldValueForbidden',
    },
    {
      at: tunnel,
      rule: "self.type != 'GUE' || has(self.port)",
      message: 'is required: GUE needs the UDP port of the real servers',
      fieldPath: '.port',
      reason: 'FieldValueRequired',
    },
    {
      at: tunnel,
      rule: "self.type == 'GUE' || !has(self.port)",
      message: 'applies to GUE only',
      messageExpression: "'applies to GUE only; %s has no port'.format([self.type])",
      fieldPath: '.port',
      reason: 'FieldValueForbidden',
    },
    {
      at: tunnel,
      rule: "self.type != 'IPIP' || self.checksum == 'None'",
      message: 'must be None: IPIP has no checksum of its own',
      fieldPath: '.checksum',
    },
    {
      at: tunnel,
      rule: "self.type != 'GRE' || self.checksum != 'RemoteChecksum'",
      message: 'must be None or Checksum: RemoteChecksum is for GUE',
      fieldPath: '.checksum',
    },
  ];
}
