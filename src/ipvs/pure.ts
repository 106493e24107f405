/**
 * ipvs, the pure half: the words for the kernel's IPVS table.
 *
 * Owns keys, configurations and statistics of virtual services and real servers, the operations that change them, the
 * service flags, and the cheap reader of /proc/net/ip_vs. Promises that equality looks at key and configuration alone
 * and that formatted keys are stable (they are written to the ledger). Refuses sockets: those are behind `index.ts`.
 */
export { schedulerFlags, serviceFlags } from './service-flags.ts';
export type { SchedulerFlag } from './service-flags.ts';
export {
  formatAddressAndPort,
  formatRealServerKey,
  formatVirtualServiceKey,
  isSameRealServerConfig,
  isSameVirtualServiceConfig,
  schedulers,
} from './types.ts';
export type {
  ConnectionCounts,
  ForwardingMethod,
  IpvsInfo,
  IpvsOperation,
  IpvsTable,
  IpvsTimeouts,
  KernelForwardingMethod,
  ObservedRealServer,
  ObservedVirtualService,
  Protocol,
  RealServerConfig,
  RealServerKey,
  Scheduler,
  SyncDaemon,
  SyncDaemonState,
  TrafficStats,
  Tunnel,
  TunnelChecksum,
  TunnelType,
  VirtualServiceConfig,
  VirtualServiceKey,
} from './types.ts';
export { predictTableFingerprint } from './predict-fingerprint.ts';
export type { TableChange } from './predict-fingerprint.ts';
export { ipvsTableFingerprint } from './proc-table.ts';
export { readProcConnections } from './proc-connections.ts';
export type { ProcConnections } from './proc-connections.ts';
export { procServiceName } from './proc-names.ts';
