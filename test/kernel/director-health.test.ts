import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { sendRequests, startServer } from '../lab/traffic.ts';
import type { RunningServer } from '../lab/traffic.ts';
import { Eyes, until } from './director-eyes.ts';
import { labPool, realServer, virtualService } from './director-objects.ts';

/** Real servers that do not answer leave the kernel's table, and come back when they do. */

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
const servers: RunningServer[] = [];
const rips = ['198.51.100.11', '198.51.100.12'] as const;

before(async () => {
  network = await layOutNetwork({ realServers: 2 });
  servers.push(...(await Promise.all(network.realServers.map(serve))));
  director = new LabDirector(network.director, { 'pool.yaml': labPool });
  for (const [name, vip, spec] of services()) {
    director.write(`${name}.yaml`, virtualService(name, vip, spec));
    director.write(`${name}-servers.yaml`, realServer(name, rips));
  }
  await director.start();
  eyes = new Eyes(network.director);
});

after(async () => {
  await director.stop();
  eyes.close();
  await network.remove();
});

const pace = { intervalSeconds: 1, timeoutSeconds: 1, failureThreshold: 2 };

function services(): readonly (readonly [
  name: string,
  vip: string,
  spec: Readonly<Record<string, unknown>>,
])[] {
  return [
    ['tcp', network.vip4(0), { healthCheck: { tcp: {}, ...pace } }],
    ['http', network.vip4(1), { healthCheck: { http: { statuses: ['200'] }, ...pace } }],
    ['unchecked', network.vip4(2), {}],
  ];
}

function serve(host: LabNetwork['realServers'][number]): Promise<RunningServer> {
  return startServer(host, { http: [80] });
}

function weights(name: string): (number | undefined)[] {
  const vip = services().find(([known]) => known === name)?.[1];
  return rips.map((rip) => eyes.weight(`TCP ${vip}:80`, `${rip}:80`));
}

function send(name: string, count: number) {
  const host = services().find(([known]) => known === name)?.[1] ?? '';
  return sendRequests(network.client, { host, port: 80, count, timeoutMs: 1500 });
}

describe('a director that checks its real servers', () => {
  it('lets in those that answer', async () => {
    for (const name of ['tcp', 'http'])
      await until(`${name} serves`, () => weights(name).every((weight) => weight === 100));
    const requests = await send('http', 20);
    assert.deepEqual([requests.failed, requests.byServer], [0, { server1: 10, server2: 10 }]);
  });

  it('takes out one that was killed, and sends nobody there', async () => {
    servers[0]?.kill();
    for (const name of ['tcp', 'http']) {
      const tookMs = await until(`${name} is without it`, () => (weights(name)[0] ?? 0) === 0);
      console.log(`${name}: quiesced after ${tookMs} ms`);
      const requests = await send(name, 20);
      assert.deepEqual([requests.failed, requests.byServer], [0, { server2: 20 }]);
    }
    // Without connections it leaves at once; where some are in TIME_WAIT it drains first.
    await until('it has left', () => weights('tcp')[0] === undefined);
    assert.equal(weights('http')[0] ?? 0, 0);
    const unchecked = await send('unchecked', 20);
    assert.equal(unchecked.failed, 10, 'without a check, half of the clients meet the dead server');
  });

  it('lets it in again when it is back', async () => {
    const [host] = network.realServers;
    assert.ok(host);
    servers[0] = await serve(host);
    for (const name of ['tcp', 'http']) await until(`${name} has it again`, () => weights(name)[0] === 100);
    const requests = await send('http', 20);
    assert.deepEqual([requests.failed, requests.byServer], [0, { server1: 10, server2: 10 }]);
  });
});
