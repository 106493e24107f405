/**
 * cluster: the objects of a Kubernetes cluster as far as the operator reads them.
 *
 * Owns the list of kinds, the connection to a cluster, small records of pods, nodes and whatever else belongs to others,
 * and the watching of all of them. Promises that what others define is read with tolerance (a field of tomorrow costs
 * nothing), that our own kinds are read by the rules of `api`, and that a store of ten thousand objects is small.
 * Refuses to decide anything: that is for `plan`, `controller` and `director`.
 */
export { apiServerSlices, parseApiServerSlice } from './api-server-slice.ts';
export type { ApiServerSliceRecord } from './api-server-slice.ts';
export { countAnswers, observeWork, provideQueueMetrics, provideWatchMetrics } from './cluster-metrics.ts';
export type { ClusterMetrics } from './cluster-metrics.ts';
export { computeClusterFacts } from './cluster-facts.ts';
export type { ClusterFacts, ClusterFactsInput } from './cluster-facts.ts';
export { connectCluster } from './connection.ts';
export type { ClusterConnection, ConnectClusterOptions } from './connection.ts';
export { endpointSliceIndexes, parseEndpointSlice } from './endpoint-slice.ts';
export type {
  EndpointPort,
  EndpointRecord,
  EndpointSliceIndex,
  EndpointSliceRecord,
  EndpointTarget,
} from './endpoint-slice.ts';
export { parseNamespace } from './namespace.ts';
export type { NamespaceRecord } from './namespace.ts';
export { directorLabel, drainAnnotation, isDirectorNode, parseNode } from './node.ts';
export type { NodeRecord } from './node.ts';
export { labelIndexValue, livePods, podIndexes, podParser } from './pod.ts';
export type { PodIndex, PodPhase, PodRecord } from './pod.ts';
export type { PodResources } from './pod-resources.ts';
export { parseQuantity } from './quantity.ts';
export { parserOf } from './own-kinds.ts';
export type { ResourceOf } from './own-kinds.ts';
export {
  addressPoolType,
  configMapType,
  directorType,
  endpointSliceType,
  namespaceType,
  nodeType,
  podMetricsType,
  podType,
  realServerSliceType,
  realServerType,
  secretType,
  serviceCidrType,
  virtualServiceType,
} from './resource-types.ts';
export { parseServiceCidr } from './service-cidr.ts';
export type { ServiceCidrRecord } from './service-cidr.ts';
export { watchKind } from './watch-kind.ts';
export type { WatchedKind, WatchKindOptions } from './watch-kind.ts';
