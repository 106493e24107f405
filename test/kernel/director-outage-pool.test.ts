import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { sendRequests, startServers } from '../lab/traffic.ts';
import type { RequestCounts, RunningServer } from '../lab/traffic.ts';
import { Eyes, readStatus, until } from './director-eyes.ts';
import { labPool, realServer, virtualService } from './director-objects.ts';
import { WeightWatch } from './weight-watch.ts';

/**
 * What services make of servers that fail one after another: quorum and sorry server, panic, slow start, persistence,
 * and a server that comes and goes.
 */

const port = 80;
const http = { statuses: ['200'] };
const healthCheck = { http, intervalSeconds: 1, timeoutSeconds: 1, failureThreshold: 2, successThreshold: 1 };
const slowStartSeconds = 8;
/** The first four serve, one is the sorry server, and one comes and goes. */
const usual = [1, 2, 3, 4] as const;
const sorry = 5;
const flapper = 6;
const flapEveryMs = 3000;

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
let watch: WeightWatch;
let servers: readonly RunningServer[] = [];
let flapping: NodeJS.Timeout;
let watchedSinceMs = 0;

const rip = (number: number) => `198.51.100.${10 + number}`;
const specs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  quorum: { quorum: { minimum: 3, hysteresis: 1 }, sorryServer: { addresses: [rip(sorry)] } },
  panic: { panicThresholdPercent: 50 },
  slow: { scheduler: 'wrr', slowStart: { durationSeconds: slowStartSeconds } },
  sticky: { persistence: { timeoutSeconds: 300 } },
  flapping: {},
};
const vip = (name: string) => network.vip4(Object.keys(specs).indexOf(name));
const service = (name: string) => `TCP ${vip(name)}:${port}`;
const weight = (name: string, number: number) => eyes.weight(service(name), `${rip(number)}:${port}`) ?? 0;
const weights = (name: string) => usual.map((number) => weight(name, number));
const send = (name: string, count: number): Promise<RequestCounts> =>
  sendRequests(network.client, { host: vip(name), port, count, timeoutMs: 3000 });
const troubleOf = (name: string) =>
  readStatus(director).virtualServices.find(({ object }) => object.name === name)?.reason;

/** The server that one client is kept on. */
const home = (counts: RequestCounts) => Number(Object.keys(counts.byServer)[0]?.at(-1));
const fail = (number: number) => servers[number - 1]?.answer({ status: 503 });
const recover = (number: number) => servers[number - 1]?.answer({});

before(async () => {
  network = await layOutNetwork({ realServers: 6 });
  servers = await startServers(network.realServers, { http: [port] });
  director = new LabDirector(network.director, { 'pool.yaml': labPool });
  for (const [name, spec] of Object.entries(specs)) {
    const members = name === 'flapping' ? [1, flapper] : usual;
    director.write(`${name}.yaml`, virtualService(name, vip(name), { healthCheck, ...spec }));
    director.write(`${name}-servers.yaml`, realServer(name, members.map(rip)));
  }
  await director.start();
  eyes = new Eyes(network.director);
  watch = new WeightWatch(eyes);
  const isWhole = (name: string) => weights(name).every((each) => each === 100);
  await until('all serve', () => ['quorum', 'panic', 'slow', 'sticky'].every(isWhole), 60_000);
  await until('so does the one that will come and go', () => weight('flapping', flapper) === 100);
  watchedSinceMs = performance.now();
  let isWell = true;
  flapping = setInterval(() => {
    isWell = !isWell;
    servers[flapper - 1]?.answer(isWell ? {} : { status: 503 });
  }, flapEveryMs);
});

after(async () => {
  clearInterval(flapping);
  watch.stop();
  await director.stop();
  eyes.close();
  await network.remove();
});

describe('servers that fail one after another', () => {
  it('leave the quorum met as long as hysteresis says', async () => {
    assert.deepEqual((await send('quorum', 8)).failed, 0);
    for (const number of [1, 2]) {
      fail(number);
      await until(`server${number} is out`, () => weight('quorum', number) === 0);
    }
    assert.equal(weight('quorum', sorry), 0, 'two are above minimum less hysteresis');
    const requests = await send('quorum', 8);
    assert.deepEqual([requests.failed, requests.byServer], [0, { server3: 4, server4: 4 }]);
  });

  it('are no reason to panic as long as half of them are up', async () => {
    await until('the same are out', () => weights('panic').join() === '0,0,100,100');
    const requests = await send('panic', 8);
    assert.deepEqual([requests.failed, requests.byServer], [0, { server3: 4, server4: 4 }]);
  });

  it('lose the quorum with the third, and the sorry server answers', async () => {
    fail(3);
    await until('the sorry server serves', () => weight('quorum', sorry) > 0);
    // It enters before the others leave, so that there is no moment with nobody.
    await until('the ones that are up take no new clients', () =>
      weights('quorum').every((each) => each === 0),
    );
    const requests = await send('quorum', 8);
    assert.deepEqual([requests.failed, requests.byServer], [0, { server5: 8 }]);
    await until('the status says so', () => troubleOf('quorum') === 'SorryServer');
  });

  it('are all asked again below the panic threshold, though three of four fail', async () => {
    await until('health is ignored', () => weights('panic').every((each) => each === 100));
    const requests = await send('panic', 8);
    assert.deepEqual([requests.failures, requests.byServer], [{ 'status 503': 6 }, { server4: 2 }]);
    await until('the status says so', () => troubleOf('panic') === 'HealthIgnored');
  });

  it('meet the quorum again no sooner than hysteresis says', async () => {
    for (const number of [1, 2]) {
      recover(number);
      await until(`server${number} is well`, () => weight('slow', number) > 0);
    }
    await until('panic is over', () => weights('panic').join() === '100,100,0,100');
    assert.ok(weight('quorum', sorry) > 0, 'three are the minimum, and not yet hysteresis more');
    assert.deepEqual(weights('quorum'), [0, 0, 0, 0]);
    recover(3);
    await until('the servers have it again', () => weights('quorum').every((each) => each === 100));
    await until('and the sorry server does not', () => weight('quorum', sorry) === 0);
    const requests = await send('quorum', 8);
    assert.deepEqual([requests.failed, Object.keys(requests.byServer).length], [0, 4]);
    await until('the status says so', () => troubleOf('quorum') === 'Serving');
  });
});

