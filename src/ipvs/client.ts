import { isLvsError, LvsError } from '../base/index.ts';
import { defaultBatchSize, errno, NETLINK_GENERIC, NetlinkConnection } from '../netlink/index.ts';
import type { Libc, NetlinkCounters } from '../netlink/index.ts';
import { orderSteps } from './bulk-load.ts';
import { decodeInfo, decodeTimeouts, encodeTimeouts } from './config-codec.ts';
import { decodeSyncDaemon, encodeSyncDaemon, encodeSyncDaemonKey } from './daemon-codec.ts';
import { ipvsNames } from './debug-names.ts';
import { IpvsFamily } from './family.ts';
import { dumpVirtualServices, observeRealServers, observeTable } from './observe.ts';
import { isSchedulerAvailable } from './scheduler-probe.ts';
import { settleBatch } from './settle.ts';
import type { OperationOutcome } from './settle.ts';
import { formatVirtualServiceKey } from './types.ts';
import type {
  IpvsInfo,
  IpvsOperation,
  IpvsTable,
  IpvsTimeouts,
  ObservedRealServer,
  ObservedVirtualService,
  SyncDaemon,
  SyncDaemonState,
  TrafficStats,
  VirtualServiceKey,
} from './types.ts';
import {
  IPVS_CMD_ATTR_DAEMON,
  IPVS_CMD_DEL_DAEMON,
  IPVS_CMD_GET_CONFIG,
  IPVS_CMD_GET_DAEMON,
  IPVS_CMD_GET_INFO,
  IPVS_CMD_NEW_DAEMON,
  IPVS_CMD_SET_CONFIG,
  IPVS_CMD_ZERO,
} from './uapi.ts';
import { encodeVirtualServiceKey } from './virtual-service-codec.ts';

export interface IpvsClientOptions {
  readonly libc: Libc;
  /** Path of the network namespace whose table is meant. @default the one of this process */
  readonly netns?: string;
  /** Receives decoded requests and answers, a line each (NETLINK_DEBUG=1). @default nothing is printed */
  readonly debug?: (line: string) => void;
}

export interface ApplyOptions {
  /** Operations per datagram, 1..200. @default 64, the fastest with real requests */
  readonly batchSize?: number;
}

/**
 * The IPVS table of one network namespace. All calls are synchronous and short (`applyYielding` excepted, which gives
 * the event loop a turn between batches); the one instance per director is the one writer.
 */
export class IpvsClient {
  readonly #connection: NetlinkConnection;
  readonly #family: IpvsFamily;
  /** Schedulers that the kernel has loaded, as far as known here: no request for them will wait for modprobe. */
  readonly #loadedSchedulers = new Set(['none']);

  private constructor(connection: NetlinkConnection) {
    this.#connection = connection;
    this.#family = new IpvsFamily(connection);
  }

