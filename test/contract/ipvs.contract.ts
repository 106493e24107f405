import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import { IpvsClient, formatRealServerKey, schedulers } from '../../src/ipvs/index.ts';
import type { IpvsOperation, IpvsTable, OperationOutcome } from '../../src/ipvs/index.ts';
import type { IpvsClientOptions } from '../../src/ipvs/index.ts';
import {
  additions,
  entry,
  everyKindOfRealServer,
  everyKindOfService,
  markService,
  realServer,
  realServerConfig,
  service,
  serviceConfig,
  settingsOf,
  tunnelTo,
  wantedSettings,
} from './ipvs-entries.ts';
import type { Entry } from './ipvs-entries.ts';

/** A kernel, real or not, whose table belongs to the tests alone, with an interface called eth0. */
export interface IpvsWorld {
  readonly clientOptions: IpvsClientOptions;
  /** Services and real servers of each in the test of a big table. */
  readonly bigTable: { readonly services: number; readonly realServers: number };
  close(): void | Promise<void>;
}

/** What IpvsClient promises, asked of any kernel. */
export function describeIpvsContract(name: string, openWorld: () => Promise<IpvsWorld>): void {
  describe(name, () => {
    let world: IpvsWorld;
    let client: IpvsClient;
    before(async () => {
      world = await openWorld();
      client = IpvsClient.open(world.clientOptions);
    });
    afterEach(() => empty(client));
    after(async () => {
      client.close();
      await world.close();
    });
    const given = () => ({ client, world });
    describeReach(given);
    describeUpserts(given);
    describeRefusals(given);
    describeBatches(given);
    describeTheRest(given);
  });
}

type Given = () => { client: IpvsClient; world: IpvsWorld };

/** Deletes every service, as a director would that owned them all. */
export function empty(client: IpvsClient): void {
  const deletions = [...client.observeTable().values()].map(({ key }): IpvsOperation => ({
    type: 'deleteVirtualService',
    service: key,
  }));
  expectDone(client.apply(deletions));
  assert.equal(client.observeTable().size, 0);
}

function expectDone(outcomes: readonly OperationOutcome[]): void {
  assert.deepEqual(
    outcomes.filter((outcome) => outcome !== 'done'),
    [],
  );
}

function expectTable(client: IpvsClient, entries: readonly Entry[]): void {
  assert.deepEqual(settingsOf(client.observeTable()), wantedSettings(entries));
}

function apply(client: IpvsClient, ...operations: IpvsOperation[]): void {
  expectDone(client.apply(operations));
}

const web = service('TCP', '192.0.2.10', 80);
const server = realServer('10.0.0.1', 80);
const oneServer: Entry['realServers'] = [{ key: server, config: realServerConfig() }];

function describeReach(given: Given): void {
  describe('is read back as it was written, added and then edited into place', () => {
    for (const [scenario, wanted] of everyKindOfService()) {
      it(`a service: ${scenario}`, () => {
        const { client } = given();
        apply(client, ...additions([wanted]));
        expectTable(client, [wanted]);
        const other = entry(wanted.key, { scheduler: 'wlc' });
        apply(client, { type: 'editVirtualService', service: other.key, config: other.config });
        expectTable(client, [other]);
        apply(client, { type: 'editVirtualService', service: wanted.key, config: wanted.config });
        expectTable(client, [wanted]);
      });
    }

    for (const [scenario, key, wanted] of everyKindOfRealServer()) {
      it(`a real server: ${scenario}`, () => {
        const { client } = given();
        const isMixed = key.kind === 'address' && key.vip.includes(':') !== wanted.key.rip.includes(':');
        const other = realServerConfig({ ...(isMixed ? tunnelTo('GRE') : {}), weight: 3 });
        apply(client, ...additions([entry(key, {}, [wanted])]));
        expectTable(client, [entry(key, {}, [wanted])]);
        for (const config of [other, wanted.config]) {
          apply(client, { type: 'editRealServer', service: key, realServer: wanted.key, config });
          expectTable(client, [entry(key, {}, [{ key: wanted.key, config }])]);
        }
      });
    }

    for (const scheduler of schedulers) {
      it(`the scheduler ${scheduler}`, () => {
        const { client } = given();
        assert.equal(client.isSchedulerAvailable(scheduler), true);
        assert.equal(client.observeTable().size, 0, 'asking changes nothing');
        const wanted = entry(web, { scheduler }, oneServer);
        apply(client, ...additions([wanted]));
        expectTable(client, [wanted]);
      });
    }

    it('services that differ in protocol, family, port or mark alone live side by side', () => {
      const { client } = given();
      const entries = [
        web,
        service('UDP', '192.0.2.10', 80),
        service('SCTP', '192.0.2.10', 80),
        service('TCP', '192.0.2.10', 81),
        service('TCP', '192.0.2.11', 80),
        service('TCP', '2001:db8::10', 80),
        markService(80),
        markService(80, 'IPv6'),
        markService(81),
      ].map((key, i) =>
        entry(key, {}, [
          { key: realServer(`10.0.1.${i + 1}`, 80), config: realServerConfig(tunnelTo('IPIP')) },
        ]),
      );
      apply(client, ...additions(entries));
      expectTable(client, entries);
    });
  });
}

