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
  name: label('a port name').optional().describe('Name of the port.'),
  protocol: choice(['TCP', 'UDP', 'SCTP']).describe('Transport protocol.'),
  port: integer(1, 65535).describe('Port that clients connect to, or the first of a range.'),
  endPort: integer(1, 65535).optional().describe('Last port of the range.'),
});

export const virtualServiceStatusSchema = lenientFields({
  ...commonStatus,
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
    realServers: count().describe('Endpoints behind the VirtualService, whatever their phase.'),
    serving: count().describe('Endpoints that get new connections.'),
    draining: count().describe('Endpoints that only keep the connections they have.'),
    directors: count().describe('Directors that should serve the VirtualService.'),
    programmed: count().describe('Directors that have taken in its present form.'),
  })
    .optional()
    .describe('The VirtualService in numbers.'),
  addressList: words('addresses', 800).optional().describe('The accepted addresses in one line.'),
  portList: words('ports', 1500).optional().describe('The accepted ports in one line.'),
  realServersReady: words('a share', 32).optional().describe('Endpoints that serve, of all: "2/3".'),
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
    addressList: addresses.map(({ ip }) => ip).join(','),
    portList: formatPorts(ports),
    ...(counts === undefined
      ? {}
      : {
          realServersReady: `${counts.serving}/${counts.realServers}`,
          directorsReady: `${counts.programmed}/${counts.directors}`,
        }),
  };
}

/** `80,443/TCP,53/UDP`: a protocol ends the ports that it belongs to. */
function formatPorts(ports: readonly VirtualServiceStatusPort[]): string {
  return ports
    .map(({ protocol, port, endPort }, index) => {
      const range = endPort === undefined || endPort === port ? `${port}` : `${port}-${endPort}`;
      return ports[index + 1]?.protocol === protocol ? range : `${range}/${protocol}`;
    })
    .join(',');
}
