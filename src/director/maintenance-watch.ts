import type { IpvsTable } from '../ipvs/index.ts';
import { formatEntry, tableBesideMaintenance } from '../plan/index.ts';
import type { DesiredState } from '../plan/index.ts';
import type { Host } from './host.ts';
import type { Ledger } from './ledger.ts';
import { isDrained } from './maintenance.ts';
import type { Maintenance, MaintenanceProgress } from './maintenance.ts';

/** While connections are left they are counted this often. */
const recheckMs = 1000;
/** Timers may fire this much early. */
const timerSlackMs = 20;

/** Counts the connections that are left on a director in maintenance. */
export class MaintenanceWatch {
  readonly #host: Pick<Host, 'state' | 'countConnections'>;
  #last: { readonly atMs: number; readonly progress: MaintenanceProgress } | undefined;

  constructor(host: Pick<Host, 'state' | 'countConnections'>) {
    this.#host = host;
  }

  /** When they are to be counted again though nothing happens; undefined: never. Monotonic. */
  get recheckAtMs(): number | undefined {
    return this.#last === undefined || isDrained(this.#last.progress)
      ? undefined
      : this.#last.atMs + recheckMs;
  }

  /**
   * How far it has drained, counted once a second at most; the same object while it is the same. Undefined without
   * maintenance.
   */
  look(
    maintenance: Maintenance | undefined,
    {
      nowMs,
      ledger,
      desired,
    }: {
      /** Monotonic. */
      readonly nowMs: number;
      readonly ledger: Pick<Ledger, 'services'>;
      readonly desired: DesiredState | undefined;
    },
  ): MaintenanceProgress | undefined {
    const last = this.#last;
    if (maintenance === undefined) {
      this.#last = undefined;
      return undefined;
    }
    const { sinceMs, reason } = maintenance;
    const isFresh = last !== undefined && nowMs - last.atMs < recheckMs - timerSlackMs;
    if (isFresh && last.progress.sinceMs === sinceMs && last.progress.reason === reason) return last.progress;
    // Our own probes come and go for ever.
    const keys = ledger.services.filter((key) => desired?.services.get(key)?.isForProbes !== true);
    // Before the count: who came until then is counted. What is ours is listed by the end of the first round.
    const isQuiesced = last !== undefined && areQuiesced(this.#host.state.table, keys);
    const found = { ...maintenance, isQuiesced, connections: this.#host.countConnections(keys) };
    const progress = last !== undefined && isSame(last.progress, found) ? last.progress : found;
    this.#last = { atMs: nowMs, progress };
    return progress;
  }
}

/**
 * What health may take from the table: a weight that a maintenance took away, this one or that of an earlier process,
 * tells nothing of a server.
 */
export function tableForHealth(
  table: IpvsTable,
  wanted: DesiredState,
  { drains }: Pick<Ledger, 'drains'>,
): IpvsTable {
  const leaving = new Set(drains.map((drain) => formatEntry(drain.service, drain.realServer)));
  return tableBesideMaintenance(table, wanted, (entry) => leaving.has(entry));
}

function areQuiesced(table: IpvsTable, keys: readonly string[]): boolean {
  return keys.every((key) =>
    [...(table.get(key)?.realServers.values() ?? [])].every(({ config }) => config.weight === 0),
  );
}

function isSame(a: MaintenanceProgress, b: MaintenanceProgress): boolean {
  return (
    a.sinceMs === b.sinceMs &&
    a.reason === b.reason &&
    a.isQuiesced === b.isQuiesced &&
    a.connections.active === b.connections.active &&
    a.connections.inactive === b.connections.inactive
  );
}
