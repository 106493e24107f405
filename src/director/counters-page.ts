import type { IpAddress } from '../base/index.ts';
import { textAnswer } from '../endpoint/index.ts';
import type { Page } from '../endpoint/index.ts';
import type { AgentReport } from '../load/index.ts';
import type { TrafficSnapshot } from './traffic-reader.ts';

/** Readers refuse a version that they do not know. */
const version = 1;

type RealServerCounters = [
  address: IpAddress,
  port: number,
  connectionsTotal: number,
  active: number,
  inactive: number,
];

export interface CountersDocument {
  readonly version: typeof version;
  readonly node: string;
  /** Milliseconds since 1970, by the clock of the node. */
  readonly takenAtMs: number;
  /** For the time between two documents of one `bootId`. */
  readonly monotonicMs: number;
  /** Another one when all counters may have begun anew. */
  readonly bootId: string;
  readonly services: readonly {
    /** `namespace/name` */
    readonly virtualService: string;
    readonly realServers: readonly RealServerCounters[];
  }[];
  /** What real servers said of their load when they were asked; `atMs` is of the clock of `monotonicMs`. */
  readonly agents?: readonly AgentReport[];
}

/** What the page is made of. */
export interface CountersSource {
  readonly traffic: TrafficSnapshot;
  readonly reports: readonly AgentReport[];
}

/**
 * `/v1/counters`: the connections of every real server in one compact document, for the controller that computes
 * weights. Counters are those of the kernel, added up over the kernel services of a VirtualService. `connectionsTotal`
 * counts what this director has scheduled; connections that another director told of (the kernel's sync) are not in it,
 * but they are among `active` and `inactive`, which the kernel does not tell apart. A counter that is lower than before
 * has begun anew.
 */
export function countersPage(node: string, read: () => Promise<CountersSource> | undefined): Page {
  return {
    isOpen: false,
    answer: async () => {
      const source = await read();
      if (source === undefined) return textAnswer(503, 'This director does not serve now.');
      return {
        status: 200,
        contentType: 'application/json',
        body: JSON.stringify(computeCounters(node, source.traffic, source.reports)),
      };
    },
  };
}

export function computeCounters(
  node: string,
  snapshot: TrafficSnapshot,
  reports: readonly AgentReport[] = [],
): CountersDocument {
  const { bootId, wallMs, monotonicMs } = snapshot;
  const byOwner = new Map<string, Map<string, RealServerCounters>>();
  for (const { owner, realServers } of snapshot.services) {
    const name = `${owner.namespace ?? 'default'}/${owner.name}`;
    const sums = byOwner.get(name) ?? new Map<string, RealServerCounters>();
    byOwner.set(name, sums);
    for (const [realServer, { key, connections, stats }] of realServers) {
      const sum = sums.get(realServer) ?? [key.rip, key.port, 0, 0, 0];
      sum[2] += Number(stats?.connections ?? 0n);
      sum[3] += connections.active;
      sum[4] += connections.inactive;
      sums.set(realServer, sum);
    }
  }
  return {
    version,
    node,
    takenAtMs: Math.round(wallMs),
    monotonicMs: Math.round(monotonicMs),
    bootId,
    services: [...byOwner].map(([virtualService, sums]) => ({
      virtualService,
      realServers: [...sums.values()],
    })),
    ...(reports.length === 0 ? {} : { agents: reports }),
  };
}
