import { isLvsError } from '../base/index.ts';
import type { LvsError } from '../base/index.ts';
import { formatRealServerKey, formatVirtualServiceKey } from '../ipvs/index.ts';
import type {
  IpvsClient,
  IpvsOperation,
  IpvsTable,
  ObservedRealServer,
  ObservedVirtualService,
  OperationOutcome,
} from '../ipvs/index.ts';

/**
 * What this director believes the kernel table to be: the last complete dump, plus every operation that the kernel
 * acknowledged since. A pass compares the goal with this belief, so that one changed weight in ten thousand does not
 * cost a dump of ten thousand.
 *
 * The belief is checked against a fingerprint of /proc/net/ip_vs, cheap enough for every second: one differing byte
 * there means that other hands were at work, and the table is read again as a whole.
 */
export class KernelTable {
  readonly #client: IpvsClient;
  readonly #readFingerprint: () => string | undefined;
  #table = new Map<string, MutableVirtualService>();
  #fingerprint: string | undefined;
  #isLoaded = false;

  /** @param readFingerprint of /proc/net/ip_vs; undefined where it cannot be read, which means: always dump. */
  constructor(client: IpvsClient, readFingerprint: () => string | undefined) {
    this.#client = client;
    this.#readFingerprint = readFingerprint;
  }

  get table(): IpvsTable {
    return this.#table;
  }

  /** Reads the whole table. The fingerprint is taken first: a change during the dump shows at the next check. */
  load(): void {
    // A dump that fails leaves the old belief, which is to be read again before anybody trusts it.
    this.#isLoaded = false;
    this.#fingerprint = this.#readFingerprint();
    const table = new Map<string, MutableVirtualService>();
    for (const [key, service] of this.#client.observeTable({ stats: false })) {
      table.set(key, { ...service, realServers: new Map(service.realServers) });
    }
    this.#table = table;
    this.#isLoaded = true;
  }

  /** Reads the whole table again if it is not what we left behind. @returns true if it was read. */
  loadIfDrifted(): boolean {
    const fingerprint = this.#readFingerprint();
    if (this.#isLoaded && fingerprint !== undefined && fingerprint === this.#fingerprint) return false;
    this.load();
    return true;
  }

  /** Brings connection counts of these services up to date: drains wait for them. */
  refreshRealServers(serviceKeys: Iterable<string>): void {
    for (const key of new Set(serviceKeys)) {
      const service = this.#table.get(key);
      if (service !== undefined) service.realServers = new Map(this.#client.observeRealServers(service.key));
    }
  }

  /**
   * Sends the operations in order, batched, yielding to the event loop between batches, and folds those that
   * succeeded into the belief.
   * @returns one outcome per operation, in order.
   */
  async apply(operations: readonly IpvsOperation[]): Promise<readonly OperationOutcome[]> {
    if (operations.length === 0) return [];
    const outcomes = await this.#client.applyYielding(operations);
    let isCertain = true;
    operations.forEach((operation, index) => {
      const outcome = outcomes[index];
      if (outcome === 'done') this.#fold(operation);
      else if (outcome === undefined || isUncertain(outcome)) isCertain = false;
    });
    if (isCertain) this.#fingerprint = this.#readFingerprint();
    else this.#isLoaded = false;
    return outcomes;
  }

  #fold(operation: IpvsOperation): void {
    const serviceKey = formatVirtualServiceKey(operation.service);
    const service = this.#table.get(serviceKey);
    switch (operation.type) {
      case 'addVirtualService':
      case 'editVirtualService':
        if (service === undefined) {
          this.#table.set(serviceKey, {
            key: operation.service,
            config: operation.config,
            stats: undefined,
            realServers: new Map(),
          });
        } else {
          service.config = operation.config;
        }
        return;
      case 'deleteVirtualService':
        this.#table.delete(serviceKey);
        return;
      case 'addRealServer':
      case 'editRealServer': {
        const realServerKey = formatRealServerKey(operation.realServer);
        const old = service?.realServers.get(realServerKey);
        service?.realServers.set(realServerKey, {
          key: operation.realServer,
          config: operation.config,
          connections: old?.connections ?? { active: 0, inactive: 0, persistent: 0 },
          stats: undefined,
        });
        return;
      }
      case 'deleteRealServer':
        service?.realServers.delete(formatRealServerKey(operation.realServer));
        return;
    }
  }
}

interface MutableVirtualService extends ObservedVirtualService {
  config: ObservedVirtualService['config'];
  realServers: Map<string, ObservedRealServer>;
}

/** After these nobody knows whether the kernel acted: the table has to be read again. */
function isUncertain(error: LvsError): boolean {
  return isLvsError(error, 'LVS_NETLINK_OVERRUN') || isLvsError(error, 'LVS_NETLINK_NO_ANSWER');
}