describe('slow start', () => {
  it('raises the weight of a server that came back in steps, as the kernel shows', async () => {
    const last = (number: number) =>
      watch.changesOf(service('slow'), `${rip(number)}:${port}`).at(-1)?.weight;
    await until('all have their whole weight', () => usual.every((number) => last(number) === 100));
    for (const number of [1, 2, 3]) {
      const rises = watch
        .changesOf(service('slow'), `${rip(number)}:${port}`)
        .filter(({ weight: each, atMs }) => (each ?? 0) > 0 && atMs > watchedSinceMs + 1000);
      const seen = rises.map(({ weight: each }) => each ?? 0);
      const tookMs = Math.round((rises.at(-1)?.atMs ?? 0) - (rises[0]?.atMs ?? 0));
      console.log(`server${number}: ${seen.join(', ')} within ${tookMs} ms`);
      assert.ok((seen[0] ?? 100) <= 25, 'it begins low');
      assert.equal(seen.at(-1), 100);
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        seen,
        'it only rises',
      );
      assert.ok(seen.length >= 5, 'in steps');
      // From the first step to the last is the whole time, less what the first write was late.
      assert.ok(tookMs > slowStartSeconds * 1000 * 0.75, `${tookMs} ms`);
    }
  });
});

describe('persistence', () => {
  it('does not keep a client on a server that fails', async () => {
    const before = await send('sticky', 8);
    const number = home(before);
    assert.deepEqual(
      [before.failed, before.byServer],
      [0, { [`server${number}`]: 8 }],
      'one server for one client',
    );
    fail(number);
    await until('it is out', () => weight('sticky', number) === 0);
    const requests = await send('sticky', 8);
    assert.equal(requests.failed, 0, JSON.stringify(requests));
    assert.equal(requests.byServer[`server${number}`], undefined);
    // It fell twice by now, so it is let in no sooner than in a minute; there are others.
    recover(number);
  });
});

describe('a server that comes and goes every few seconds', () => {
  /** Looks differ in weight where it drains and is deleted, too; what clients notice is whether it takes them. */
  function turns(): readonly { readonly atMs: number; readonly isUp: boolean }[] {
    return watch
      .changesOf(service('flapping'), `${rip(flapper)}:${port}`)
      .filter(({ atMs }) => atMs > watchedSinceMs)
      .map(({ atMs, weight: each }) => ({ atMs: Math.round(atMs - watchedSinceMs), isUp: (each ?? 0) > 0 }))
      .filter(({ isUp }, index, list) => isUp !== (list[index - 1]?.isUp ?? true));
  }

  it('costs at most two changes of its weight in a minute, once it fell twice', async () => {
    const secondFallMs = () => turns().filter(({ isUp }) => !isUp)[1]?.atMs ?? Infinity;
    await until(
      'a minute has passed since',
      () => performance.now() - watchedSinceMs > secondFallMs() + 60_000,
    );
    const all = turns();
    const lines = all.map(({ atMs, isUp }) => `${isUp ? 'up' : 'down'} at ${atMs}`).join(', ');
    const times = Math.floor((performance.now() - watchedSinceMs) / flapEveryMs);
    console.log(`the server turned ${times} times, its weight ${all.length} times: ${lines}`);
    for (const { atMs } of all.filter((turn) => turn.atMs >= secondFallMs())) {
      const within = all.filter((turn) => turn.atMs >= atMs && turn.atMs < atMs + 60_000);
      assert.ok(within.length <= 2, lines);
    }
  });
});

// Last, as the director dies for it, and forgets who flaps.
describe('persistence without its sysctl', () => {
  // The negative control: what the kernel does by itself.
  it('would keep it there without expire_quiescent_template', async () => {
    const number = home(await send('sticky', 4));
    await director.kill();
    await network.director.sysctl({ 'net/ipv4/vs/expire_quiescent_template': 0 });
    await network.director.check([
      'ipvsadm',
      '-e',
      '-t',
      `${vip('sticky')}:${port}`,
      '-r',
      `${rip(number)}:${port}`,
      '-m',
      '-w',
      '0',
    ]);
    const requests = await send('sticky', 4);
    assert.deepEqual(requests.byServer, { [`server${number}`]: 4 });
    await director.start();
    await until('its weight is right again', () => weight('sticky', number) === 100);
  });
});
