/**
 * controller: what one process does for the whole cluster.
 *
 * Owns the endpoints of every RealServer: finding them among pods and EndpointSlices, packing them into slices, writing
 * these and the status of the RealServer. Promises that the same objects give the same slices whoever computes them,
 * that an endpoint which stays is at no moment in no slice, that nothing is removed on the word of one list after a
 * start, and that nothing is written at rest. Refuses to touch a kernel, and to write what people have written.
 */
export { createEndpointPolicy } from './endpoint-policy.ts';
export type { EndpointPolicy, EndpointPolicyInput } from './endpoint-policy.ts';
export { realServerIndexes, realServerSliceIndexes } from './indexes.ts';
export type { EndpointStores, RealServerIndex, RealServerSliceIndex } from './indexes.ts';
export { RealServerReconciler } from './real-server-reconciler.ts';
export type { RealServerReconcilerOptions } from './real-server-reconciler.ts';
