import { isRecord } from './is-record.ts';
import { loadError } from './load-error.ts';
import type { ServerReport } from './server-report.ts';

/** What a director says of its connections, and of the servers that report to it. */
export interface CountersDocument {
  readonly node: string;
  /** For the time between two documents of one `bootId`. */
  readonly monotonicMs: number;
  /** Another one when all counters may have begun anew. */
  readonly bootId: string;
  /** Directors that copy connections to each other have the same. */
  readonly syncGroup: string | undefined;
  readonly services: readonly ServiceCounters[];
  readonly reports: readonly AgentReport[];
}

export interface ServiceCounters {
  /** `namespace/name` */
  readonly virtualService: string;
  readonly realServers: readonly {
    readonly address: string;
    readonly connectionsTotal: number;
    readonly active: number;
  }[];
}

/** What a real server said of itself, and when, by the `monotonicMs` of the document. */
export interface AgentReport extends ServerReport {
  readonly virtualService: string;
  readonly address: string;
  readonly atMs: number;
}

/**
 * Reads `/v1/counters` of a director. A row that cannot be read is left out; a document of another version, or that is
 * none, is an error.
 *
 * @param source for errors: whose document it is
 * @throws LvsError LVS_LOAD_SOURCE
 */
export function parseCounters(source: string, text: string): CountersDocument {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw loadError(source, 'sent counters that are no JSON', cause);
  }
  if (!isRecord(document)) throw loadError(source, 'sent counters that are no document');
  const { version, node, monotonicMs, bootId, syncGroup, services, agents } = document;
  if (version !== 1)
    throw loadError(source, `sent counters of version ${String(version)}, and only 1 is known here`);
  if (typeof bootId !== 'string' || !isCount(monotonicMs))
    throw loadError(source, 'sent counters without bootId or monotonicMs');
  return {
    node: typeof node === 'string' ? node : '',
    monotonicMs,
    bootId,
    syncGroup: typeof syncGroup === 'string' ? syncGroup : undefined,
    services: list(services).flatMap(readService),
    reports: list(agents).flatMap(readReport),
  };
}

function readService(value: unknown): ServiceCounters[] {
  if (!isRecord(value) || typeof value['virtualService'] !== 'string') return [];
  const realServers = list(value['realServers']).flatMap((row) => {
    const [address, , connectionsTotal, active] = list(row);
    if (typeof address !== 'string' || !isCount(connectionsTotal) || !isCount(active)) return [];
    return [{ address, connectionsTotal, active }];
  });
  return [{ virtualService: value['virtualService'], realServers }];
}

/** Numbers go on as they are: whether they can be is for `weight` to judge, which says so when it leaves one out. */
function readReport(value: unknown): AgentReport[] {
  if (!isRecord(value)) return [];
  const { virtualService, address, atMs, utilisation, memory } = value;
  if (typeof virtualService !== 'string' || typeof address !== 'string' || !isCount(atMs)) return [];
  return [
    {
      virtualService,
      address,
      atMs,
      ...(typeof utilisation === 'number' ? { utilisation } : {}),
      ...(typeof memory === 'number' ? { memory } : {}),
    },
  ];
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
