import { isLvsError } from '../base/index.ts';
import type { LvsError } from '../base/index.ts';
import {
  formatRealServerKey,
  formatVirtualServiceKey,
  isSameRealServerConfig,
  isSameVirtualServiceConfig,
  predictTableFingerprint,
  serviceFlags,
} from '../ipvs/pure.ts';
import type {
  IpvsClient,
  IpvsOperation,
  IpvsTable,
  ObservedRealServer,
  ObservedVirtualService,
  OperationOutcome,
} from '../ipvs/index.ts';
import type { TableChange } from '../ipvs/pure.ts';

/**
 * What this director believes the kernel table to be: the last complete dump, plus every operation that the kernel
 * acknowledged since. A pass compares the goal with this belief, so that one changed weight in ten thousand does not
 * cost a dump of ten thousand.
 *
 * The belief is checked against a fingerprint of /proc/net/ip_vs, cheap enough for every second: one differing byte
 * there means that other hands were at work, and the table is read again as a whole. What our own operations do to the
 * fingerprint is computed, not read: so no change of others hides behind one of ours, however long ago the last look
 * was, and an edit costs no look at all.
 *
 * Services in the table are values: one that changed in any way is another object, so that `plan` may remember by
 * identity what it compared.
 */
export class KernelTable {
  readonly #client: IpvsClient;
  readonly #readFingerprint: () => string | undefined;
  #table = new Map<string, ObservedVirtualService>();
  #fingerprint: string | undefined;
  #isLoaded = false;
  #reads = 0;
  /** Services whose real servers a sweep has yet to compare. */
  #unswept: string[] = [];

  /** @param readFingerprint of /proc/net/ip_vs; undefined where it cannot be read, which means: always dump. */
  constructor(client: IpvsClient, readFingerprint: () => string | undefined) {
    this.#client = client;
    this.#readFingerprint = readFingerprint;
  }

  get table(): IpvsTable {
    return this.#table;
  }

  /** Complete readings since the beginning. */
  get reads(): number {
    return this.#reads;
  }

  /** False when it has to be read again before anybody goes by it. */
  get isTrusted(): boolean {
    return this.#isLoaded;
  }

  /** Reads the whole table. The fingerprint is taken first: a change during the dump shows at the next check. */
  load(): void {
    // A dump that fails leaves the old belief, which is to be read again before anybody trusts it.
    this.#isLoaded = false;
    this.#fingerprint = this.#readFingerprint();
    this.#table = new Map(this.#client.observeTable({ stats: false }));
    this.#isLoaded = true;
    this.#unswept = [];
    this.#reads++;
  }

