/**
 * ipvs: the kernel's table of virtual services and real servers.
 *
 * Owns the IPVS generic netlink family: its codec, the client that observes the table and applies operations, the
 * scheduler probe, timeouts and sync daemons, and the cheap reader of /proc/net/ip_vs. Promises that a table it
 * returns is whole, that operations are upserts which any earlier state admits, that one refusal stops nothing, and
 * that the table is never flushed. Refuses to know why an entry is wanted: that is `plan`'s.
 */
export { IpvsClient } from './client.ts';
export type { ApplyOptions, IpvsClientOptions } from './client.ts';
export type { OperationOutcome } from './settle.ts';
export { schedulerFlags, serviceFlags } from './pure.ts';
export type { SchedulerFlag } from './pure.ts';
export {
  formatAddressAndPort,
  formatRealServerKey,
  formatVirtualServiceKey,
  isSameRealServerConfig,
  isSameVirtualServiceConfig,
  schedulers,
} from './pure.ts';
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
} from './pure.ts';
export { ipvsTableFingerprint, procServiceName, readProcConnections } from './pure.ts';
export type { ProcConnections } from './pure.ts';
