import type * as z from 'zod';
import { choice, fields, integer, ipAddress, label, list, objectName, set } from './fields.ts';
import { forwardingOverrideSchema } from './forwarding.ts';
import { healthCheckSchema } from './health-check.ts';
import type { Immutable } from './immutable.ts';
import { labelSelector } from './label-selector.ts';
import type { NamespacedMetadata, apiVersion } from './metadata.ts';

/** The kernel keeps thresholds in 32 bits; half of that is beyond every connection table. */
const maxThreshold = 2 ** 31 - 1;

export const realServerSpecSchema = fields({
  virtualServiceRef: fields({
    name: objectName('the name of a VirtualService').describe('A VirtualService of the same namespace.'),
  }).describe('The VirtualService that these real servers stand behind.'),
  addresses: set(ipAddress(), 1, 1024)
    .optional()
    .describe(
      'Fixed addresses of the real servers. Each must lie in the realServerCIDRs of an AddressPool that admits the ' +
        'namespace. Exactly one of addresses, podSelector and serviceRef is given.',
    ),
  podSelector: labelSelector()
    .optional()
    .describe(
      'The real servers are the pods of the namespace with these labels. Ready pods get new connections; pods that end ' +
        'keep theirs while they drain. Empty: all pods of the namespace. Needs a cluster.',
    ),
  serviceRef: fields({
    name: label('the name of a Service').describe('A Service of the same namespace.'),
  })
    .optional()
    .describe(
      'The real servers are the pods behind a Service, as its EndpointSlices tell them; of the Service nothing else ' +
        'is used, neither its type nor its ports. Needs a cluster.',
    ),
  ports: list(
    fields({
      name: label('a port name')
        .optional()
        .describe('Name of the virtual port that this one serves. Required when there are several.'),
      port: integer(1, 65535).describe(
        'Port that the real server listens on. With DR and TUN it equals the virtual port.',
      ),
    }),
    0,
    64,
  )
    .default([])
    .describe('Ports that differ from the virtual ones, joined to them by name. Empty: the virtual ports.'),
  weight: integer(0, 1000)
    .default(100)
    .describe(
      'Share of new connections that each of these servers gets. Beside other RealServers the share of all is weight ' +
        'times servers. 0: no new connections, live ones stay.',
    ),
  state: choice(['Enabled', 'Drained'])
    .default('Enabled')
    .describe(
      'Enabled: the servers get connections. Drained: they get no new ones, and leave the table once theirs have ended.',
    ),
  upperThreshold: integer(0, maxThreshold)
    .default(0)
    .describe(
      'Connections at which a director stops sending new ones to a real server. 0: no limit. Each director counts its own.',
    ),
  lowerThreshold: integer(0, maxThreshold)
    .default(0)
    .describe(
      'Connections below which a full real server is used again. 0: three quarters of upperThreshold.',
    ),
  forwarding: forwardingOverrideSchema.optional().describe('Overrides the forwarding of the VirtualService.'),
  healthCheck: healthCheckSchema
    .optional()
    .describe('Replaces the healthCheck of the VirtualService as a whole. `none: {}` switches it off.'),
});

export type RealServerSpec = Immutable<z.output<typeof realServerSpecSchema>>;

/** RealServers as written by a person, parsed, with defaults applied: one object is one or more servers. */
export interface RealServerResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'RealServer';
  readonly metadata: NamespacedMetadata;
  readonly spec: RealServerSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}
