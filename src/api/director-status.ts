import type { DirectorResource } from './director.ts';
import {
  integer,
  ipAddress,
  lenientFields,
  list,
  objectName,
  set,
  text,
  timestamp,
  words,
} from './fields.ts';
import { commonStatus, count, readStatus, resourceVersion } from './status-fields.ts';
import type { StatusOf } from './status-fields.ts';

/** Entries of each list of exceptions; `counts` has the whole number. */
export const maxDirectorExceptions = 200;

export const directorStatusSchema = lenientFields({
  ...commonStatus({
    Ready: 'the kernel holds what the objects ask for, and new clients are taken',
    Drained: 'in maintenance, no connection is left; there only while it is in maintenance',
    ForeignHands: 'another program changes what this director owns; there only while it is so',
    DirectorIsolated:
      'so much failed at once that the director takes itself for cut off, and holds its verdicts',
    ChecksRunning: 'real servers that have a check are asked in time',
  }),
  version: words('a version', 64).optional().describe('Version of lvs-operator that runs there.'),
  nodeName: objectName('the name of a node').optional().describe('Node that the director runs on.'),
  kernel: lenientFields({
    release: words('a release', 128).describe('Release of the kernel, as uname -r prints it.'),
    ipvsVersion: words('a version', 32).describe('Version of IPVS in the kernel.'),
    connectionTableSize: integer(0, 2 ** 32).describe(
      'Buckets of the connection table; each holds any number of connections.',
    ),
  })
    .optional()
    .describe('The kernel that serves.'),
  maintenance: lenientFields({
    since: timestamp().describe('When it began.'),
    active: count().describe('Connections that are open here.'),
    inactive: count().describe('Connections that are closing, and flows without an end.'),
  })
    .optional()
    .describe('How far the director has drained; there only while it is in maintenance.'),
  endpoint: lenientFields({
    port: integer(1, 65535).describe('Port on the addresses of the node.'),
    certificateSHA256: text('64 hexadecimal digits in lower case', /^[0-9a-f]{64}$/, 64).describe(
      'SHA-256 of the certificate that the director shows there, in DER. It is another one after every start.',
    ),
  })
    .optional()
    .describe('Where the director tells its counters and metrics over HTTPS.'),
  schedulers: set(words('the name of a scheduler', 16), 0, 32)
    .optional()
    .describe('Schedulers that the kernel has or can load.'),
  programmedThrough: lenientFields({
    virtualServices: resourceVersion().describe('Version of the VirtualServices.'),
    realServers: resourceVersion().describe('Version of the RealServers.'),
    realServerSlices: resourceVersion().describe('Version of the RealServerSlices.'),
    addressPools: resourceVersion().describe('Version of the AddressPools.'),
  })
    .optional()
    .describe(
      'Up to which resource version of each kind the kernel holds what the objects ask for, apart from `refused`.',
    ),
  releasing: set(ipAddress(), 0, maxDirectorExceptions)
    .optional()
    .describe(
      'Virtual addresses that no VirtualService claims any more and that are still bound here. At most 200.',
    ),
  drains: list(
    lenientFields({
      service: words('a virtual service', 128).describe(
        'The virtual service in the kernel, such as TCP 192.0.2.10:80.',
      ),
      realServer: words('a real server', 128).describe(
        'The real server that leaves it, such as 198.51.100.11:8080.',
      ),
      reason: words('a word in CamelCase', 64).describe(
        'Why it leaves: Removed, Drained (by its object, or as it fails) or ServiceRemoved.',
      ),
      active: count().describe('Connections that are open.'),
      inactive: count().describe('Connections that are closing, and flows without an end.'),
      since: timestamp().describe('When it began to leave.'),
      deadline: timestamp().describe('When the connections that are left then are cut.'),
    }),
    0,
    maxDirectorExceptions,
  )
    .optional()
    .describe('Real servers that leave and still have connections. At most 200.'),
  failing: list(
    lenientFields({
      service: words('a virtual service', 128).describe(
        'The virtual service in the kernel, such as TCP 192.0.2.10:80.',
      ),
      realServer: words('a real server', 128).describe('The real server, such as 198.51.100.11:8080.'),
      object: words('an object', 600).describe(
        'The RealServer that it comes from; of a sorry server, the VirtualService.',
      ),
      reason: words('a word in CamelCase', 64).describe(
        'How its last probe failed, such as ConnectTimeout; NotAskedYet, or Flapping.',
      ),
      since: timestamp().describe('When it went down.'),
    }),
    0,
    maxDirectorExceptions,
  )
    .optional()
    .describe('Real servers that get no new connections, as they fail their checks here. At most 200.'),
  failingRealServers: list(
    lenientFields({
      object: words('an object', 600).describe('The RealServer.'),
      failing: count().describe('Its addresses that fail here on one port at least.'),
      total: count().describe('Its addresses that should take clients and are checked.'),
    }),
    0,
    maxDirectorExceptions,
  )
    .optional()
    .describe('RealServers of which not everything passes here. At most 200.'),
  failingServices: list(
    lenientFields({
      object: words('an object', 600).describe('The VirtualService.'),
      service: words('a virtual service', 128).describe(
        'The virtual service in the kernel, such as TCP 192.0.2.10:80.',
      ),
      reason: words('a word in CamelCase', 64).describe(
        'Degraded: enough are up. QuorumLost, SorryServer, HealthIgnored or NoneUp: not enough, and what follows.',
      ),
      up: count().describe('Its real servers that are up.'),
      total: count().describe('Its real servers that should take clients.'),
    }),
    0,
    maxDirectorExceptions,
  )
    .optional()
    .describe('Virtual services that are not whole here. At most 200.'),
  refused: list(
    lenientFields({
      object: words('an object', 600).describe('The object, such as RealServer default/web.'),
      reason: words('a word in CamelCase', 128).describe('One word for programs that says why.'),
      message: words('a sentence', 1024).describe('A sentence for people that says why, and what to do.'),
    }),
    0,
    maxDirectorExceptions,
  )
    .optional()
    .describe('Objects that this director does not serve, or not as written. At most 200.'),
  counts: lenientFields({
    virtualServices: count().describe('VirtualServices that are served here.'),
    services: count().describe(
      'Virtual services in the kernel: one per address and port, or per group of ports.',
    ),
    realServers: count().describe('Real servers in the kernel, over all services.'),
    vips: count().describe('Virtual addresses that are bound here.'),
    releasing: count().describe('Virtual addresses that are being released, all of them.'),
    drains: count().describe('Real servers that are draining, all of them.'),
    checked: count().optional().describe('Real servers that are checked, in each service that they serve.'),
    failing: count().optional().describe('Real servers that fail their checks, all of them.'),
    refused: count().describe('Objects that are refused, all of them.'),
  })
    .optional()
    .describe('What this director holds, counted.'),
});

export type DirectorStatus = StatusOf<typeof directorStatusSchema>;
export type DirectorDrain = DirectorStatus['drains'][number];
export type DirectorTroubledService = DirectorStatus['failingServices'][number];
export type DirectorRefusal = DirectorStatus['refused'][number];

/** What is malformed or not there yet is absent; never throws. */
export function readDirectorStatus({ status }: Pick<DirectorResource, 'status'>): DirectorStatus {
  return readStatus(directorStatusSchema, status);
}
