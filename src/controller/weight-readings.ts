import type { CountersReport } from '../load/index.ts';
import type { ConnectionReading, MetricSample } from '../weight/index.ts';
import type { WeightPool } from './weight-pool.ts';

/** Every pool that an address is in. */
export type PoolsByAddress = ReadonlyMap<string, readonly WeightPool[]>;

export function indexPools(pools: Iterable<WeightPool>): PoolsByAddress {
  const index = new Map<string, WeightPool[]>();
  for (const pool of pools) {
    for (const address of pool.addresses.keys()) {
      const known = index.get(address);
      if (known === undefined) index.set(address, [pool]);
      else known.push(pool);
    }
  }
  return index;
}

interface Sums {
  total: number;
  active: number;
}

/**
 * What one director counted, for each pool: per pod and virtual service, added up over ports and addresses. Connections
 * by another virtual service count, too, since they use the same CPU; but where pods share the address of a node, nobody
 * can tell whose those are.
 */
export function readingsOf(
  { director, document, takenAtMs }: CountersReport,
  pools: PoolsByAddress,
): ReadonlyMap<WeightPool, readonly ConnectionReading[]> {
  const readings = new Map<WeightPool, ConnectionReading[]>();
  for (const { virtualService, realServers } of document.services) {
    const sums = new Map<WeightPool, Map<string, Sums>>();
    for (const { address, connectionsTotal, active } of realServers) {
      for (const pool of pools.get(address) ?? []) {
        const server = pool.addresses.get(address);
        if (server === undefined || (server.isShared && pool.key !== virtualService)) continue;
        const ofPool = sums.get(pool) ?? new Map<string, Sums>();
        sums.set(pool, ofPool);
        const sum = ofPool.get(server.name);
        if (sum === undefined) ofPool.set(server.name, { total: connectionsTotal, active });
        else {
          sum.total += connectionsTotal;
          sum.active += active;
        }
      }
    }
    for (const [pool, ofPool] of sums) {
      const list = readings.get(pool) ?? [];
      readings.set(pool, list);
      for (const [realServer, { total, active }] of ofPool)
        list.push({
          realServer,
          director,
          virtualService,
          atMs: takenAtMs,
          totalConnections: total,
          activeConnections: active,
          ...(document.syncGroup === undefined ? {} : { syncGroup: document.syncGroup }),
        });
    }
  }
  return readings;
}

/** What servers of a pool told this director of themselves, as means over the interval in which they are asked. */
export function reportedSamples(
  { document, offsetMs }: CountersReport,
  pool: WeightPool,
): readonly MetricSample[] {
  const { metrics } = pool.spec.weightPolicy ?? {};
  if (metrics?.source !== 'Endpoint' || metrics.endpoint === undefined) return [];
  const windowMs = metrics.endpoint.intervalSeconds * 1000;
  return document.reports.flatMap(({ virtualService, address, atMs, utilisation, memory }) => {
    const server = pool.addresses.get(address);
    if (virtualService !== pool.key || server === undefined) return [];
    return [
      {
        realServer: server.name,
        timestampMs: atMs + offsetMs,
        windowMs,
        ...(utilisation === undefined ? {} : { utilisation }),
        ...(memory === undefined ? {} : { memory }),
      },
    ];
  });
}
