import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { defaultDirectorConfiguration } from '../../src/api/index.ts';
import type { DirectorMaintenance } from '../../src/api/index.ts';
import type { Logger } from '../../src/base/index.ts';
import { DirectorAgent } from '../../src/director/agent.ts';
import type { DesiredView, OwnDirector } from '../../src/director/desired-source.ts';
import { DirectorHealth, knownVerdicts } from '../../src/director/director-health.ts';
import { computeDirectorReport } from '../../src/director/director-report.ts';
import { Host } from '../../src/director/host.ts';
import { LastGoodStore } from '../../src/director/last-good.ts';
import { LedgerStore } from '../../src/director/ledger.ts';
import { StatusBoard } from '../../src/director/status-board.ts';
import type { BoardInput } from '../../src/director/status-parts.ts';
import type { DirectorCondition } from '../../src/director/status.ts';
import { firstVerdict } from '../../src/health/index.ts';
import type { Check, Verdict } from '../../src/health/index.ts';
import type { IpvsClient, IpvsOperation } from '../../src/ipvs/index.ts';
import type { Link, SysctlProfile, VipBinding } from '../../src/link/index.ts';
import { ModelHost, addressPool, noConnections, realServer, virtualService, webKey } from '../plan/world.ts';

/** A loop on a fake table that outlives it, with what an API server says of its Director. */

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const server = '10.0.0.5:80';
const checked = { tcp: {}, initialState: 'Down' };

