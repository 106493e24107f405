import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { defaultDirectorConfiguration, parseResource } from '../../src/api/index.ts';
import type { Resource } from '../../src/api/index.ts';
import { LvsError } from '../../src/base/index.ts';
import type { Logger } from '../../src/base/index.ts';
import { DirectorAgent } from '../../src/director/agent.ts';
import type { DesiredView } from '../../src/director/desired-source.ts';
import { Host } from '../../src/director/host.ts';
import { LastGoodStore } from '../../src/director/last-good.ts';
import { LedgerStore } from '../../src/director/ledger.ts';
import { StatusBoard } from '../../src/director/status-board.ts';
import type { DirectorStatus } from '../../src/director/status.ts';
import { formatVirtualServiceKey } from '../../src/ipvs/index.ts';
import type { IpvsClient, IpvsOperation, ObservedVirtualService } from '../../src/ipvs/index.ts';
import { groupResources } from '../../src/manifests/index.ts';
import { fakeLink } from './fake-link.ts';

/** The loop on a host that is all fake: a table in memory, a link that agrees to everything. */

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function object(kind: string, name: string, spec: unknown): { ref: string; resource: Resource } {
  const parsed = parseResource({
    apiVersion: 'networking.lvs-operator.io/v1alpha1',
    kind,
    metadata: { name },
    spec,
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return { ref: `${kind} ${name}`, resource: parsed.resource };
}

const pool = object('AddressPool', 'all', { addresses: ['192.0.2.0/24'], namespaces: ['*'] });

function services(count: number) {
  return Array.from({ length: count }, (_, index) =>
    object('VirtualService', `s${index}`, {
      addresses: [{ ip: `192.0.2.${index + 1}` }],
      ports: [{ port: 80 }],
    }),
  );
}

class World {
  #lists = 0;
  readonly stateDirectory = mkdtempSync(join(tmpdir(), 'agent-'));
  readonly table = new Map<string, ObservedVirtualService>();
  readonly log: string[] = [];
  statuses: DirectorStatus[] = [];
  wallMs = 1_000_000;
  /** Awaited by every write to the table. */
  gate: Promise<void> = Promise.resolve();
  /** Thrown by every dump. */
  dumpFailure: LvsError | undefined;
  /** Answer to every write of sysctls. */
  sysctlFailure: LvsError | undefined;
  writesAtOnce = 0;
  maxWritesAtOnce = 0;
  view: DesiredView = this.list([]);
  readonly board: StatusBoard;
  readonly agent: DirectorAgent;

  constructor() {
    folders.push(this.stateDirectory);
    const configuration = { ...defaultDirectorConfiguration(), netfilter: 'Off' as const };
    const clock = { wallMs: () => this.wallMs, monotonicMs: () => this.wallMs };
    const write = (message: string, keys?: object): void =>
      void this.log.push(`${message} ${JSON.stringify(keys ?? {})}`);
    const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
    const kernel = { release: '6.1', ipvsVersion: '1.2.1', connectionTableSize: 4096 };
    this.board = new StatusBoard({
      version: 'test',
      pid: 1,
      kernel,
      clock,
      write: (status) => this.statuses.push(status),
    });
    this.agent = new DirectorAgent({
      source: {
        current: () => this.view,
        locate: () => undefined,
        fileOf: () => undefined,
        refresh: () => {},
        close: () => {},
      },
      host: new Host({
        client: this.#client(),
        link: {
          ...fakeLink,
          applySysctls: () => ({ previous: new Map(), error: this.sysctlFailure }),
        },
        configuration,
        logger,
        readTableFingerprint: () => [...this.table.keys()].join(),
      }),
      ledgerStore: new LedgerStore(this.stateDirectory),
      lastGood: new LastGoodStore(this.stateDirectory, logger),
      board: this.board,
      configuration,
      clock,
      logger,
    });
  }

  list(objects: readonly { resource: Resource }[], problems: DesiredView['problems'] = []): DesiredView {
    this.#lists++;
    const resources = groupResources(objects as never);
    return this.viewOf(resources, problems);
  }

  viewOf(resources: DesiredView['resources'], problems: DesiredView['problems']): DesiredView {
    const status = { description: 'a test', listNumber: this.#lists, isComplete: true, readAt: undefined };
    return {
      resources,
      problems,
      status,
      condition: { type: 'ManifestsRead', status: 'True', reason: 'Read', message: '' },
      listNumber: this.#lists,
      isComplete: true,
      isAbsenceConfirmed: false,
      cluster: undefined,
    };
  }

  get status(): DirectorStatus {
    this.board.flush();
    const last = this.statuses.at(-1);
    assert.ok(last !== undefined);
    return last;
  }

  #client(): IpvsClient {
    const client = {
      observeTable: () => {
        if (this.dumpFailure !== undefined) throw this.dumpFailure;
        return new Map(this.table);
      },
      observeRealServers: () => new Map(),
      isSchedulerAvailable: () => true,
      applyYielding: async (operations: readonly IpvsOperation[]) => {
        this.maxWritesAtOnce = Math.max(this.maxWritesAtOnce, ++this.writesAtOnce);
        await this.gate;
        this.writesAtOnce--;
        for (const operation of operations) {
          const key = formatVirtualServiceKey(operation.service);
          if (operation.type === 'deleteVirtualService') this.table.delete(key);
          if (operation.type === 'addVirtualService' || operation.type === 'editVirtualService') {
            const { service, config } = operation;
            this.table.set(key, { key: service, config, stats: undefined, realServers: new Map() });
          }
        }
        return operations.map(() => 'done' as const);
      },
    };
    return client as unknown as IpvsClient;
  }
}

describe('the director', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });

  it('tells of a new problem although no object changed', async () => {
    const objects = [pool, ...services(1)];
    world.view = world.list(objects);
    for (let pass = 0; pass < 3; pass++) await world.agent.pass();
    assert.equal(world.status.problems.length, 0);
    const problem = {
      where: 'a.yaml:3:1',
      object: undefined,
      severity: 'error',
      reason: 'Yaml',
      message: 'tab',
    } as const;
    world.view = world.viewOf(world.view.resources, [problem]);
    await world.agent.pass();
    assert.deepEqual(world.status.problems, [problem]);
  });

  it('takes in a newer view of the same goal without another round', async () => {
    world.view = world.list([pool, ...services(1)]);
    for (let pass = 0; pass < 3; pass++) await world.agent.pass();
    const { resources } = world.view;
    const before = world.status.counters.changes;
    world.list([]);
    world.view = world.viewOf(resources, []);
    await world.agent.pass();
    assert.equal(world.status.source.listNumber, world.view.listNumber);
    assert.equal(world.status.counters.changes, before);
  });

  it('removes what nobody wants once all lists are complete, although the goal does not move', async () => {
    world.view = world.list([pool, ...services(2)]);
    for (let pass = 0; pass < 3; pass++) await world.agent.pass();
    const view = world.list([pool, ...services(1)]);
    world.view = { ...view, isComplete: false };
    for (let pass = 0; pass < 3; pass++) await world.agent.pass();
    assert.equal(world.table.size, 2);
    world.view = view;
    await world.agent.pass();
    assert.equal(world.table.size, 1);
  });

  it('goes on telling of a refused change while that waits for its next try', async () => {
    world.sysctlFailure = new LvsError('LVS_SYSCTL_READ_ONLY', 'read-only');
    world.view = world.list([pool, ...services(1)]);
    for (let pass = 0; pass < 3; pass++) await world.agent.pass();
    const applied = () => world.status.conditions.find(({ type }) => type === 'SysctlsApplied')?.status;
    assert.equal(applied(), 'False');
    assert.ok(world.status.problems.some(({ reason }) => reason === 'LVS_SYSCTL_READ_ONLY'));
    world.sysctlFailure = undefined;
    world.wallMs += 10_000;
    await world.agent.pass();
    assert.equal(applied(), 'True');
  });

  it('runs one pass at a time, also when it is woken during the first', async () => {
    let open = (): void => {};
    world.gate = new Promise((resolve) => (open = resolve));
    world.view = world.list([pool, ...services(2)]);
    const started = world.agent.start();
    await new Promise((resolve) => setImmediate(resolve));
    world.agent.wake();
    await new Promise((resolve) => setImmediate(resolve));
    open();
    await started;
    await world.agent.stop();
    assert.deepEqual([world.maxWritesAtOnce, world.table.size], [1, 2]);
  });

  it('writes the ledger again when somebody removed it', async () => {
    world.view = world.list([pool, ...services(1)]);
    for (let pass = 0; pass < 3; pass++) await world.agent.pass();
    const path = join(world.stateDirectory, 'ledger.json');
    rmSync(path);
    await world.agent.pass();
    assert.ok(existsSync(path));
  });

  it('writes the ledger as soon as the disk takes it again', async () => {
    const folder = join(world.stateDirectory, 'ledger.json.new');
    mkdirSync(folder);
    world.view = world.list([pool, ...services(1)]);
    for (let pass = 0; pass < 3; pass++) await world.agent.pass();
    const written = (): string | undefined =>
      world.status.conditions.find(({ type }) => type === 'LedgerWritten')?.status;
    assert.deepEqual([written(), world.table.size], ['False', 1], 'it serves all the same');
    rmdirSync(folder);
    await world.agent.pass();
    assert.ok(existsSync(join(world.stateDirectory, 'ledger.json')));
    assert.equal(written(), 'True');
  });

  it('tells once of passes that fail, and says when they succeed again', async () => {
    world.view = world.list([pool, ...services(1)]);
    await world.agent.start();
    await world.agent.pass();
    const programmed = (): string | undefined =>
      world.status.conditions.find(({ type }) => type === 'Programmed')?.reason;
    const wake = async (): Promise<void> => {
      world.agent.wake();
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    world.dumpFailure = new LvsError('LVS_NETLINK_INTERRUPTED', 'interrupted');
    world.wallMs += 60_000;
    await wake();
    assert.equal(programmed(), 'PassFailed');
    await wake();
    world.dumpFailure = undefined;
    await wake();
    assert.equal(programmed(), 'TableEqualsGoal');
    await world.agent.stop();
    const told = world.log.filter((line) => /pass failed|passes succeed/.test(line));
    assert.deepEqual(
      told.map((line) => line.split(/[,{]/)[0]?.trim()),
      ['pass failed', 'passes succeed again'],
    );
  });

  it('says each time when a mass removal is held anew, and when it is over', async () => {
    const all = services(30);
    world.view = world.list([pool, ...all]);
    await world.agent.pass();
    assert.equal(world.table.size, 30);
    const said = (): string[] => world.log.filter((line) => line.startsWith('mass removal'));
    for (const left of [10, 10, 5]) {
      world.view = world.list([pool, ...all.slice(0, left)]);
      world.wallMs += 1000;
      await world.agent.pass();
    }
    assert.deepEqual(said(), [
      'mass removal held until a second complete list agrees {"entries":20}',
      'mass removal held until a second complete list agrees {"entries":25}',
    ]);
    assert.equal(world.table.size, 30);
    world.view = world.list([pool, ...all]);
    await world.agent.pass();
    assert.equal(said().length, 3);
  });
});
