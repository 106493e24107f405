import type { Logger } from '../base/index.ts';
import type { ProcConnections } from '../ipvs/index.ts';
import type { ClusterView } from './desired-source.ts';

/** A director that takes no new clients, as the ledger keeps it. */
export interface Maintenance {
  /** Wall clock. */
  readonly sinceMs: number;
  /** What people gave as the reason. */
  readonly reason?: string | undefined;
}

/** How far a director has drained. */
export interface MaintenanceProgress extends Maintenance {
  /** Whether every real server had weight 0 when the connections were counted: until then more may come. */
  readonly isQuiesced: boolean;
  /** Of our services, and of those that leave. */
  readonly connections: ProcConnections;
}

/**
 * What people want now. A director that has not read its object yet goes by what its ledger says, so that a restart
 * lets nobody in; without a cluster there is no object, and so no maintenance.
 */
export function nextMaintenance(
  cluster: ClusterView | undefined,
  before: Maintenance | undefined,
  nowMs: number,
): Maintenance | undefined {
  if (cluster === undefined) return undefined;
  if (cluster.ownDirector === undefined) return before;
  const { maintenance } = cluster.ownDirector;
  if (maintenance?.drain !== true) return undefined;
  const { reason } = maintenance;
  if (before !== undefined && before.reason === reason) return before;
  return { sinceMs: before?.sinceMs ?? nowMs, ...(reason === undefined ? {} : { reason }) };
}

export function isDrained({ isQuiesced, connections }: MaintenanceProgress): boolean {
  return isQuiesced && connections.active + connections.inactive === 0;
}

/** `In maintenance: new disks.` */
export function describeMaintenance({ reason }: Maintenance): string {
  return reason === undefined ? 'In maintenance.' : `In maintenance: ${reason.replace(/[.!]$/, '')}.`;
}

/** `12 connections are left (9 open, 3 closing).` */
export function describeConnections({ active, inactive }: ProcConnections): string {
  const total = active + inactive;
  if (total === 0) return 'No connection is left.';
  return `${total} ${total === 1 ? 'connection is' : 'connections are'} left (${active} open, ${inactive} closing).`;
}

/** Its beginning and its end. */
export function logMaintenance(
  before: Maintenance | undefined,
  after: Maintenance | undefined,
  logger: Logger,
): void {
  if (before !== undefined && after === undefined) logger.info('maintenance ends, new clients are taken');
  if (before === undefined && after !== undefined)
    logger.info('maintenance begins, new clients are refused', { reason: after.reason });
}
