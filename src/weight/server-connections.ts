import { ConnectionHistory, type HistoryPoint } from './connection-history.ts';
import type { ConnectionReading } from './types.ts';

/** What happened to a real server in a span of time. Fractions occur: totals are interpolated. */
export interface Flow {
  readonly spanMs: number;
  readonly arrivals: number;
  readonly completions: number;
  /** Mean of the active connections over the span. */
  readonly meanActive: number;
}

/**
 * The connections of one real server as all directors see them, and all virtual services: counters are added up, and
 * what a sync daemon copied counts once.
 */
export class ServerConnections {
  readonly #sources = new Map<string, Source>();

  /** @returns whether the reading could be true */
  add(reading: ConnectionReading, isOwn: boolean): boolean {
    const key = `${reading.director} ${reading.virtualService ?? ''}`;
    const copies = reading.synchronisedConnections ?? 0;
    const group = reading.syncGroup === undefined ? key : `${reading.syncGroup} ${isOwn} sync`;
    let source = this.#sources.get(key);
    if (source === undefined) {
      source = { history: new ConnectionHistory(), isOwn, group, from: emptyPoint(), to: emptyPoint() };
      this.#sources.set(key, source);
    }
    source.group = group;
    const active = reading.activeConnections - copies;
    return copies >= 0 && source.history.add(reading.atMs, reading.totalConnections, active);
  }

  /** The last reading of any director about this virtual service. */
  get lastReadingMs(): number {
    let last = -Infinity;
    for (const { history, isOwn } of this.#sources.values())
      if (isOwn) last = Math.max(last, history.lastReadingMs);
    return last;
  }

  /** Directors that said nothing for minutes are gone, and so are their connections. */
  forgetSilent(nowMs: number): void {
    for (const [key, { history }] of this.#sources)
      if (nowMs - history.lastReadingMs > forgetAfterMs) this.#sources.delete(key);
  }

  /** The span in which every director that still reports is known. */
  knownSpan(nowMs: number, scope: Scope): { readonly sinceMs: number; readonly untilMs: number } {
    let sinceMs = -Infinity;
    let untilMs = Infinity;
    for (const { history, isOwn } of this.#sources.values()) {
      if (!isOwn && scope === 'VirtualService') continue;
      if (nowMs - history.lastReadingMs >= goneAfterMs) continue;
      sinceMs = Math.max(sinceMs, history.knownSinceMs, history.brokenAtMs);
      untilMs = Math.min(untilMs, history.knownUntilMs);
    }
    return { sinceMs, untilMs: untilMs === Infinity ? -Infinity : untilMs };
  }

  /** Connections that are active now. */
  activeNow(nowMs: number): number {
    return sumOverGroups(this.#sources.values(), 'VirtualService', ({ history }) =>
      nowMs - history.lastReadingMs < goneAfterMs ? history.active : 0,
    );
  }

  /**
   * @returns undefined when a director did not watch the whole span, or its counter started over in it: then what is
   *   known of the others would be a part taken for the whole
   */
  flowBetween(fromMs: number, toMs: number, scope: Scope): Flow | undefined {
    let arrivals = 0;
    const read: Source[] = [];
    for (const source of this.#sources.values()) {
      if (!source.isOwn && scope === 'VirtualService') continue;
      const { history } = source;
      const isSilent = toMs > history.lastReadingMs + goneAfterMs;
      if (isSilent && fromMs > history.lastReadingMs + goneAfterMs) continue;
      if (isSilent || history.knownSinceMs > fromMs) return undefined;
      if (history.brokenAtMs > fromMs && history.brokenAtMs - longestBreakMs < toMs) return undefined;
      history.read(fromMs, source.from);
      history.read(toMs, source.to);
      arrivals += source.to.total - source.from.total;
      read.push(source);
    }
    if (read.length === 0 || toMs <= fromMs) return undefined;
    const after = sumOverGroups(read, scope, ({ to }) => to.active);
    const grown = after - sumOverGroups(read, scope, ({ from }) => from.active);
    const area = sumOverGroups(read, scope, ({ from, to }) => to.area - from.area);
    const spanMs = toMs - fromMs;
    return { spanMs, arrivals, completions: Math.max(0, arrivals - grown), meanActive: area / spanMs };
  }
}

/** The connections of the virtual service whose weights are wanted, or all that use the CPU of the pod. */
export type Scope = 'VirtualService' | 'Pod';

interface Source {
  readonly history: ConnectionHistory;
  readonly isOwn: boolean;
  group: string;
  /** Scratch, so that a tick over thousands of servers makes no garbage. */
  readonly from: HistoryPoint;
  readonly to: HistoryPoint;
}

/** A director that is silent for this long does not forward any more, as far as we can tell. */
const goneAfterMs = 10_000;
const forgetAfterMs = 300_000;
/** A counter that started over did so somewhere between two readings. */
const longestBreakMs = 10_000;

function sumOverGroups(sources: Iterable<Source>, scope: Scope, value: (source: Source) => number): number {
  let sum = 0;
  let groups: Map<string, number> | undefined;
  let first: Source | undefined;
  for (const source of sources) {
    if (!source.isOwn && scope === 'VirtualService') continue;
    const amount = value(source);
    // Nearly always there is one director, and a map would be all that this function does.
    if (first === undefined) [first, sum] = [source, amount];
    else {
      groups ??= new Map([[first.group, sum]]);
      groups.set(source.group, Math.max(groups.get(source.group) ?? 0, amount));
    }
  }
  return groups === undefined ? sum : [...groups.values()].reduce((left, right) => left + right, 0);
}

function emptyPoint(): HistoryPoint {
  return { atMs: 0, total: 0, active: 0, area: 0 };
}