function describeUpserts(given: Given): void {
  describe('makes operations true whatever the table was', () => {
    const heavy = realServerConfig({ weight: 50 });
    const heavyServer: Entry['realServers'] = [{ key: server, config: heavy }];
    const editServer: IpvsOperation = {
      type: 'editRealServer',
      service: web,
      realServer: server,
      config: heavy,
    };
    const deleteServer: IpvsOperation = { type: 'deleteRealServer', service: web, realServer: server };
    const deleteService: IpvsOperation = { type: 'deleteVirtualService', service: web };
    const wlc = entry(web, { scheduler: 'wlc' }, oneServer);
    const plain = entry(web, {}, oneServer);
    const editService: IpvsOperation = { type: 'editVirtualService', service: web, config: wlc.config };
    const table: [scenario: string, before: Entry[], operations: IpvsOperation[], after: Entry[]][] = [
      [
        'adding a service that exists edits it',
        [plain],
        [{ ...editService, type: 'addVirtualService' }],
        [wlc],
      ],
      [
        'adding a server that exists edits it',
        [plain],
        [{ ...editServer, type: 'addRealServer' }],
        [entry(web, {}, heavyServer)],
      ],
      ['editing a service that is gone adds it', [], [editService], [entry(web, { scheduler: 'wlc' })]],
      ['editing a server that is gone adds it', [entry(web)], [editServer], [entry(web, {}, heavyServer)]],
      [
        'editing both, both gone, adds both',
        [],
        [editService, editServer],
        [entry(web, { scheduler: 'wlc' }, heavyServer)],
      ],
      ['deleting a service deletes its servers', [plain], [deleteService], []],
      ['deleting a service that is gone', [], [deleteService], []],
      ['deleting a server that is gone', [entry(web)], [deleteServer], [entry(web)]],
      ['deleting a server of a service that is gone', [], [deleteServer], []],
      ['the same addition twice', [], [...additions([plain]), ...additions([plain])], [plain]],
      [
        'added, deleted and added again',
        [],
        [...additions([plain]), deleteService, ...additions([wlc])],
        [wlc],
      ],
      [
        'the last word on a server counts',
        [plain],
        [deleteServer, { ...editServer, type: 'addRealServer' }, editServer, deleteServer],
        [entry(web)],
      ],
      ['an editing that does not change anything', [wlc], [editService], [wlc]],
    ];
    for (const [scenario, first, operations, wanted] of table) {
      for (const batchSize of [64, 1]) {
        it(`${scenario}, ${batchSize} at a time`, () => {
          const { client } = given();
          apply(client, ...additions(first));
          expectDone(client.apply(operations, { batchSize }));
          expectTable(client, wanted);
        });
      }
    }

    for (const scheduler of ['mh', 'sh']) {
      it(`a new ${scheduler} service with many servers ends with its scheduler and all of them`, () => {
        const { client } = given();
        const realServers = Array.from({ length: 100 }, (_, i) => ({
          key: realServer(`10.0.2.${i + 1}`, 80),
          config: realServerConfig({ weight: 1 + (i % 3) }),
        }));
        const wanted = entry(web, { scheduler }, realServers);
        apply(client, ...additions([wanted]));
        expectTable(client, [wanted]);
        apply(client, ...additions([wanted]));
        expectTable(client, [wanted]);
      });
    }
  });
}

