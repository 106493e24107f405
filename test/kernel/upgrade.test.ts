/**
 * From the version before to this one and back, under traffic: directors over each other's ledgers and last good states, and
 * controllers and directors of different versions beside each other.
 *
 * Without the history of the repository there is no version before to run; test/director/previous-version.test.ts reads what it
 * wrote in any case.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { virtualServiceType } from '../../src/cluster/index.ts';
import { LabDirector, productFile } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { missingHistory, previousProduct } from '../lab/previous-version.ts';
import { holdConnections, startRequests, startServer, startServers } from '../lab/traffic.ts';
import type { HoldCounts, RequestCounts, RunningTraffic } from '../lab/traffic.ts';
import { Eyes, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';
import { OperatorRig } from './operator-rig.ts';

const isBuilt = existsSync(previousProduct);
const versions = { before: previousProduct, present: productFile } as const;
type Version = keyof typeof versions;

const ports = [
  { name: 'http', port: 80 },
  { name: 'echo', port: 7 },
];

/** Requests and long connections that go on until they are counted. */
class Clients {
  readonly #requests: RunningTraffic<RequestCounts>;
  readonly #held: RunningTraffic<HoldCounts>;

  private constructor(requests: RunningTraffic<RequestCounts>, held: RunningTraffic<HoldCounts>) {
    this.#requests = requests;
    this.#held = held;
  }

  static async start(network: LabNetwork, vip: string): Promise<Clients> {
    const held = await holdConnections(network.client, {
      host: vip,
      port: 7,
      connections: 60,
      everyMs: 500,
      openEveryMs: 5,
    });
    return new Clients(await startRequests(network.client, { host: vip, port: 80, perSecond: 20 }), held);
  }

