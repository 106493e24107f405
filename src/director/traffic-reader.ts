import { randomUUID } from 'node:crypto';
import type { ObjectRef } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import type { IpvsTable, ObservedRealServer, TrafficStats, VirtualServiceKey } from '../ipvs/index.ts';
import type { DesiredState } from '../plan/index.ts';
import type { Host } from './host.ts';
import { Slices } from './slices.ts';

/** One of our services in the kernel, with the counters of it and of its real servers. */
export interface ServiceTraffic {
  readonly owner: ObjectRef;
  readonly key: VirtualServiceKey;
  /** As `formatVirtualServiceKey`. */
  readonly name: string;
  readonly stats: TrafficStats | undefined;
  /** By `formatRealServerKey`; those that drain are among them. */
  readonly realServers: ReadonlyMap<string, ObservedRealServer>;
}

export interface TrafficSnapshot {
  /** Another one when counters may have begun anew for everybody. */
  readonly bootId: string;
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly services: readonly ServiceTraffic[];
}

export interface TrafficReaderOptions {
  readonly host: Pick<Host, 'observeServiceStats' | 'observeRealServerStats'>;
  readonly clock: Clock;
  /** The table as it is believed to be, and the goal, which says whose each service is. */
  readonly current: () => { readonly table: IpvsTable; readonly desired: DesiredState | undefined };
}

/** Readers within this time share one reading: the kernel adds its counters up every two seconds. */
const freshMs = 500;

/**
 * The traffic counters of our own services, read from the kernel when somebody asks, and in slices: a table of ten
 * thousand real servers takes hundreds of system calls, and an edit must not wait for all of them.
 */
export class TrafficReader {
  readonly #options: TrafficReaderOptions;
  readonly #bootId = randomUUID();
  /** Of services that are in the kernel; one that leaves is in no goal any more and still has an owner. */
  #owners = new Map<string, ObjectRef>();
  #last: TrafficSnapshot | undefined;
  #running: Promise<TrafficSnapshot> | undefined;

  constructor(options: TrafficReaderOptions) {
    this.#options = options;
  }

  /** @throws LvsError when the kernel cannot be read */
  read(): Promise<TrafficSnapshot> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#last !== undefined && nowMs - this.#last.monotonicMs < freshMs)
      return Promise.resolve(this.#last);
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #read(): Promise<TrafficSnapshot> {
    const { host, clock } = this.#options;
    const { table } = this.#options.current();
    this.#learnOwners();
    const stats = host.observeServiceStats();
    const services: ServiceTraffic[] = [];
    // One service is read in one go, however large.
    const slices = new Slices(clock);
    for (const [name, owner] of this.#owners) {
      const service = table.get(name);
      // What is not there any more, or not yet, has no counters.
      if (service === undefined || !stats.has(name)) continue;
      const realServers = host.observeRealServerStats(service.key);
      services.push({ owner, key: service.key, name, stats: stats.get(name), realServers });
      await slices.pause();
    }
    const times = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };
    this.#last = { bootId: this.#bootId, ...times, services };
    return this.#last;
  }

  #learnOwners(): void {
    const { table, desired } = this.#options.current();
    const owners = new Map([...this.#owners].filter(([name]) => table.has(name)));
    for (const [name, { owner, isForProbes }] of desired?.services ?? [])
      if (isForProbes !== true) owners.set(name, owner);
    this.#owners = owners;
  }
}
