import type * as z from 'zod';
import {
  choice,
  integer,
  ipAddress,
  keyedList,
  label,
  lenientFields,
  list,
  objectName,
  text,
  timestamp,
} from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { NamespacedMetadata, apiVersion } from './metadata.ts';

/** Entries of one slice; a RealServer with more has several. */
export const maxSliceEndpoints = 100;

/** Name of the label that says which VirtualService a slice belongs to, so that programs can choose by it. */
export const virtualServiceLabel = 'networking.lvs-operator.io/virtual-service';

/** A pool of very unequal servers has weights far from its mean. The kernel takes no more (ipvsadm: 65535). */
export const maxAdvisedWeight = 65_535;

const endpointSchema = lenientFields({
  address: ipAddress().describe('Address of the real server.'),
  phase: choice(['Serving', 'Draining']).describe(
    'Serving: it gets new connections. Draining: it only keeps those it has, and leaves when they have ended.',
  ),
  deadline: timestamp()
    .optional()
    .describe(
      'When the connections of a draining endpoint that are left then are cut. Default: the drain of the VirtualService.',
    ),
  weight: integer(0, maxAdvisedWeight)
    .optional()
    .describe(
      'Share of new connections, computed by the controller where the weightPolicy of the VirtualService asks for it; ' +
        '100 is the mean. Default: the weight of the RealServer.',
    ),
  nodeName: objectName('the name of a node').optional().describe('Node that the pod runs on.'),
  podUID: text('the uid of a pod', /^[-a-zA-Z0-9._:]{1,128}$/, 128)
    .optional()
    .describe(
      'The pod of this namespace that has the address, as the controller has verified. Without it the address is a ' +
        'static one and must lie in the realServerCIDRs of an AddressPool that admits the namespace.',
    ),
});

export const realServerSliceSpecSchema = lenientFields({
  virtualServiceName: objectName('the name of a VirtualService').describe(
    'VirtualService of the same namespace that the endpoints stand behind.',
  ),
  realServerName: objectName('the name of a RealServer').describe(
    'RealServer of the same namespace that the endpoints come from.',
  ),
  ports: list(
    lenientFields({
      name: label('a port name').optional().describe('Name of the virtual port that this one serves.'),
      port: integer(1, 65535).describe('Port that the endpoints listen on.'),
    }),
    0,
    64,
  )
    .default([])
    .describe('Ports that differ from the virtual ones, joined to them by name. Empty: the virtual ports.'),
  endpoints: keyedList(endpointSchema, ['address'], 0, maxSliceEndpoints)
    .prefault([])
    .describe('The real servers of this part, each on every port.'),
});

export type RealServerSliceSpec = Immutable<z.output<typeof realServerSliceSpecSchema>>;
/** One real server behind a VirtualService, on each port of its slice. */
export type Endpoint = RealServerSliceSpec['endpoints'][number];
export type EndpointPhase = Endpoint['phase'];

/** A part of the endpoints of one RealServer: what directors program from. Written by the controller alone. */
export interface RealServerSliceResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'RealServerSlice';
  readonly metadata: NamespacedMetadata;
  readonly spec: RealServerSliceSpec;
}
