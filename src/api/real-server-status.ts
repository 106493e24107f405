import { choice, integer, ipAddress, lenientFields, list, objectName, words } from './fields.ts';
import type { RealServerResource } from './real-server.ts';
import { maxAdvisedWeight } from './real-server-slice.ts';
import { commonStatus, count, readStatus } from './status-fields.ts';
import type { StatusOf } from './status-fields.ts';

export const realServerStatusSchema = lenientFields({
  ...commonStatus({
    Ready: 'its VirtualService is served with these endpoints',
    Accepted: 'nothing in it is refused',
    ResolvedEndpoints: 'its addresses, pods or Service were found',
    Healthy: 'every director sees all of its endpoints pass their checks; there only where it has one',
    Reconciling: 'work is going on; there only while it is',
    Stalled: 'nothing happens until a person corrects something; there only while it is so',
  }),
  counts: lenientFields({
    endpoints: count().describe('Endpoints that were found, whatever their phase.'),
    serving: count().describe('Endpoints that get new connections.'),
    draining: count().describe('Endpoints that only keep the connections they have.'),
    failing: count().optional().describe('The most endpoints that one director sees failing their checks.'),
  })
    .optional()
    .describe('The endpoints, counted.'),
  directorsHealthy: words('a share', 32)
    .optional()
    .describe(
      'Directors that see all of its endpoints pass their checks, of all: "2/3". There only while one does not.',
    ),
  endpointsReady: words('a share', 32)
    .optional()
    .describe('Endpoints that get new connections, of all: "2/3".'),
  endpoints: list(
    lenientFields({
      address: ipAddress().describe('Address of the endpoint.'),
      phase: choice(['Serving', 'Draining', 'Excluded']).describe(
        'Serving: it gets new connections. Draining: it only keeps those it has. Excluded: it gets none; see reason.',
      ),
      reason: words('a word in CamelCase', 128).optional().describe('Why it is not serving, in one word.'),
      nodeName: objectName('the name of a node').optional().describe('Node that the pod runs on.'),
      podName: objectName('the name of a pod').optional().describe('Pod behind the address.'),
      configuredWeight: integer(0, 1000)
        .optional()
        .describe(
          'Weight of the RealServer. This and the next three are there where weights follow the load.',
        ),
      advisedWeight: integer(0, maxAdvisedWeight)
        .optional()
        .describe('Weight computed from the load, where 100 is the mean.'),
      effectiveWeight: integer(0, maxAdvisedWeight)
        .optional()
        .describe('Weight in the kernels of the directors: under wrr a tenth of the advised one.'),
      weightReason: words('a word in CamelCase', 64)
        .optional()
        .describe('Why the weight is that, in one word.'),
    }),
    0,
    50,
  )
    .optional()
    .describe(
      'The first 50 endpoints, those that do not serve before the others, for people. `counts` has them all.',
    ),
});

export type RealServerStatus = StatusOf<typeof realServerStatusSchema>;
export type RealServerStatusEndpoint = RealServerStatus['endpoints'][number];

/** What is malformed or not there yet is absent; never throws. */
export function readRealServerStatus({ status }: Pick<RealServerResource, 'status'>): RealServerStatus {
  return readStatus(realServerStatusSchema, status);
}

/** The status with the text that `kubectl get` shows, which is made of its counts. */
export function describeRealServerStatus(status: RealServerStatus): RealServerStatus {
  const { counts } = status;
  return counts === undefined
    ? status
    : {
        ...status,
        endpointsReady: `${Math.max(0, counts.serving - (counts.failing ?? 0))}/${counts.endpoints}`,
      };
}