class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'maintenance-'));
  readonly kernel = new ModelHost();
  readonly log: string[] = [];
  own: OwnDirector | undefined = { generation: 1, maintenance: undefined };
  wallMs = 1_000_000;
  told: { round: BoardInput; conditions: readonly DirectorCondition[] } | undefined;
  healthCheck: object | undefined;
  board: StatusBoard;
  agent: DirectorAgent;
  #lists = 0;
  #resources: DesiredView['resources'];

  constructor(healthCheck?: object) {
    folders.push(this.folder);
    this.#resources = {
      virtualServices: [virtualService('web', healthCheck === undefined ? {} : { healthCheck })],
      realServers: [realServer('a', 'web', ['10.0.0.5'])],
      addressPools: [addressPool('public')],
    };
    [this.board, this.agent] = this.#open();
  }

  /** Another process on the same state directory and kernel. */
  restart(): void {
    [this.board, this.agent] = this.#open();
  }

  async pass(afterMs = 1000): Promise<void> {
    this.wallMs += afterMs;
    await this.agent.pass();
    this.board.flush();
  }

  async want(maintenance: DirectorMaintenance | undefined): Promise<void> {
    this.own = { generation: (this.own?.generation ?? 0) + 1, maintenance };
    await this.pass();
  }

  condition(type: string): string | undefined {
    const found = this.told?.conditions.find((condition) => condition.type === type);
    return found && `${found.status} ${found.reason}`;
  }

  message(type: string): string | undefined {
    return this.told?.conditions.find((condition) => condition.type === type)?.message;
  }

  get weight(): number | undefined {
    return this.kernel.weights(webKey)[server];
  }

  get report(): ReturnType<typeof computeDirectorReport> {
    assert.ok(this.told !== undefined);
    const kernel = { release: '6.1', ipvsVersion: '1.2.1', connectionTableSize: 4096 };
    return computeDirectorReport({
      ...this.told,
      identity: { version: 'test', nodeName: 'n1', kernel, schedulers: [], endpoint: undefined },
      programmedThrough: {},
    });
  }

  #open(): [StatusBoard, DirectorAgent] {
    const configuration = { ...defaultDirectorConfiguration(), netfilter: 'Off' as const };
    const clock = { wallMs: () => this.wallMs, monotonicMs: () => this.wallMs };
    const write = (message: string): void => void this.log.push(message);
    const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
    const board = new StatusBoard({
      version: 'test',
      pid: 1,
      kernel: { release: '6.1', ipvsVersion: '1.2.1', connectionTableSize: 4096 },
      clock,
      write: () => {},
      tell: (round, conditions) => (this.told = { round, conditions }),
      answersForObjects: false,
    });
    const verdicts = new Map<string, Verdict>();
    const agent = new DirectorAgent({
      source: {
        current: () => this.#view(),
        locate: () => undefined,
        fileOf: () => undefined,
        refresh: () => {},
        close: () => {},
      },
      host: new Host({
        client: this.#client(),
        link: this.#link(),
        configuration,
        logger,
        readTableFingerprint: () => undefined,
      }),
      ledgerStore: new LedgerStore(this.folder),
      lastGood: new LastGoodStore(this.folder, logger),
      board,
      health: new DirectorHealth({
        nowMs: () => this.wallMs,
        wallMs: () => this.wallMs,
        verdicts: {
          ...knownVerdicts((entry) => verdicts.get(entry)),
          setChecks: (checks: readonly Check[]) => {
            for (const { id, beginning } of checks) verdicts.set(id, firstVerdict(beginning, this.wallMs));
          },
        },
      }),
      configuration,
      clock,
      logger,
    });
    return [board, agent];
  }

  #last: DesiredView | undefined;

  #view(): DesiredView {
    if (this.#last?.cluster?.ownDirector === this.own && this.#last !== undefined) return this.#last;
    this.#lists++;
    this.#last = {
      resources: this.#resources,
      problems: [],
      status: { description: 'a test', listNumber: this.#lists, isComplete: true, readAt: undefined },
      condition: { type: 'ApiServerReachable', status: 'True', reason: 'Following', message: '' },
      listNumber: this.#lists,
      isComplete: true,
      isAbsenceConfirmed: true,
      cluster: {
        facts: { nodeAddresses: [], podCidrs: [], serviceCidrs: [], apiServerAddresses: [] },
        versions: {},
        ownDirector: this.own,
      },
    };
    return this.#last;
  }

  #link(): Link {
    const { kernel } = this;
    return {
      observeLinks: () => [],
      observeAddresses: () => kernel.addresses,
      pollAddressesChanged: () => true,
      bindVips: (bindings: readonly VipBinding[]) => {
        for (const binding of bindings) kernel.apply({ type: 'bindVip', binding, isRepair: false });
        return bindings.map((binding) => ({ binding }));
      },
      observeSysctls: () => new Map(kernel.sysctls),
      applySysctls: (profile: SysctlProfile) => {
        for (const [path, value] of profile) kernel.sysctls.set(path, value);
        return { previous: new Map(), error: undefined };
      },
    } as unknown as Link;
  }

  #client(): IpvsClient {
    const { kernel } = this;
    return {
      observeTable: () => new Map(kernel.table),
      observeRealServers: () => kernel.table.get(webKey)?.realServers ?? new Map(),
      isSchedulerAvailable: () => true,
      applyYielding: async (operations: readonly IpvsOperation[]) => {
        for (const operation of operations)
          kernel.apply({ type: 'ipvs', operation, reason: 'Changed', owner: undefined });
        return operations.map(() => 'done' as const);
      },
    } as unknown as IpvsClient;
  }
}