  /** @throws LvsError LVS_IPVS_UNAVAILABLE, LVS_NETLINK_SOCKET, LVS_KERNEL_PERMISSION */
  static open(options: IpvsClientOptions): IpvsClient {
    const connection = NetlinkConnection.open({
      libc: options.libc,
      protocol: NETLINK_GENERIC,
      ...(options.netns === undefined ? {} : { netns: options.netns }),
      ...(options.debug === undefined ? {} : { debug: { sink: options.debug, names: ipvsNames } }),
    });
    try {
      const client = new IpvsClient(connection);
      // The family lookup is free to everybody, all else is not: say so now rather than in the middle of a pass.
      client.getInfo();
      return client;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get counters(): NetlinkCounters {
    return this.#connection.counters;
  }

  /** Idempotent. */
  close(): void {
    this.#connection.close();
  }

  /**
   * One complete look at the table; costs a few system calls per service.
   * @throws LvsError LVS_NETLINK_INTERRUPTED rather than return a table that may be partial
   */
  observeTable(options: { readonly stats?: boolean } = {}): IpvsTable {
    return observeTable(this.#family, options.stats ?? false);
  }

  /** Every service without its real servers and its traffic, by `formatVirtualServiceKey`: one dump for all of them. */
  observeServices(): ReadonlyMap<string, Omit<ObservedVirtualService, 'realServers'>> {
    return dumpVirtualServices(this.#family, false);
  }

  /** Traffic of every service without its real servers, by `formatVirtualServiceKey`: one dump for all of them. */
  observeServiceStats(): ReadonlyMap<string, TrafficStats | undefined> {
    const services = dumpVirtualServices(this.#family, true);
    return new Map([...services].map(([key, { stats }]) => [key, stats]));
  }

  /**
   * The real servers of one service with their live connection counts, by `formatRealServerKey`. Empty when the
   * service does not exist: the kernel answers both alike.
   * @throws LvsError LVS_NETLINK_INTERRUPTED
   */
  observeRealServers(
    service: VirtualServiceKey,
    options: { readonly stats?: boolean } = {},
  ): ReadonlyMap<string, ObservedRealServer> {
    return observeRealServers(this.#family, service, options.stats ?? false);
  }

  /**
   * Makes every operation true, in order, whatever the table was before: adding what exists edits it, editing what is
   * gone adds it, deleting what is gone succeeds. One refusal stops nothing.
   * @returns one outcome per operation, in order
   * @throws LvsError only when nothing can be done at all: LVS_IPVS_UNAVAILABLE, LVS_NETLINK_SOCKET
   */
  apply(operations: readonly IpvsOperation[], options: ApplyOptions = {}): OperationOutcome[] {
    const outcomes = newOutcomes(operations);
    const batches = this.#applyInBatches(operations, outcomes, options);
    while (batches.next().done !== true);
    return outcomes;
  }

  /** As `apply`, with a turn of the event loop after each batch (half a millisecond of work or less). */
  async applyYielding(
    operations: readonly IpvsOperation[],
    options: ApplyOptions = {},
  ): Promise<OperationOutcome[]> {
    const outcomes = newOutcomes(operations);
    const batches = this.#applyInBatches(operations, outcomes, options);
    while (batches.next().done !== true) await new Promise((resolve) => setImmediate(resolve));
    return outcomes;
  }

  /** Whether the kernel has this scheduler; loads its module if it can, which takes up to 0.1 s. Changes no table. */
  isSchedulerAvailable(name: string): boolean {
    if (this.#loadedSchedulers.has(name)) return true;
    const isAvailable = isSchedulerAvailable(this.#family, name);
    if (isAvailable) this.#loadedSchedulers.add(name);
    return isAvailable;
  }

  getInfo(): IpvsInfo {
    const [info] = this.#family.request(
      { command: IPVS_CMD_GET_INFO, operation: 'IPVS_CMD_GET_INFO' },
      decodeInfo,
    );
    if (info === undefined) throw unanswered('IPVS_CMD_GET_INFO');
    return info;
  }

  getTimeouts(): IpvsTimeouts {
    const [timeouts] = this.#family.request(
      { command: IPVS_CMD_GET_CONFIG, operation: 'IPVS_CMD_GET_CONFIG' },
      decodeTimeouts,
    );
    if (timeouts === undefined) throw unanswered('IPVS_CMD_GET_CONFIG');
    return timeouts;
  }

  /** Seconds. What is left out, or 0, stays as it is. @throws LvsError LVS_KERNEL_REFUSED */
  setTimeouts(timeouts: Partial<IpvsTimeouts>): void {
    this.#family.request({
      command: IPVS_CMD_SET_CONFIG,
      operation: 'IPVS_CMD_SET_CONFIG',
      encode: (writer) => encodeTimeouts(writer, timeouts),
    });
  }

  /** None, one, or both roles; master first. */
  listSyncDaemons(): SyncDaemon[] {
    return this.#family.dump(
      { command: IPVS_CMD_GET_DAEMON, operation: 'IPVS_CMD_GET_DAEMON' },
      (attributes) => {
        while (attributes.next()) {
          if (attributes.type === IPVS_CMD_ATTR_DAEMON)
            return decodeSyncDaemon(attributes.nested('IPVS_CMD_ATTR_DAEMON'));
        }
        return undefined;
      },
    );
  }

  /** @throws LvsError LVS_KERNEL_REFUSED: EEXIST when that role runs already, ENODEV without such an interface */
  startSyncDaemon(daemon: SyncDaemon): void {
    this.#family.request({
      command: IPVS_CMD_NEW_DAEMON,
      operation: 'IPVS_CMD_NEW_DAEMON',
      subject: `the ${daemon.state} sync daemon on ${daemon.interface}`,
      encode: (writer) => encodeSyncDaemon(writer, daemon),
    });
  }

  /** Succeeds when that role does not run. */
  stopSyncDaemon(state: SyncDaemonState): void {
    try {
      this.#family.request({
        command: IPVS_CMD_DEL_DAEMON,
        operation: 'IPVS_CMD_DEL_DAEMON',
        subject: `the ${state} sync daemon`,
        encode: (writer) => encodeSyncDaemonKey(writer, state),
      });
    } catch (error) {
      if (!isLvsError(error)) throw error;
      if (error.errno === errno.ESRCH) return;
      // A daemon whose thread never ran ends with -EINTR, and netlink then sends no answer at all.
      const isSilent = error.code === 'LVS_NETLINK_NO_ANSWER';
      if (!isSilent || this.listSyncDaemons().some((daemon) => daemon.state === state)) throw error;
    }
  }

  /** Sets the counters of one service, or of all and the totals, to zero. @throws LvsError LVS_KERNEL_REFUSED */
  zero(service?: VirtualServiceKey): void {
    this.#family.request({
      command: IPVS_CMD_ZERO,
      operation: 'IPVS_CMD_ZERO',
      ...(service === undefined ? {} : { subject: formatVirtualServiceKey(service) }),
      encode: (writer) => service !== undefined && encodeVirtualServiceKey(writer, service),
    });
  }

  *#applyInBatches(
    operations: readonly IpvsOperation[],
    outcomes: OperationOutcome[],
    { batchSize = defaultBatchSize }: ApplyOptions,
  ): Generator<void> {
    const missing = new Set<string>();
    const steps = orderSteps(operations).filter(({ index }) =>
      this.#isSchedulerReady(operations[index], index, outcomes, missing),
    );
    for (let first = 0; first < steps.length; first += batchSize) {
      const batch = steps.slice(first, first + batchSize);
      const verdicts = this.#family.batch(
        batch.map((step) => step.operation),
        batchSize,
      );
      settleBatch(this.#family, batch, verdicts, outcomes);
      yield;
    }
  }

  /**
   * Loading a scheduler module takes tens of milliseconds under the locks of IPVS; it happens here, once and alone,
   * and never in the middle of a batch. A scheduler that does not exist is refused before anything is touched.
   * @param missing schedulers already asked for in this apply: each miss costs a run of modprobe
   */
  #isSchedulerReady(
    operation: IpvsOperation | undefined,
    index: number,
    outcomes: OperationOutcome[],
    missing: Set<string>,
  ): boolean {
    if (operation?.type !== 'addVirtualService' && operation?.type !== 'editVirtualService') return true;
    const { scheduler } = operation.config;
    if (!missing.has(scheduler) && this.isSchedulerAvailable(scheduler)) return true;
    missing.add(scheduler);
    outcomes[index] = new LvsError(
      'LVS_SCHEDULER_UNAVAILABLE',
      `This kernel has no IPVS scheduler "${scheduler}".`,
      {
        subject: formatVirtualServiceKey(operation.service),
        hint: `Load the module ip_vs_${scheduler} or choose another scheduler.`,
      },
    );
    return false;
  }
}

function unanswered(operation: string): LvsError {
  return new LvsError('LVS_NETLINK_NO_ANSWER', `The kernel acknowledged ${operation} without an answer.`, {
    operation,
  });
}

function newOutcomes(operations: readonly IpvsOperation[]): OperationOutcome[] {
  return Array.from<OperationOutcome>({ length: operations.length }).fill('done');
}
