import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { holdConnections, startRequests, startServers } from '../lab/traffic.ts';
import type { HoldCounts, RequestCounts } from '../lab/traffic.ts';
import { Eyes, sleep, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/**
 * Every kind of edit while clients work: 40 new connections a second and 20 long ones with a line every 100 ms, on the
 * very service that is edited. None may fail.
 */

const ports = [
  { name: 'http', port: 80 },
  { name: 'echo', port: 7 },
];
let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
let http: string;
let echo: string;

before(async () => {
  network = await layOutNetwork();
  await startServers(network.realServers, { http: [80, 8080], echo: [7, 7007] });
  http = `TCP ${network.vip4(0)}:80`;
  echo = `TCP ${network.vip4(0)}:7`;
  director = new LabDirector(network.director, {
    'pool.yaml': labPool,
    'web.yaml': virtualService('web', network.vip4(0), { ports }),
    'web-1.yaml': realServer('web', '198.51.100.11'),
    'web-2.yaml': realServer('web', '198.51.100.12'),
    'other.yaml': file(
      virtualService('other', network.vip4(1), { ports }),
      realServer('other', ['198.51.100.11', '198.51.100.12']),
    ),
  });
  await director.start();
  eyes = new Eyes(network.director);
});

after(async () => {
  await director.stop();
  eyes.close();
  await network.remove();
});

interface TrafficCounts {
  readonly requests: RequestCounts;
  readonly held: HoldCounts;
}

/** Traffic to a VIP from before an action until half a second after it. */
async function underTraffic(vip: string, action: () => Promise<void>): Promise<TrafficCounts> {
  const [requests, held] = await Promise.all([
    startRequests(network.client, { host: vip, port: 80, perSecond: 40 }),
    holdConnections(network.client, { host: vip, port: 7, connections: 20, everyMs: 100 }),
  ]);
  await action();
  await sleep(500);
  const counts = { requests: await requests.stop(), held: await held.stop() };
  return counts;
}

function assertNothingLost({ requests, held }: TrafficCounts): void {
  assert.ok(requests.sent >= 15, `traffic flowed: ${requests.sent} requests`);
  assert.deepEqual([requests.failures, requests.failed], [{}, 0]);
  assert.equal(held.opened, 20);
  assert.deepEqual([held.failures, held.broken, held.refused], [{}, 0, 0]);
}

interface LiveEdit {
  readonly what: string;
  readonly edit: () => void;
  readonly isDone: () => boolean;
}

const edits: readonly LiveEdit[] = [
  {
    what: 'a real server is added',
    edit: () => director.write('web-3.yaml', realServer('web', '198.51.100.13')),
    isDone: () => eyes.weight(http, '198.51.100.13:80') === 100,
  },
  {
    what: 'a weight changes',
    edit: () => director.write('web-1.yaml', realServer('web', '198.51.100.11', { weight: 300 })),
    isDone: () => eyes.weight(http, '198.51.100.11:80') === 300,
  },
  {
    what: 'the scheduler changes',
    edit: () => director.edit('web.yaml', '"rr"', '"wlc"'),
    isDone: () => eyes.table().get(http)?.config.scheduler === 'wlc',
  },
  {
    what: 'the scheduler changes to one that hashes',
    edit: () => director.edit('web.yaml', '"wlc"', '"mh"'),
    isDone: () => eyes.table().get(http)?.config.scheduler === 'mh',
  },
  {
    what: 'a real server is drained',
    edit: () => director.write('web-2.yaml', realServer('web', '198.51.100.12', { state: 'Drained' })),
    isDone: () => hasLeft(http, '198.51.100.12:80') && hasLeft(echo, '198.51.100.12:7'),
  },
  {
    what: 'a drained real server is removed',
    edit: () => director.remove('web-2.yaml'),
    isDone: () => hasLeft(http, '198.51.100.12:80'),
  },
  {
    what: 'a real server that serves is removed',
    edit: () => director.remove('web-1.yaml'),
    isDone: () => hasLeft(echo, '198.51.100.11:7'),
  },
  {
    what: 'the ports of the real servers move',
    edit: () =>
      director.write(
        'web-3.yaml',
        realServer('web', '198.51.100.13', {
          ports: [
            { name: 'http', port: 8080 },
            { name: 'echo', port: 7007 },
          ],
        }),
      ),
    isDone: () => eyes.weight(http, '198.51.100.13:8080') === 100 && hasLeft(echo, '198.51.100.13:7'),
  },
];

/** Quiesced, or gone already where no connection held it. */
function hasLeft(service: Parameters<typeof eyes.weight>[0], realServer: string): boolean {
  return (eyes.weight(service, realServer) ?? 0) === 0;
}

describe('live edits under traffic', () => {
  // Starting traffic costs the lab more than an edit does, hence several edits under one.
  for (const group of [edits.slice(0, 4), edits.slice(4)]) {
    it(`lose nothing when ${group.map(({ what }) => what).join('; ')}`, async () => {
      const counts = await underTraffic(network.vip4(0), async () => {
        for (const { what, edit, isDone } of group) {
          edit();
          console.log(`${what}: in the kernel after ${await until(what, isDone)} ms`);
          await sleep(400);
        }
      });
      console.log(`${counts.requests.sent} requests, ${counts.held.messages} lines on held connections`);
      assertNothingLost(counts);
    });
  }

  it('lose nothing when another service is added and removed', async () => {
    const added = `TCP ${network.vip4(2)}:80`;
    const counts = await underTraffic(network.vip4(0), async () => {
      director.write(
        'late.yaml',
        file(virtualService('late', network.vip4(2)), realServer('late', '198.51.100.11')),
      );
      await until('the service is there', () => eyes.weight(added, '198.51.100.11:80') === 100);
      director.remove('late.yaml');
      await until('the service is gone', () => !eyes.table().has(added));
      const bound = (line: string): boolean => line.startsWith(`${network.vip4(2)}/`);
      await until('its VIP is released', () => !eyes.addressLines().some(bound));
    });
    assertNothingLost(counts);
  });

  it('let the connections of a removed service go on, and others see nothing', async () => {
    const gone = await holdConnections(network.client, {
      host: network.vip4(1),
      port: 7,
      connections: 10,
      everyMs: 100,
    });
    const counts = await underTraffic(network.vip4(0), async () => {
      director.remove('other.yaml');
      await until(
        'its servers are quiesced',
        () => eyes.weight(`TCP ${network.vip4(1)}:7`, '198.51.100.11:7') === 0,
      );
      // Longer than two clients that start may hold up everybody, so that a silence would show.
      await sleep(5000);
    });
    const held = await gone.stop();
    assertNothingLost(counts);
    assert.deepEqual([held.opened, held.broken], [10, 0]);
    assert.ok(held.longestGapMs < 4000, `no silence: ${held.longestGapMs} ms`);
  });

  // The negative control: what these tests measure is lost when an edit is a deletion and a new beginning.
  it('are needed: the same edit by ipvsadm -D and -A loses requests', async () => {
    await director.stop();
    const counts = await underTraffic(network.vip4(0), async () => {
      const service = ['-t', `${network.vip4(0)}:80`];
      await network.director.check(['ipvsadm', '-D', ...service]);
      await network.director.check(['ipvsadm', '-A', ...service, '-s', 'rr']);
      await network.director.check(['ipvsadm', '-a', ...service, '-r', '198.51.100.13:8080', '-m']);
    });
    console.log('negative control:', counts.requests.failures);
    assert.ok(counts.requests.failed > 0, 'deleting and adding a service loses requests');
    await director.start();
  });
});
