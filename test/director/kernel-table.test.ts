import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LvsError } from '../../src/base/index.ts';
import type { IpAddress } from '../../src/base/index.ts';
import { KernelTable } from '../../src/director/kernel-table.ts';
import { ipvsTableFingerprint } from '../../src/ipvs/index.ts';
import type {
  IpvsClient,
  IpvsOperation,
  IpvsTable,
  ObservedVirtualService,
  OperationOutcome,
} from '../../src/ipvs/index.ts';

const key = { kind: 'address', protocol: 'TCP', vip: '192.0.2.1' as IpAddress, port: 80 } as const;
const config = {
  scheduler: 'rr',
  flags: 0,
  persistenceTimeoutSeconds: 0,
  persistencePrefixLength: 32,
  persistenceEngine: undefined,
};
const serverConfig = {
  forwarding: 'NAT',
  tunnel: undefined,
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
} as const;
const there: ObservedVirtualService = { key, config, stats: undefined, realServers: new Map() };
const add: IpvsOperation = { type: 'addVirtualService', service: { ...key, port: 81 }, config };

const heading = 'IP Virtual Server version 1.2.1 (size=4096)\nProt\n  -> RemoteAddress\n';
const withOne = `${heading}TCP  C0000201:0050 rr  \n`;
const withTwo = `${withOne}TCP  C0000201:0051 rr  \n`;
const fingerprintOf = (text: string): string => ipvsTableFingerprint(Buffer.from(text));

/** A kernel with one service, whose dumps fail and whose answers are lost on request. */
function fakeKernel() {
  const kernel = {
    dumps: 0,
    looks: 0,
    fingerprint: fingerprintOf(withOne) as string | undefined,
    failure: undefined as LvsError | undefined,
    outcome: 'done' as OperationOutcome,
  };
  const client = {
    observeTable: (): IpvsTable => {
      kernel.dumps++;
      if (kernel.failure !== undefined) throw kernel.failure;
      return new Map([['TCP 192.0.2.1:80', there]]);
    },
    applyYielding: (operations: readonly IpvsOperation[]) =>
      Promise.resolve(operations.map(() => kernel.outcome)),
  } as unknown as IpvsClient;
  return { kernel, table: new KernelTable(client, () => (kernel.looks++, kernel.fingerprint)) };
}

describe('the believed table', () => {
  it('is read again only when the fingerprint moved', () => {
    const { kernel, table } = fakeKernel();
    assert.equal(table.loadIfDrifted(), true);
    assert.equal(table.loadIfDrifted(), false);
    kernel.fingerprint = fingerprintOf(withTwo);
    assert.equal(table.loadIfDrifted(), true);
    assert.equal(kernel.dumps, 2);
  });

  it('is read every time where there is no fingerprint', () => {
    const { kernel, table } = fakeKernel();
    kernel.fingerprint = undefined;
    table.loadIfDrifted();
    assert.equal(table.loadIfDrifted(), true);
  });

  it('is not forgotten for empty when a dump fails, and is read again before it is trusted', () => {
    const { kernel, table } = fakeKernel();
    table.load();
    kernel.failure = new LvsError('LVS_NETLINK_INTERRUPTED', 'interrupted');
    assert.throws(() => table.load(), kernel.failure);
    assert.equal(table.table.size, 1);
    kernel.failure = undefined;
    assert.equal(table.loadIfDrifted(), true, 'although the fingerprint is the same');
  });

  it('takes in what was done, and nothing that was refused', async () => {
    const { kernel, table } = fakeKernel();
    table.load();
    kernel.outcome = new LvsError('LVS_KERNEL_REFUSED', 'no');
    await table.apply([add]);
    assert.equal(table.table.has('TCP 192.0.2.1:81'), false);
    kernel.outcome = 'done';
    await table.apply([add]);
    assert.equal(table.table.has('TCP 192.0.2.1:81'), true);
    assert.equal(kernel.looks, 1, 'its own operations cost no look');
    kernel.fingerprint = fingerprintOf(withTwo);
    assert.equal(table.loadIfDrifted(), false);
  });

  it('is read again when others changed something since the last look, though we did, too', async () => {
    const { kernel, table } = fakeKernel();
    table.load();
    await table.apply([add]);
    kernel.fingerprint = fingerprintOf(`${withTwo}  -> 0A000001:0050      Masq    1      0          0\n`);
    assert.equal(table.loadIfDrifted(), true);
  });

  for (const [whose, text, isRead] of [
    ['ours alone', withOne, false],
    ['others, too', withTwo, true],
  ] as const) {
    it(`looks around its own change of a persistent service: ${whose}`, async () => {
      const { kernel, table } = fakeKernel();
      table.load();
      kernel.fingerprint = fingerprintOf(text);
      await table.apply([{ ...add, config: { ...config, flags: 1, persistenceTimeoutSeconds: 60 } }]);
      assert.equal(table.loadIfDrifted(), isRead);
    });
  }

  it('holds values: a service that changed is another object, the others are not', async () => {
    const { table } = fakeKernel();
    table.load();
    await table.apply([add]);
    const [first, second] = [...table.table.values()];
    assert.equal(first, there);
    assert.ok(second);
    const realServer = { rip: '10.0.0.1' as IpAddress, port: 80 };
    await table.apply([{ type: 'addRealServer', service: second.key, realServer, config: serverConfig }]);
    assert.equal(second.realServers.size, 0, 'who holds the old object sees the old table');
    assert.equal(table.table.get('TCP 192.0.2.1:81')?.realServers.size, 1);
    assert.equal(table.table.get('TCP 192.0.2.1:80'), there);
  });

  it('is read again when an answer was lost', async () => {
    const { kernel, table } = fakeKernel();
    table.load();
    kernel.outcome = new LvsError('LVS_NETLINK_NO_ANSWER', 'silence');
    await table.apply([add]);
    assert.equal(table.loadIfDrifted(), true);
  });
});

