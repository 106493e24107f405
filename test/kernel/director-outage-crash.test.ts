import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { holdConnections, sendRequests, startHalfClosedStream, startServers } from '../lab/traffic.ts';
import type { HoldCounts, RunningServer, RunningTraffic } from '../lab/traffic.ts';
import { Eyes, readStatus, sleep, until } from './director-eyes.ts';
import { labPool, realServer, virtualService } from './director-objects.ts';
import { WeightWatch } from './weight-watch.ts';

/**
 * A director that dies by kill -9 while a server with 200 connections drains, and while others are down. The table is looked
 * at all the time: it is never worse than it was when the director died, whatever the next one does first.
 */

const http = 80;
const echo = 7;
/** Patient, as a machine that is busy with others may keep a server from answering. */
const pace = { intervalSeconds: 2, timeoutSeconds: 2, failureThreshold: 2, successThreshold: 1 };
const healthCheck = { http: { statuses: ['200'] }, ...pace };
/** By when a verdict has turned. */
const verdictMs = (pace.intervalSeconds * pace.failureThreshold + pace.timeoutSeconds) * 1000;
const connections = 200;

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
let watch: WeightWatch;
let servers: readonly RunningServer[] = [];

const rip = (number: number) => `198.51.100.${10 + number}`;
const vips = { drain: 0, web: 1, sorry: 2 } as const;
type Name = keyof typeof vips;
const ports: Readonly<Record<Name, number>> = { drain: echo, web: http, sorry: http };
const service = (name: Name) => `TCP ${network.vip4(vips[name])}:${ports[name]}`;
const key = (name: Name, number: number) => `${rip(number)}:${ports[name]}`;
const weight = (name: Name, number: number) => eyes.weight(service(name), key(name, number)) ?? 0;

before(async () => {
  network = await layOutNetwork({ realServers: 3 });
  servers = await startServers(network.realServers, { http: [http], echo: [echo] });
  const echoPort = { ports: [{ name: 'echo', port: echo }] };
  const drain = { timeoutSeconds: 300, settleSeconds: 10 };
  director = new LabDirector(network.director, {
    'pool.yaml': labPool,
    'drain.yaml': virtualService('drain', network.vip4(vips.drain), { ...echoPort, drain }),
    'drain-1.yaml': realServer('drain', rip(1)),
    'web.yaml': virtualService('web', network.vip4(vips.web), { healthCheck }),
    'web-servers.yaml': realServer('web', [rip(1), rip(2), rip(3)]),
    'sorry.yaml': virtualService('sorry', network.vip4(vips.sorry), {
      healthCheck,
      quorum: { minimum: 1 },
      sorryServer: { addresses: [rip(1)] },
    }),
    'sorry-servers.yaml': realServer('sorry', [rip(3)]),
  });
  await director.start();
  eyes = new Eyes(network.director);
  watch = new WeightWatch(eyes);
  await until('all serve', () => [1, 2, 3].every((number) => weight('web', number) === 100));
  await until('so does the one before a sorry server', () => weight('sorry', 3) === 100);
});

after(async () => {
  watch.stop();
  await director.stop();
  eyes.close();
  await network.remove();
});

/**
 * What changed for clients since a moment, of every real server there is, `SERVICE > SERVER: WEIGHT`. One without weight may
 * leave the table when it has nothing open any more.
 */
function changesSince(sinceMs: number, names: readonly Name[]): string[] {
  return names.flatMap((name) =>
    [1, 2, 3].flatMap((number) =>
      watch
        .changesOf(service(name), key(name, number))
        .map(({ atMs, weight: each }) => ({ atMs, weight: each ?? 0 }))
        .filter((change, index, all) => change.weight !== (all[index - 1]?.weight ?? 0))
        .filter(({ atMs }) => atMs > sinceMs)
        .map((change) => `${name} > server${number}: ${change.weight}`),
    ),
  );
}

/** Kills the director, and starts it again after a while. @returns what changed until its probes would have turned a verdict. */
async function dieAndReturn(pauseMs: number, names: readonly Name[]): Promise<string[]> {
  await director.kill();
  watch.look();
  const diedMs = performance.now();
  await sleep(pauseMs);
  await director.start();
  await until('the status is of the new process', () => readStatus(director).pid === director.pid);
  await sleep(verdictMs + 1000);
  return changesSince(diedMs, names);
}

