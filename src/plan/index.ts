/**
 * plan: the heart. What the kernel should hold, and what to do about what it does hold.
 *
 * Owns every rule that needs two objects (pools, conflicts, families, ports), the choices that must not move (VIPs,
 * marks, port owners), the diff, the order of a pass, draining, the hold on mass removals, and the judgement of other
 * hands in the table. Promises pure functions: the same input gives the same answer, equal states give no change, a
 * service is never deleted to be made anew, foreign entries are never touched, and nobody is refused for what somebody
 * else wrote. Refuses sockets, files, timers and the clock: time is an argument, and the shell is `director`.
 */
export { computeDesiredState } from './desired.ts';
export { computeChanges } from './changes.ts';
export { effectiveVirtualService, EffectiveVirtualServices } from './effective-virtual-service.ts';
export type { EffectiveList } from './effective-virtual-service.ts';
export { allocationsFromStatuses } from './allocations-from-statuses.ts';
export { describeDesired } from './describe-desired.ts';
export type {
  DesiredSummary,
  EndpointCounts,
  EndpointState,
  RealServerSummary,
  VirtualServiceSummary,
} from './describe-desired.ts';
export { createAddressPolicy } from './address-policy.ts';
export type { AddressPolicy, AddressVerdict, RealServerOrigin } from './address-policy.ts';
export { compilePools } from './pools.ts';
export type { Pools } from './pools.ts';
export { advisedKernelWeight, advisedWeightUnit, kernelWeights } from './kernel-weight.ts';
export { addProbeServices, hasProbeWay } from './probe-services.ts';
export { applyHealth, noHealthMemory } from './apply-health.ts';
export { describeHealth } from './describe-health.ts';
export type {
  FailingServer,
  HealthSummary,
  ServiceTrouble,
  TroubledRealServer,
  TroubledService,
} from './describe-health.ts';
export { describeChecks, isSameChecks, listCheckedServers } from './health-checks.ts';
export type { CheckedServer } from './health-checks.ts';
export type { HealthMemory, HealthPolicy, HealthView, ServerHealth, ServiceHealth } from './health-types.ts';
export { quiesceDirector, tableBesideMaintenance } from './maintenance.ts';
export { formatEntry } from './absence.ts';
export { defaultDrainSettings } from './drain.ts';
export { isOwnedService } from './ownership.ts';
export { hasWitness } from './witness.ts';
export {
  describeForeignHands,
  entryOfChange,
  foughtEntries,
  isRepair,
  likelyOwner,
  noForeignHands,
  recordRepairs,
  withholdRepairs,
} from './foreign.ts';
export type { ForeignHands, ForeignHints } from './foreign.ts';
export { formatClaim, formatPlan } from './format.ts';
export { witnessFlag } from './types.ts';
export type {
  Allocations,
  Change,
  ChangePlan,
  ChangeReason,
  ChangesInput,
  ClusterFacts,
  DesiredRealServer,
  DesiredState,
  DesiredStateInput,
  DesiredVirtualService,
  DirectorFacts,
  DrainRecord,
  DrainSettings,
  HeldRemoval,
  MarkAllocation,
  MassRemovalPolicy,
  NamespaceLabels,
  ObservedState,
  Refusal,
  Resources,
  Uplink,
} from './types.ts';