describe('a large table', () => {
  const size = 100;
  const realServerKey = { rip: '10.0.0.1' as IpAddress, port: 80 };
  const nameOf = (index: number): string => `TCP 192.0.2.1:${index + 1}`;

  /** A kernel that others change by `edit`, whose looks are counted. */
  function largeKernel() {
    const services = new Map<string, ObservedVirtualService>();
    for (let index = 0; index < size; index++) {
      const connections = { active: 0, inactive: 0, persistent: 0 };
      const realServer = { key: realServerKey, config: serverConfig, connections, stats: undefined };
      const realServers = new Map([['10.0.0.1:80', realServer]]);
      services.set(nameOf(index), {
        key: { ...key, port: index + 1 },
        config,
        stats: undefined,
        realServers,
      });
    }
    const counts = { tables: 0, realServers: 0 };
    const client = {
      observeTable: (): IpvsTable => (counts.tables++, new Map(services)),
      observeServices: () => new Map(services),
      observeRealServers: ({ port }: { port: number }) => {
        counts.realServers++;
        return services.get(nameOf(port - 1))?.realServers ?? new Map();
      },
      applyYielding: (operations: readonly IpvsOperation[]) =>
        Promise.resolve(operations.map((): OperationOutcome => 'done')),
    } as unknown as IpvsClient;
    const table = new KernelTable(client, () => fingerprintOf(withOne));
    const edit = (
      index: number,
      change: (service: ObservedVirtualService) => ObservedVirtualService,
    ): void => {
      const service = services.get(nameOf(index));
      if (service !== undefined) services.set(nameOf(index), change(service));
    };
    table.load();
    return { services, counts, table, edit };
  }

  const withThreshold = (service: ObservedVirtualService): ObservedVirtualService => ({
    ...service,
    realServers: new Map(
      [...service.realServers].map(([name, server]) => [
        name,
        { ...server, config: { ...server.config, upperThreshold: 7 } },
      ]),
    ),
  });

  it('is compared in parts, and what did not change stays the same object', () => {
    const { counts, table } = largeKernel();
    const before = [...table.table.values()];
    assert.equal(table.beginSweep(), false);
    assert.deepEqual([table.unswept, counts.realServers], [size, 0]);
    let parts = 0;
    for (; table.unswept > 0; parts++) assert.equal(table.sweepPart(9), false);
    assert.deepEqual([parts, counts.realServers, counts.tables], [12, size, 1]);
    assert.ok([...table.table.values()].every((service, index) => service === before[index]));
    assert.equal(table.reads, 2);
  });

  it('what no fingerprint shows is found when its part comes: a threshold', () => {
    const { table, edit } = largeKernel();
    edit(50, withThreshold);
    table.beginSweep();
    assert.deepEqual([table.sweepPart(50), table.sweepPart(1), table.sweepPart(49)], [false, true, false]);
    const server = table.table.get(nameOf(50))?.realServers.get('10.0.0.1:80');
    assert.equal(server?.config.upperThreshold, 7);
  });

  it('flags of a service are found at once', () => {
    const { table, edit } = largeKernel();
    edit(3, (service) => ({ ...service, config: { ...service.config, flags: 8 } }));
    assert.equal(table.beginSweep(), true);
    assert.equal(table.table.get(nameOf(3))?.config.flags, 8);
  });

  it('a service that came or went makes it be read as a whole', () => {
    const { services, counts, table } = largeKernel();
    services.delete(nameOf(0));
    assert.equal(table.beginSweep(), true);
    assert.deepEqual([counts.tables, table.table.size], [2, size - 1]);
  });

  it('a sweep that was not done when the next is due is finished first', () => {
    const { counts, table, edit } = largeKernel();
    table.beginSweep();
    edit(99, withThreshold);
    assert.equal(table.beginSweep(), true);
    assert.deepEqual([counts.realServers, table.unswept], [size, size]);
  });

  it('what we delete meanwhile is not missed', async () => {
    const { services, table } = largeKernel();
    table.beginSweep();
    const service = services.get(nameOf(10))?.key;
    assert.ok(service);
    await table.apply([{ type: 'deleteVirtualService', service }]);
    services.delete(nameOf(10));
    assert.equal(table.sweepPart(size), false);
    assert.equal(table.table.size, size - 1);
  });
});