function describeRefusals(given: Given): void {
  const badServer = (rip: string, more = {}): IpvsOperation => ({
    type: 'addRealServer',
    service: web,
    realServer: realServer(rip, 80),
    config: realServerConfig(more),
  });
  const table: [scenario: string, operation: IpvsOperation, errno: number, message: RegExp][] = [
    ['a multicast server', badServer('224.0.0.5'), 22, /does not take this real server/],
    ['the server 0.0.0.0', badServer('0.0.0.0'), 22, /does not take this real server/],
    [
      'a link-local server',
      {
        ...badServer('10.0.0.1'),
        service: service('TCP', '2001:db8::10', 80),
        realServer: realServer('fe80::5', 80),
      } as IpvsOperation,
      22,
      /does not take/,
    ],
    ['another family without a tunnel', badServer('2001:db8::5', { forwarding: 'DR' }), 22, /needs TUN/],
    ['GUE without a port', badServer('10.0.0.9', tunnelTo('GUE', 'None', 0)), 22, /GUE tunnel needs a port/],
    ['a negative weight', badServer('10.0.0.9', { weight: -1 }), 34, /Weight or thresholds/],
    [
      'a lower threshold above the upper',
      badServer('10.0.0.9', { upperThreshold: 1, lowerThreshold: 2 }),
      34,
      /Weight or thresholds/,
    ],
    [
      'a server without its service',
      { ...badServer('10.0.0.9'), service: service('TCP', '192.0.2.99', 80) },
      3,
      /virtual service of this real server does not exist/,
    ],
    [
      'a prefix length that IPv6 does not have',
      {
        type: 'addVirtualService',
        service: service('TCP', '2001:db8::99', 80),
        config: serviceConfig(web, { persistencePrefixLength: 129 }),
      },
      22,
      /IPVS_CMD_NEW_SERVICE of TCP \[2001:db8::99\]:80: EINVAL/,
    ],
    [
      'a persistence engine that does not exist',
      {
        type: 'addVirtualService',
        service: service('UDP', '192.0.2.99', 80),
        config: serviceConfig(web, { persistenceEngine: 'nosuch' }),
      },
      2,
      /UDP 192\.0\.2\.99:80/,
    ],
  ];
  describe('refuses for a reason that a person understands', () => {
    for (const [scenario, operation, errno, message] of table) {
      it(`${scenario}, alone and among 64 good ones, which all stand`, () => {
        const { client } = given();
        const good = [entry(web), entry(service('TCP', '2001:db8::10', 80))];
        const servers = Array.from({ length: 62 }, (_, i) => ({
          key: realServer(`10.0.3.${i + 1}`, 80),
          config: realServerConfig(),
        }));
        const operations = additions([{ ...good[0], realServers: servers } as Entry]);
        apply(client, ...additions(good));
        for (const batch of [[operation], operations.toSpliced(32, 0, operation)]) {
          const outcomes = client.apply(batch);
          const refusals = outcomes.filter((outcome) => outcome !== 'done');
          assert.equal(refusals.length, 1);
          assert.equal(outcomes.indexOf(refusals[0] ?? 'done'), batch.indexOf(operation));
          const [refusal] = refusals;
          assert.ok(isLvsError(refusal));
          assert.equal(refusal.errno, errno);
          assert.match(`${refusal.message} ${refusal.hint ?? ''}`, message);
          assert.doesNotMatch(refusal.message, /\n|undefined/);
        }
        expectTable(client, [{ ...good[0], realServers: servers } as Entry, good[1] as Entry]);
      });
    }

    it('a scheduler that this kernel lacks, before anything of the service is touched', () => {
      const { client } = given();
      assert.equal(client.isSchedulerAvailable('nosuch'), false);
      apply(client, ...additions([entry(web, {}, oneServer)]));
      const missing = entry(web, { scheduler: 'nosuch' });
      const outcomes = client.apply([
        { type: 'editVirtualService', service: web, config: missing.config },
        { type: 'editRealServer', service: web, realServer: server, config: realServerConfig({ weight: 9 }) },
      ]);
      assert.ok(isLvsError(outcomes[0], 'LVS_SCHEDULER_UNAVAILABLE'));
      assert.equal(outcomes[1], 'done');
      expectTable(client, [entry(web, {}, [{ key: server, config: realServerConfig({ weight: 9 }) }])]);
    });
  });
}

