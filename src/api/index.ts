/**
 * api: the objects that people write: VirtualService, RealServer, AddressPool, and the director's configuration.
 *
 * Owns their shape, limits, defaults and words, as zod schemas from which types, CRDs and the reference come, and every
 * rule that one object alone can decide, in TypeScript for us and in CEL for API servers. Promises that a parsed
 * resource is canonical (addresses, networks and ranges are parsed), complete (defaults applied) and never changed in
 * place, and that whatever is refused is named by its field. Refuses unknown fields, and refuses to judge two objects
 * together: that is `plan`.
 */
export { apiGroup, apiVersion } from './metadata.ts';
export type { ControllerRef, Metadata, NamespacedMetadata } from './metadata.ts';
export { formatObjectRef, objectRefOf } from './object-ref.ts';
export type { ObjectRef } from './object-ref.ts';
export { formatFieldPath } from './problem.ts';
export type { FieldPath, ResourceProblem } from './problem.ts';
export { requestedAddresses, schedulerFlagNames, schedulerNames } from './virtual-service.ts';
export type {
  AddressRequest,
  Persistence,
  QuorumSpec,
  SchedulerFlag,
  SchedulerName,
  SorryServerSpec,
  VirtualPort,
  VirtualServiceResource,
  VirtualServiceSpec,
} from './virtual-service.ts';
export { defaultTunnel } from './forwarding.ts';
export type { Forwarding, ForwardingOverride, TunnelSpec } from './forwarding.ts';
export { followsLoad, metricsOf } from './weight-policy.ts';
export type {
  EndpointMetricsSpec,
  PrometheusMetricsSpec,
  WeightMetricsSpec,
  WeightPolicySpec,
} from './weight-policy.ts';
export { refuseDynamicWeights, weightFollowingSchedulers } from './weight-schedulers.ts';
export { describeVirtualServiceStatus, readVirtualServiceStatus } from './virtual-service-status.ts';
export type {
  VirtualServiceStatus,
  VirtualServiceStatusAddress,
  VirtualServiceStatusPort,
} from './virtual-service-status.ts';
export type { RealServerResource, RealServerSpec } from './real-server.ts';
export { describeRealServerStatus, readRealServerStatus } from './real-server-status.ts';
export type { RealServerStatus, RealServerStatusEndpoint } from './real-server-status.ts';
export { maxAdvisedWeight, maxSliceEndpoints, virtualServiceLabel } from './real-server-slice.ts';
export type {
  Endpoint,
  EndpointPhase,
  RealServerSliceResource,
  RealServerSliceSpec,
} from './real-server-slice.ts';
export { matchesLabels } from './label-selector.ts';
export type { LabelSelector } from './label-selector.ts';
export { healthCheckTls } from './health-check.ts';
export type { HealthCheckSpec } from './health-check.ts';
export { isNamespaceAdmitted } from './address-pool.ts';
export type { AddressPoolResource, AddressPoolSpec } from './address-pool.ts';
export { readAddressPoolStatus } from './address-pool-status.ts';
export type { AddressPoolStatus, QuarantinedAddress } from './address-pool-status.ts';
export type { DirectorMaintenance, DirectorResource, DirectorSpec } from './director.ts';
export { maxDirectorExceptions, readDirectorStatus } from './director-status.ts';
export type {
  DirectorDrain,
  DirectorRefusal,
  DirectorStatus,
  DirectorTroubledService,
} from './director-status.ts';
export { isResourceList, parseResource, readObjectRef, resourceKinds } from './parse-resource.ts';
export type { Resource, ResourceKind, ResourceResult } from './parse-resource.ts';
export { defaultDirectorConfiguration, parseDirectorConfiguration } from './director-configuration.ts';
export type { DirectorConfiguration } from './director-configuration.ts';
export type { ParseOptions, ParseResult } from './collect-problems.ts';
export { mergeCondition } from './conditions.ts';
export type { Condition, ConditionVerdict } from './conditions.ts';
export { customResourceDefinitions } from './custom-resource.ts';
export type { CustomResourceDefinition } from './custom-resource.ts';
export { kindReferences } from './reference.ts';
export type { KindReference } from './reference.ts';
export type { OpenApiSchema } from './open-api.ts';
export type { CelValidation } from './cel.ts';
