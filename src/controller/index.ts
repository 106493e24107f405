/**
 * controller: what one process does for the whole cluster, while it leads.
 *
 * Owns the endpoints of every RealServer (finding them among pods and EndpointSlices, packing them into slices), the
 * addresses and ports of every VirtualService, the statuses and events that tell people, the quarantine of addresses
 * that were let go of, and the Directors of nodes that are gone. Promises that the same objects give the same answer
 * whoever leads, that an endpoint which stays is at no moment in no slice, that nothing is removed on the word of one
 * list after a start, that an address goes to nobody while a director may still answer for somebody else, that nothing
 * is written at rest, and that who does not lead writes nothing at all. Refuses to touch a kernel, and to write what
 * people have written.
 */
export { openControllerEndpoint } from './controller-endpoint.ts';
export type { ControllerEndpointOptions } from './controller-endpoint.ts';
export { allMetrics } from './controller-metrics.ts';
export type { ControllerMetrics } from './controller-metrics.ts';
export { defaultLeaseName, runController } from './run-controller.ts';
export type { Controller, ControllerOptions, LeaseSettings } from './run-controller.ts';
export type { ExplainedServer, WeightsExplanation } from './weight-explanation.ts';
export { withdrawDirectors } from './withdraw-directors.ts';