/** The nth of many services, with as many servers as asked; all kinds of settings in turn. */
function nthEntry(n: number, realServers: number): Entry {
  const vip = `10.${100 + (n >> 14)}.${(n >> 7) & 127}.${(n & 127) + 1}`;
  const scheduler = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq'][n % 6] ?? 'rr';
  return entry(
    service(n % 2 === 0 ? 'TCP' : 'UDP', vip, 1 + n),
    { scheduler },
    Array.from({ length: realServers }, (_, i) => ({
      key: realServer(`10.200.${n % 250}.${i + 1}`, 8000 + i),
      config: realServerConfig({ weight: i, ...(i % 3 === 1 ? tunnelTo('GUE') : {}) }),
    })),
  );
}

function describeBatches(given: Given): void {
  describe('keeps its word in quantity', () => {
    it('a big table is written, read complete and equal, and written again without a change', (context) => {
      const { client, world } = given();
      const entries = Array.from({ length: world.bigTable.services }, (_, n) =>
        nthEntry(n, world.bigTable.realServers),
      );
      const operations = additions(entries);
      measure(context, `${operations.length} operations applied`, () => expectDone(client.apply(operations)));
      const table = measure(context, 'the whole table observed', () => client.observeTable());
      assert.deepEqual(settingsOf(table), wantedSettings(entries));
      const withStats = measure(context, 'and with statistics', () => client.observeTable({ stats: true }));
      assert.deepEqual(settingsOf(withStats), wantedSettings(entries));
      measure(context, `${entries.length} services deleted`, () => empty(client));
    });

    it('a batch of refusals larger than any receive queue: each is told', () => {
      const { client } = given();
      apply(client, ...additions([entry(web)]));
      const bad = Array.from({ length: 5000 }, (_, i): IpvsOperation => {
        const config = realServerConfig({ upperThreshold: 1, lowerThreshold: 2 });
        return {
          type: 'addRealServer',
          service: web,
          realServer: realServer(`10.0.${i >> 8}.${i & 255}`, 80),
          config,
        };
      });
      const outcomes = client.apply(bad, { batchSize: 200 });
      assert.equal(outcomes.filter((outcome) => isLvsError(outcome) && outcome.errno === 34).length, 5000);
      expectTable(client, [entry(web)]);
    });

    it('applyYielding does the same, and lets others run in between', async () => {
      const { client } = given();
      const entries = Array.from({ length: 20 }, (_, n) => nthEntry(n, 20));
      let turns = 0;
      const interval = setInterval(() => turns++, 0);
      expectDone(await client.applyYielding(additions(entries), { batchSize: 2 }));
      clearInterval(interval);
      assert.ok(turns > 0);
      expectTable(client, entries);
    });

    it('a service of 500 servers, several datagrams long, is read whole', () => {
      const { client } = given();
      const realServers = Array.from({ length: 500 }, (_, i) => ({
        key: realServer(`10.1.${i >> 8}.${i & 255}`, 80),
        config: realServerConfig({ weight: i }),
      }));
      apply(client, ...additions([entry(web, {}, realServers)]));
      expectTable(client, [entry(web, {}, realServers)]);
      const observed = client.observeRealServers(web);
      assert.deepEqual(
        [...observed.keys()].toSorted(),
        realServers.map(({ key }) => formatRealServerKey(key)).toSorted(),
      );
      assert.equal(client.observeRealServers(service('TCP', '192.0.2.99', 1)).size, 0);
    });

    it('two clients of one table see the same', () => {
      const { client, world } = given();
      const second = IpvsClient.open(world.clientOptions);
      const entries = [entry(web, {}, oneServer), entry(markService(5))];
      apply(client, ...additions(entries));
      expectTable(second, entries);
      empty(second);
      second.close();
      assert.equal(client.observeTable().size, 0);
    });
  });
}