describe('a director that dies while a server drains', () => {
  let held: RunningTraffic<HoldCounts>;
  let stream: Awaited<ReturnType<typeof startHalfClosedStream>>;

  it('had sent nobody there any more, with 200 connections that go on', async () => {
    const target = { host: network.vip4(vips.drain), port: echo };
    held = await holdConnections(network.client, { ...target, connections, everyMs: 2000 });
    stream = await startHalfClosedStream(network.client, { ...target, streamMs: 20_000 });
    const counts = () => eyes.table().get(service('drain'))?.realServers.get(key('drain', 1))?.connections;
    await until('the stream is half-closed', () => counts()?.inactive === 1);
    assert.equal(counts()?.active, connections);
    director.write('drain-2.yaml', realServer('drain', rip(2)));
    await until('another server is there', () => weight('drain', 2) === 100);
    director.write('drain-1.yaml', realServer('drain', rip(1), { state: 'Drained' }));
    await until('it drains', () => weight('drain', 1) === 0);
  });

  it('comes back to a table that nobody touched, and touches it no more', async () => {
    assert.deepEqual(await dieAndReturn(500, ['drain']), []);
    const [drain, ...others] = readStatus(director).drains;
    assert.deepEqual([drain?.realServer, drain?.active, others], [key('drain', 1), connections, []]);
  });

  it('dies in the middle of its start, too', async () => {
    watch.look();
    const beganMs = performance.now();
    for (const afterMs of [400, 1000]) {
      await director.kill();
      director.spawn();
      await sleep(afterMs);
    }
    await director.kill();
    await director.start();
    await sleep(1000);
    assert.deepEqual(changesSince(beganMs, ['drain']), []);
  });

  it('resets none of the 200, and a half-closed stream comes to its end', async () => {
    const streamed = await stream.finished;
    assert.deepEqual([streamed.isComplete, streamed.failure, streamed.server], [true, undefined, 'server1']);
    const counts = await held.stop();
    console.log(`held: ${JSON.stringify(counts)}`);
    assert.deepEqual([counts.opened, counts.broken, counts.refused], [connections, 0, 0]);
    assert.deepEqual(counts.byServer, { server1: connections });
  });

  it('deletes the server when its last connection has ended', async () => {
    await until('it is gone', () => eyes.weight(service('drain'), key('drain', 1)) === undefined);
  });
});

const checked = ['web', 'sorry'] as const;

describe('a director that dies during an outage', () => {
  it('has taken out who is down, and the sorry server answers', async () => {
    servers[2]?.freeze();
    await until('it is out', () => weight('web', 3) === 0 && weight('sorry', 3) === 0);
    await until('the sorry server serves', () => weight('sorry', 1) > 0);
  });

  it('comes back to the same table, lets nobody in that is down, and nobody out that is up', async () => {
    assert.deepEqual(await dieAndReturn(500, checked), []);
    for (const name of ['web', 'sorry'] as const) {
      const target = { host: network.vip4(vips[name]), port: http, count: 8, timeoutMs: 3000 };
      assert.equal((await sendRequests(network.client, target)).failed, 0, name);
    }
  });

  it('finds out who fell while it was dead, and touches nobody else', async () => {
    await director.kill();
    watch.look();
    const diedMs = performance.now();
    servers[1]?.answer({ status: 500 });
    await director.start();
    await until('server2 is out', () => weight('web', 2) === 0);
    await sleep(verdictMs);
    const touched = new Set(changesSince(diedMs, checked).map((change) => change.split(':')[0]));
    assert.deepEqual([...touched], ['web > server2']);
  });

  it('finds out who recovered while it was dead', async () => {
    await director.kill();
    watch.look();
    const diedMs = performance.now();
    servers[1]?.answer({});
    servers[2]?.thaw();
    await director.start();
    await until('all serve', () => [1, 2, 3].every((number) => weight('web', number) === 100));
    await until(
      'the sorry server is in reserve again',
      () => weight('sorry', 3) === 100 && weight('sorry', 1) === 0,
    );
    const fell = changesSince(diedMs, checked).filter((change) => change.endsWith(': 0'));
    assert.ok(
      fell.every((change) => change.startsWith('sorry > server1')),
      fell.join(', '),
    );
  });
});