  /**
   * Begins to compare everything with the kernel, whatever the fingerprint says: flags, thresholds and tunnels are not in
   * it. A small table is read at once; of a large one the services are, and their real servers in the parts of
   * `sweepPart`, because a dump of thousands takes hundreds of milliseconds in which no edit gets through.
   * @returns whether anything may be other than believed
   */
  beginSweep(): boolean {
    if (this.#table.size <= mostAtOnce || !this.#isLoaded || this.#fingerprint === undefined) {
      this.load();
      return true;
    }
    const isLoaded = this.loadIfDrifted();
    if (isLoaded) return true;
    let isNews = this.sweepPart(this.#unswept.length);
    const services = this.#client.observeServices();
    if (services.size !== this.#table.size) {
      this.load();
      return true;
    }
    for (const [key, { config }] of services) {
      const believed = this.#table.get(key);
      if (believed === undefined) {
        this.load();
        return true;
      }
      if (isSameVirtualServiceConfig(believed.config, config)) continue;
      this.#table.set(key, { ...believed, config });
      isNews = true;
    }
    this.#unswept = [...services.keys()];
    return isNews;
  }

  /** @returns how many services the sweep has yet to compare. */
  get unswept(): number {
    return this.#unswept.length;
  }

  /** Compares the real servers of so many services. @returns whether any was other than believed */
  sweepPart(services: number): boolean {
    let isNews = false;
    let compared = 0;
    try {
      for (const key of this.#unswept.slice(0, services)) {
        const believed = this.#table.get(key);
        // Undefined: deleted since the sweep began, by us.
        if (believed !== undefined) {
          const realServers = this.#client.observeRealServers(believed.key);
          if (!isSameRealServers(believed.realServers, realServers)) {
            this.#table.set(key, { ...believed, realServers });
            isNews = true;
          }
        }
        compared++;
      }
    } finally {
      // What could not be read is still to be compared.
      this.#unswept.splice(0, compared);
    }
    if (services > 0 && this.#unswept.length === 0) this.#reads++;
    return isNews;
  }

  /** Reads the whole table again if it is not what we left behind. @returns true if it was read. */
  loadIfDrifted(): boolean {
    const fingerprint = this.#readFingerprint();
    if (this.#isLoaded && fingerprint !== undefined && fingerprint === this.#fingerprint) return false;
    this.load();
    return true;
  }

  /** Brings connection counts of these services up to date. */
  refreshRealServers(serviceKeys: Iterable<string>): void {
    for (const key of new Set(serviceKeys)) this.#refresh(key);
  }

  /**
   * The same for drains, which wait for it. After an outage these may be thousands of real servers, so others get their
   * turn in between.
   */
  async refreshInTurns(serviceKeys: Iterable<string>): Promise<void> {
    let read = 0;
    for (const key of new Set(serviceKeys)) {
      read += this.#refresh(key);
      if (read < mostCountedAtOnce) continue;
      read = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** @returns how many real servers were read */
  #refresh(key: string): number {
    const service = this.#table.get(key);
    if (service === undefined) return 0;
    const realServers = this.#client.observeRealServers(service.key);
    this.#table.set(key, { ...service, realServers });
    return realServers.size;
  }

  /**
   * Sends the operations in order, batched, yielding to the event loop between batches, and folds those that
   * succeeded into the belief.
   * @returns one outcome per operation, in order.
   */
  async apply(operations: readonly IpvsOperation[]): Promise<readonly OperationOutcome[]> {
    if (operations.length === 0) return [];
    const isPredictable = !operations.some((operation) => this.#isPersistent(operation));
    // Read between two looks, the fingerprint would hide what others did since the first: so there is a look right here.
    if (!isPredictable && this.#fingerprint !== this.#readFingerprint()) this.#isLoaded = false;
    const outcomes = await this.#client.applyYielding(operations);
    const draft = new TableDraft(this.#table);
    let isCertain = true;
    operations.forEach((operation, index) => {
      const outcome = outcomes[index];
      if (outcome === 'done') draft.fold(operation);
      else if (outcome === undefined || isUncertain(outcome)) isCertain = false;
    });
    if (!isCertain) this.#isLoaded = false;
    else if (!isPredictable) this.#fingerprint = this.#readFingerprint();
    else if (this.#fingerprint !== undefined)
      this.#fingerprint = predictTableFingerprint(this.#fingerprint, draft.changes());
    return outcomes;
  }

  /** Whether the operation is about a service whose line in /proc/net/ip_vs cannot be predicted. */
  #isPersistent(operation: IpvsOperation): boolean {
    const flags = this.#table.get(formatVirtualServiceKey(operation.service))?.config.flags ?? 0;
    const wanted = 'config' in operation && 'flags' in operation.config ? operation.config.flags : 0;
    return ((flags | wanted) & serviceFlags.PERSISTENT) !== 0;
  }
}

/** Services of a table that is read as a whole: it takes a few milliseconds. */
const mostAtOnce = 64;

/** Real servers whose connections are counted without a break: it takes a few milliseconds. */
const mostCountedAtOnce = 256;

/** But for their connections, which move all the time. */
function isSameRealServers(
  a: ReadonlyMap<string, ObservedRealServer>,
  b: ReadonlyMap<string, ObservedRealServer>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [key, { config }] of a) {
    const other = b.get(key);
    if (other === undefined || !isSameRealServerConfig(config, other.config)) return false;
  }
  return true;
}

/** Folds operations into a table. Each service that they touch is copied once, and the old object stays as it was. */
class TableDraft {
  readonly #table: Map<string, ObservedVirtualService>;
  /** By key: what was there before, and the copy that is ours to change. */
  readonly #touched = new Map<
    string,
    { readonly was: ObservedVirtualService | undefined; is: MutableVirtualService | undefined }
  >();

  constructor(table: Map<string, ObservedVirtualService>) {
    this.#table = table;
  }

  changes(): Iterable<TableChange> {
    return this.#touched.values();
  }

  fold(operation: IpvsOperation): void {
    const serviceKey = formatVirtualServiceKey(operation.service);
    const entry = this.#touch(serviceKey);
    switch (operation.type) {
      case 'addVirtualService':
      case 'editVirtualService':
        if (entry.is === undefined) {
          entry.is = {
            key: operation.service,
            config: operation.config,
            stats: undefined,
            realServers: new Map(),
          };
          this.#table.set(serviceKey, entry.is);
        } else {
          entry.is.config = operation.config;
        }
        return;
      case 'deleteVirtualService':
        entry.is = undefined;
        this.#table.delete(serviceKey);
        return;
      case 'addRealServer':
      case 'editRealServer': {
        const realServerKey = formatRealServerKey(operation.realServer);
        const old = entry.is?.realServers.get(realServerKey);
        entry.is?.realServers.set(realServerKey, {
          key: operation.realServer,
          config: operation.config,
          connections: old?.connections ?? { active: 0, inactive: 0, persistent: 0 },
          stats: undefined,
        });
        return;
      }
      case 'deleteRealServer':
        entry.is?.realServers.delete(formatRealServerKey(operation.realServer));
        return;
    }
  }

  #touch(serviceKey: string) {
    const known = this.#touched.get(serviceKey);
    if (known !== undefined) return known;
    const was = this.#table.get(serviceKey);
    const is = was === undefined ? undefined : { ...was, realServers: new Map(was.realServers) };
    const entry = { was, is };
    this.#touched.set(serviceKey, entry);
    if (is !== undefined) this.#table.set(serviceKey, is);
    return entry;
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