function describeTheRest(given: Given): void {
  describe('knows the rest of the interface', () => {
    it('what IPVS it is', () => {
      const info = given().client.getInfo();
      assert.equal(info.version, '1.2.1');
      assert.ok(info.connectionTableSize >= 256 && Number.isInteger(Math.log2(info.connectionTableSize)));
    });

    it('timeouts: what is left out or 0 stays', (context) => {
      const { client } = given();
      const old = client.getTimeouts();
      context.after(() => client.setTimeouts(old));
      client.setTimeouts({ tcp: 1000, tcpFin: 200, udp: 400 });
      assert.deepEqual(client.getTimeouts(), { tcp: 1000, tcpFin: 200, udp: 400 });
      client.setTimeouts({ tcpFin: 33 });
      client.setTimeouts({ tcp: 0, udp: 44 });
      assert.deepEqual(client.getTimeouts(), { tcp: 1000, tcpFin: 33, udp: 44 });
      assert.throws(
        () => client.setTimeouts({ udp: 0xffffffff }),
        (error) => isLvsError(error, 'LVS_KERNEL_REFUSED') && error.errno === 22,
      );
    });

    it('counters start at zero, in 64 bits, and can be set to zero', () => {
      const { client } = given();
      apply(client, ...additions([entry(web, {}, oneServer), entry(markService(5))]));
      client.zero(web);
      client.zero();
      assert.throws(
        () => client.zero(markService(6)),
        (error) => isLvsError(error, 'LVS_KERNEL_REFUSED') && error.errno === 3,
      );
      const stats = client.observeTable({ stats: true });
      for (const observed of stats.values()) {
        for (const holder of [observed, ...observed.realServers.values()]) {
          assert.ok(holder.stats !== undefined);
          assert.deepEqual(new Set(Object.values(holder.stats)), new Set([0n]));
        }
      }
      assert.deepEqual(statsOf(client.observeTable()), new Set([undefined]));
      const [observed] = [...(client.observeTable().values().next().value?.realServers.values() ?? [])];
      assert.deepEqual(observed?.connections, { active: 0, inactive: 0, persistent: 0 });
    });

    it('sync daemons: started, listed master first, stopped, and stopped again', () => {
      const { client } = given();
      assert.deepEqual(client.listSyncDaemons(), []);
      client.startSyncDaemon({ state: 'backup', interface: 'eth0', syncId: 7 });
      client.startSyncDaemon({
        state: 'master',
        interface: 'eth0',
        syncId: 8,
        maxLength: 1000,
        port: 8900,
        ttl: 3,
      });
      const daemons = client.listSyncDaemons();
      assert.deepEqual(
        daemons.map(({ state, interface: device, syncId, port, ttl, group }) => [
          state,
          device,
          syncId,
          port,
          ttl,
          group,
        ]),
        [
          ['master', 'eth0', 8, 8900, 3, '224.0.0.81'],
          ['backup', 'eth0', 7, 8848, 1, '224.0.0.81'],
        ],
      );
      assert.equal(daemons[0]?.maxLength, 1000);
      assert.throws(
        () => client.startSyncDaemon({ state: 'master', interface: 'eth0', syncId: 8 }),
        (error) => isLvsError(error, 'LVS_KERNEL_REFUSED') && error.errno === 17,
      );
      for (let again = 0; again < 2; again++) {
        client.stopSyncDaemon('master');
        client.stopSyncDaemon('backup');
        assert.deepEqual(client.listSyncDaemons(), []);
      }
      assert.throws(
        () => client.startSyncDaemon({ state: 'backup', interface: 'nosuch0', syncId: 7 }),
        (error) => isLvsError(error, 'LVS_KERNEL_REFUSED') && error.errno === 19,
      );
    });

    it('a server of another family and a sync daemon exclude each other', (context) => {
      const { client } = given();
      const mixed = entry(web, {}, [
        { key: realServer('2001:db8::7', 80), config: realServerConfig(tunnelTo('IPIP')) },
      ]);
      client.startSyncDaemon({ state: 'backup', interface: 'eth0', syncId: 7 });
      context.after(() => client.stopSyncDaemon('backup'));
      const [, refusal] = client.apply(additions([mixed]));
      assert.ok(isLvsError(refusal) && refusal.errno === 22);
      client.stopSyncDaemon('backup');
      apply(client, ...additions([mixed]));
      assert.throws(
        () => client.startSyncDaemon({ state: 'backup', interface: 'eth0', syncId: 7 }),
        (error) => isLvsError(error, 'LVS_KERNEL_REFUSED') && error.errno === 22,
      );
    });
  });
}

function statsOf(table: IpvsTable): Set<unknown> {
  return new Set(
    [...table.values()].flatMap(({ stats, realServers }) => [
      stats,
      ...[...realServers.values()].map((one) => one.stats),
    ]),
  );
}

function measure<T>(context: TestContext, what: string, body: () => T): T {
  const start = performance.now();
  const result = body();
  const rss = Math.round(process.memoryUsage().rss / 1024 / 1024);
  context.diagnostic(`${what}: ${Math.round(performance.now() - start)} ms, ${rss} MiB resident`);
  return result;
}