describe('a director that people take out for maintenance', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    for (let pass = 0; pass < 3; pass++) await world.pass();
    assert.ok((world.weight ?? 0) > 0);
  });

  it('says that it takes nobody, how many are left, and when none is', async () => {
    assert.deepEqual([world.condition('Ready'), world.condition('Drained')], ['True Serving', undefined]);
    world.kernel.connect(webKey, server, { active: 9, inactive: 3 });
    await world.want({ drain: true, reason: 'new disks' });
    assert.equal(world.weight, 0);
    assert.equal(world.condition('Ready'), 'False Maintenance');
    assert.match(world.message('Ready') ?? '', /^In maintenance: new disks\. New clients are refused here/);
    assert.equal(world.condition('Drained'), 'False Quiescing', 'counted before the weights went');
    await world.pass();
    assert.equal(world.condition('Drained'), 'False ConnectionsLeft');
    assert.equal(world.message('Drained'), '12 connections are left (9 open, 3 closing).');
    assert.deepEqual(
      [world.report.observedGeneration, world.report.maintenance?.active, world.report.maintenance?.inactive],
      [2, 9, 3],
    );
    world.kernel.connect(webKey, server, { inactive: 1 });
    await world.pass();
    assert.equal(world.message('Drained'), '1 connection is left (0 open, 1 closing).');
    world.kernel.connect(webKey, server, noConnections);
    await world.pass();
    assert.equal(world.condition('Drained'), 'True NoConnections');
    assert.equal(world.condition('Programmed'), 'True TableEqualsGoal');
    await world.want(undefined);
    assert.ok((world.weight ?? 0) > 0);
    assert.deepEqual([world.condition('Ready'), world.condition('Drained')], ['True Serving', undefined]);
    assert.equal(world.report.maintenance, undefined);
    assert.deepEqual(
      world.log.filter((line) => line.startsWith('maintenance')),
      ['maintenance begins, new clients are refused', 'maintenance ends, new clients are taken'],
    );
  });

  it('counts no more often than once a second', async () => {
    world.kernel.connect(webKey, server, { active: 1 });
    await world.want({ drain: true });
    await world.pass();
    world.kernel.connect(webKey, server, { active: 2 });
    await world.pass(100);
    assert.match(world.message('Drained') ?? '', /^1 connection /);
    await world.pass(900);
    assert.match(world.message('Drained') ?? '', /^2 connections /);
  });

  it('takes in another reason, and knows since when it is out', async () => {
    await world.want({ drain: true, reason: 'new disks' });
    const { since } = world.report.maintenance ?? assert.fail();
    await world.want({ drain: true, reason: 'new memory' });
    assert.match(world.message('Ready') ?? '', /new memory/);
    assert.equal(world.report.maintenance?.since, since);
    assert.equal(world.agent.maintenance?.reason, 'new memory');
  });

  it('is out after a restart, before the API server has said anything', async () => {
    await world.want({ drain: true, reason: 'new disks' });
    world.own = undefined;
    world.restart();
    await world.pass();
    assert.deepEqual([world.weight, world.agent.maintenance?.reason], [0, 'new disks']);
    world.own = { generation: 3, maintenance: undefined };
    await world.pass();
    assert.ok((world.weight ?? 0) > 0);
    assert.equal(world.agent.maintenance, undefined);
    world.own = undefined;
    world.restart();
    await world.pass();
    assert.ok((world.weight ?? 0) > 0, 'the ledger has forgotten it');
  });

  it('serves where drain is false, and where there is no Director', async () => {
    await world.want({ drain: true });
    await world.want({ drain: false });
    assert.ok((world.weight ?? 0) > 0);
    await world.want({ drain: true });
    world.own = { generation: undefined, maintenance: undefined };
    await world.pass();
    assert.ok((world.weight ?? 0) > 0);
  });
});

describe('health during maintenance', () => {
  it('does not take a weight of 0 for a failure after a restart', async () => {
    const world = new World(checked);
    // What is there already keeps the kernel's word until probes say otherwise.
    await world.pass();
    const up = world.told?.round.health.memory.services.get(webKey);
    assert.equal(up?.counts.up, 0, 'a new server is down until it has passed');
    const there = {
      key: { rip: '10.0.0.5', port: 80 } as never,
      config: { forwarding: 'NAT', tunnel: undefined, weight: 100, upperThreshold: 0, lowerThreshold: 0 },
      connections: noConnections,
      stats: undefined,
    } as const;
    world.kernel.setServer(webKey, server, there);
    world.restart();
    await world.pass();
    assert.equal(world.told?.round.health.memory.services.get(webKey)?.counts.up, 1);
    await world.want({ drain: true });
    assert.equal(world.weight, 0);
    world.restart();
    await world.pass();
    assert.equal(world.told?.round.health.memory.services.get(webKey)?.counts.up, 1);
    assert.deepEqual([world.weight, world.told?.round.ledger.drains], [0, []]);
    await world.want(undefined);
    assert.ok((world.weight ?? 0) > 0, 'no probe has to pass again');
  });
});