  async assertNothingLost(): Promise<void> {
    const [requests, held] = [await this.#requests.stop(), await this.#held.stop()];
    console.log(
      `requests ${requests.sent}, failed ${requests.failed}; held ${held.opened}, broken ${held.broken}, longest gap ${held.longestGapMs} ms`,
    );
    assert.deepEqual([requests.failed, requests.failures], [0, {}]);
    assert.deepEqual([held.opened, held.broken, held.failures], [60, 0, {}]);
  }
}

it('there is a version before, or it is said why not', () => {
  if (isBuilt) return;
  console.log(`upgrade and rollback were NOT tried: ${missingHistory()}`);
  assert.notEqual(missingHistory(), undefined);
});

if (isBuilt) {
  describe('a director over the state of the version before, and the reverse', () => {
    let network: LabNetwork;
    let director: LabDirector;
    let eyes: Eyes;

    before(async () => {
      network = await layOutNetwork();
      await startServers(network.realServers, { http: [80], echo: [7] });
      director = new LabDirector(network.director, {
        'pool.yaml': labPool,
        'web.yaml': virtualService('web', network.vip4(0), { ports }),
        'web-1.yaml': realServer('web', ['198.51.100.11', '198.51.100.12']),
        'web-3.yaml': realServer('web', '198.51.100.13'),
        'routed.yaml': file(
          virtualService('routed', network.routedVip4(0), { scheduler: 'mh', portGrouping: 'Together' }),
          realServer('routed', '198.51.100.11'),
        ),
        'six.yaml': file(virtualService('six', network.vip6(0)), realServer('six', '2001:db8:5::11')),
      });
      director.product = previousProduct;
      await director.start();
      eyes = new Eyes(network.director);
    });

    after(async () => {
      await director.stop();
      eyes.close();
      await network.remove();
    });

    const hostText = (): string =>
      [
        ...eyes.tableLines(),
        ...eyes.addressLines(),
        JSON.stringify(eyes.link.observePacketRules({ isFull: true })),
      ].join('\n');
    const ledger = (): string => readFileSync(join(director.stateDirectory, 'ledger.json'), 'utf8');

    const serving = (): number =>
      [
        ...(eyes
          .table()
          .get(`TCP ${network.vip4(0)}:80`)
          ?.realServers.values() ?? []),
      ].filter(({ config }) => config.weight > 0).length;

    async function changeTo(version: Version, how: 'stop' | 'kill'): Promise<void> {
      await director[how]();
      director.product = versions[version];
      await director.start();
      assert.doesNotMatch(director.log, /ledger.*(?:damaged|unreadable|not match)/i);
    }

    it('takes over table, addresses, rules and drains, and loses nobody', async () => {
      const clients = await Clients.start(network, network.vip4(0));
      const goal = hostText();
      for (const [version, how] of [
        ['present', 'stop'],
        ['before', 'stop'],
        ['present', 'kill'],
        ['before', 'kill'],
      ] as const) {
        await changeTo(version, how);
        assert.equal(hostText(), goal, `${version} after ${how}`);
      }
      // A server drains while versions change; its long connections go on.
      director.remove('web-3.yaml');
      const weight = () => eyes.weight(`TCP ${network.vip4(0)}:7`, '198.51.100.13:7');
      await until('it drains', () => weight() === 0);
      await until('the ledger says so', () => /"reason":"Removed"/.test(ledger()));
      for (const version of ['present', 'before'] as const) {
        await changeTo(version, 'stop');
        assert.equal(weight(), 0, version);
      }
      director.write('web-3.yaml', realServer('web', '198.51.100.13'));
      await until('it is back', () => hostText() === goal);
      await clients.assertNothingLost();
    });

    it('serves on when a manifest has what only this version knows, and one goes back', async () => {
      await changeTo('present', 'stop');
      director.write(
        'web.yaml',
        virtualService('web', network.vip4(0), {
          ports,
          healthCheck: { tcp: {}, initialState: 'Up', intervalSeconds: 1, timeoutSeconds: 1 },
        }),
      );
      const lastGood = () => readFileSync(join(director.stateDirectory, 'last-good.json'), 'utf8');
      await until('it is taken in', () => lastGood().includes('"healthCheck"'));
      await until('everybody passes', () => serving() === 3);
      const clients = await Clients.start(network, network.vip4(0));
      const served = hostText();
      await changeTo('before', 'stop');
      assert.equal(hostText(), served);
      // It says that it does not understand the manifest, and goes by the last form that it can read.
      const { stdout } = await director.status();
      assert.match(stdout, /healthCheck/);
      await clients.assertNothingLost();
    });
  });

  describe('controller and director of different versions', () => {
    let rig: OperatorRig;

    before(async () => {
      rig = await OperatorRig.start(5, previousProduct);
    });

    after(() => rig.close());

    async function startPod(server: number): Promise<void> {
      await rig.startPod(server);
      const host = rig.network.realServers[server - 1];
      if (host !== undefined) await startServer(host, { echo: [7] });
    }

    const edit = (spec: Readonly<Record<string, unknown>>) =>
      rig.cluster.objects.patch(virtualServiceType, 'web', { spec });

    const scheduler = () => eyesService()?.config.scheduler;
    const eyesService = () => rig.eyes.table().get(`TCP ${rig.vip}:80`);

    /** What people and pods do is followed, by whichever versions run. */
    async function assertFollows(kind: string): Promise<void> {
      await rig.startPod(5);
      await rig.untilServing(1, 2, 3, 4, 5);
      await edit({ scheduler: 'wlc' });
      await until(`${kind}: the scheduler follows`, () => scheduler() === 'wlc');
      await edit({ scheduler: 'rr' });
      await until(`${kind}: and back`, () => scheduler() === 'rr');
      await until(`${kind}: ready`, () => rig.isReady());
      await rig.endPodGracefully(5, 1);
      await rig.untilServing(1, 2, 3, 4);
    }

    it('follow pods and people, whichever is first, and lose nobody', async () => {
      for (const server of [1, 2, 3, 4]) await startPod(server);
      await rig.applyWeb({ settleSeconds: 1 });
      await edit({ ports });
      await rig.untilServing(1, 2, 3, 4);
      const clients = await Clients.start(rig.network, rig.vip);
      for (const [part, version] of [
        ['controller', 'present'],
        ['director', 'present'],
        ['controller', 'before'],
        ['director', 'before'],
      ] as const) {
        await rig[part].stop();
        rig[part].product = versions[version];
        await (part === 'controller' ? Promise.resolve(rig.controller.start()) : rig.director.start());
        await assertFollows(`${part} ${version}`);
      }
      await clients.assertNothingLost();
    });

    it("start from each other's last good state after a reboot, without an API server", async () => {
      await rig.controller.stop();
      rig.cluster.refuse();
      for (const version of ['present', 'before'] as const) {
        await rig.director.stop();
        await rig.network.director.check(['ipvsadm', '-C']);
        rig.director.product = versions[version];
        await rig.director.start();
        await rig.untilServing(1, 2, 3, 4);
      }
    });
  });
}
