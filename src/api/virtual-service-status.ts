import {
  choice,
  integer,
  ipAddress,
  keyedList,
  label,
  lenientFields,
  list,
  objectName,
  timestamp,
  words,
} from './fields.ts';
import { commonStatus, count, readStatus } from './status-fields.ts';
import type { StatusOf } from './status-fields.ts';
import type { VirtualServiceResource } from './virtual-service.ts';

const statusPort = lenientFields({
  name: label('a port name').optional().describe('Name of the port, as in the spec.'),
  protocol: choice(['TCP', 'UDP', 'SCTP']).describe('Transport protocol.'),
  port: integer(1, 65535).describe('Port that clients connect to, or the first of a range.'),
  endPort: integer(1, 65535).optional().describe('Last port of the range.'),
});

export const virtualServiceStatusSchema = lenientFields({
  ...commonStatus({
    Ready: 'directors serve the VirtualService as it is written, and real servers answer',
    Accepted: 'nothing in it is refused',
    AddressAssigned: 'it has all the virtual addresses that it asks for',
    Programmed: 'every director that takes clients has taken in its present form',
    RealServersAvailable:
      'at least one real server gets new connections, and as many as the quorum asks for pass their checks',
    WeightsFromLoad:
      'weights follow the load, and not only the weightPolicy; there only where it asks for that',
    Reconciling: 'work is going on; there only while it is',
    Stalled: 'nothing happens until a person corrects something; there only while it is so',
  }),
  addresses: keyedList(
    lenientFields({
      ip: ipAddress().describe('The virtual address.'),
      pool: objectName('the name of an AddressPool')
        .optional()
        .describe('AddressPool that admits the address for this namespace.'),
      since: timestamp().describe('When the VirtualService got the address; the incumbent keeps it.'),
    }),
    ['ip'],
    0,
    16,
  )
    .optional()
    .describe(
      'Virtual addresses that are accepted for this VirtualService. Directors serve these and no others.',
    ),
  ports: list(statusPort, 0, 64)
    .optional()
    .describe(
      'Virtual ports that are accepted, on each of these addresses. Directors serve these and no others.',
    ),
  counts: lenientFields({
    realServers: count().describe('Real servers behind the VirtualService, whatever their phase.'),
    serving: count().describe('Real servers that get new connections.'),
    draining: count().describe('Real servers that only keep the connections they have.'),
    failing: count()
      .optional()
      .describe(
        'The most real servers that one director sees failing their checks, on one port of one address.',
      ),
    directors: count().describe('Directors that should serve the VirtualService.'),
    programmed: count().describe('Directors that have taken in its present form.'),
    inMaintenance: count()
      .optional()
      .describe('Directors that are in maintenance and take no new clients; nobody waits for them.'),
  })
    .optional()
    .describe('Real servers and directors of the VirtualService, counted.'),
  addressList: words('addresses', 256)
    .optional()
    .describe('The accepted addresses in one line, the first three by name: "192.0.2.10,2001:db8::10".'),
  portList: words('ports', 256)
    .optional()
    .describe('The accepted ports in one line, the first four by number: "80,443/TCP".'),
  realServersReady: words('a share', 32)
    .optional()
    .describe('Real servers that get new connections, of all: "2/3".'),
  directorsReady: words('a share', 32)
    .optional()
    .describe('Directors that have taken in the present form, of all: "2/2".'),
});

/** What the operator says of a VirtualService. The texts at its end are for columns: `describeVirtualServiceStatus`. */
export type VirtualServiceStatus = StatusOf<typeof virtualServiceStatusSchema>;
export type VirtualServiceStatusAddress = VirtualServiceStatus['addresses'][number];
/** A virtual port that is accepted. */
export type VirtualServiceStatusPort = VirtualServiceStatus['ports'][number];

/** What is malformed or not there yet is absent; never throws. */
export function readVirtualServiceStatus({
  status,
}: Pick<VirtualServiceResource, 'status'>): VirtualServiceStatus {
  return readStatus(virtualServiceStatusSchema, status);
}

/** The status with the texts that `kubectl get` shows, which are made of its other fields. */
export function describeVirtualServiceStatus(status: VirtualServiceStatus): VirtualServiceStatus {
  const { addresses, ports, counts } = status;
  return {
    ...status,
    addressList: firstOf(
      addresses.map(({ ip }) => ip),
      3,
    ),
    portList: firstOf(formatPorts(ports), 4),
    ...(counts === undefined
      ? {}
      : {
          realServersReady: `${Math.max(0, counts.serving - (counts.failing ?? 0))}/${counts.realServers}`,
          directorsReady: `${counts.programmed}/${counts.directors}`,
        }),
  };
}

/** `80,443/TCP,53/UDP`: a protocol ends the ports that it belongs to. */
function formatPorts(ports: readonly VirtualServiceStatusPort[]): readonly string[] {
  return ports.map(({ protocol, port, endPort }, index) => {
    const range = endPort === undefined || endPort === port ? `${port}` : `${port}-${endPort}`;
    return ports[index + 1]?.protocol === protocol ? range : `${range}/${protocol}`;
  });
}

/** A line that fits a table: the first few, and how many more there are. */
function firstOf(entries: readonly string[], most: number): string {
  const more = entries.length - most;
  return entries.slice(0, most).join(',') + (more > 0 ? ` +${more}` : '');
}
