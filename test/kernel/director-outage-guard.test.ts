import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { countByServer, LabSockets } from '../lab/sockets.ts';
import { conditionOf, Eyes, readStatus, sleep, until } from './director-eyes.ts';
import { labPool, realServer, virtualService } from './director-objects.ts';

/**
 * A director that is cut off from its servers holds what it has, says so, and empties no table; one whose servers really
 * fail does not take itself for cut off.
 */

const port = 80;
const pace = { intervalSeconds: 1, timeoutSeconds: 1, failureThreshold: 2, successThreshold: 1 };
const healthCheck = { tcp: {}, ...pace };
/** By when each of the failures below would have emptied the table several times over. */
const longMs = 3 * (pace.intervalSeconds * pace.failureThreshold + pace.timeoutSeconds) * 1000;
const members = { first: [1, 2], second: [3, 4], third: [5, 6] } as const;
type Name = keyof typeof members;
const names = Object.keys(members) as Name[];

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
const sockets = new LabSockets();

const rip = (number: number) => `198.51.100.${10 + number}`;
const vip = (name: Name) => network.vip4(names.indexOf(name));
const weights = (name: Name) =>
  members[name].map((number) => eyes.weight(`TCP ${vip(name)}:${port}`, `${rip(number)}:${port}`) ?? 0);
const isWhole = () => names.every((name) => weights(name).every((weight) => weight === 100));
const isolation = () => conditionOf(director, 'DirectorIsolated');

/** Answers to our probes are lost, and nothing else: what servers send to clients is only forwarded here. */
function deafness(verb: '-A' | '-D', numbers: readonly number[]): Promise<string> {
  const rule = ['-i', 'eth1', '-s', numbers.map(rip).join(), '-d', network.director.inside.ip4];
  return network.director.check([
    'iptables-legacy',
    '--wait',
    '-t',
    'raw',
    verb,
    'PREROUTING',
    ...rule,
    '-p',
    'tcp',
    '-j',
    'DROP',
  ]);
}

/** One connection after another to each service, for a while, with the table looked at in between. */
async function watchFor(ms: number): Promise<{ readonly failed: number; readonly isWhole: boolean }> {
  const untilMs = performance.now() + ms;
  let wasWhole = true;
  let failed = 0;
  while (performance.now() < untilMs) {
    wasWhole &&= isWhole();
    for (const name of names) {
      const { outcome } = await sockets.ask(network.client, vip(name), port);
      if (outcome !== 'answered') failed++;
    }
    await sleep(50);
  }
  return { failed, isWhole: wasWhole };
}

/** Nobody falls by verdicts from the time of isolation, either. */
async function assertUnharmed(): Promise<void> {
  assert.deepEqual(await watchFor(longMs / 2), { isWhole: true, failed: 0 });
}

before(async () => {
  network = await layOutNetwork({ realServers: 6 });
  for (const host of network.realServers) await sockets.serve(host, 'TCP', port);
  director = new LabDirector(network.director, { 'pool.yaml': labPool });
  for (const name of names) {
    director.write(`${name}.yaml`, virtualService(name, vip(name), { healthCheck }));
    director.write(`${name}-servers.yaml`, realServer(name, members[name].map(rip)));
  }
  await director.start();
  eyes = new Eyes(network.director);
  await until('all serve', isWhole);
});

after(async () => {
  await director.stop();
  sockets.close();
  eyes.close();
  await network.remove();
});

describe('a director whose probes all fail at once', () => {
  it('holds what it has, says that it is isolated, and its clients notice nothing', async () => {
    await deafness('-A', [1, 2, 3, 4, 5, 6]);
    await until('it says so', () => isolation() === 'True MostServersFail');
    const { isWhole: isHeld, failed } = await watchFor(longMs);
    assert.deepEqual([isHeld, failed], [true, 0]);
    assert.equal(isolation(), 'True MostServersFail');
  });

  it('holds it over its own death', async () => {
    await director.kill();
    const restart = director.start();
    const { isWhole: isHeld, failed } = await watchFor(longMs + 4000);
    await restart;
    assert.deepEqual([isHeld, failed], [true, 0]);
    await until(
      'it says so again',
      () => readStatus(director).pid === director.pid && isolation() === 'True MostServersFail',
    );
  });

  it('goes by its checks again when they are answered', async () => {
    await deafness('-D', [1, 2, 3, 4, 5, 6]);
    await until('it says so', () => isolation().startsWith('False'));
    await assertUnharmed();
  });
});

// The negative control: the same silence, of a minority.
describe('a director whose probes of one service fail', () => {
  it('takes them for what they are', async () => {
    await deafness('-A', members.first);
    await until('their servers are out', () => weights('first').every((weight) => weight === 0));
    assert.ok(isolation().startsWith('False'), isolation());
    assert.deepEqual(
      [weights('second'), weights('third')],
      [
        [100, 100],
        [100, 100],
      ],
    );
    const answers = await sockets.askMany(
      network.client,
      Array.from({ length: 4 }, () => ({ vip: vip('first'), port, timeoutMs: 1000 })),
    );
    assert.deepEqual(countByServer(answers), { '(none)': 4 }, 'so empty the others would have been');
    await deafness('-D', members.first);
    await until('they are in again', isWhole);
  });
});

describe('a director that loses its links', () => {
  it('holds what it has when all of them are down', async () => {
    await network.director.ip(['link set eth0 down', 'link set eth1 down']);
    await until('it says so', () => isolation() === 'True NoUplink');
    await sleep(longMs);
    assert.ok(isWhole());
    await network.director.ip(['link set eth0 up', 'link set eth1 up']);
    await until('it is over', () => isolation().startsWith('False'));
    await assertUnharmed();
  });

  it('holds what it has when the one to its servers is down', async () => {
    await network.director.ip(['link set eth1 down']);
    await until('it says so', () => isolation() === 'True MostServersFail');
    await sleep(longMs);
    assert.ok(isWhole());
    await network.director.ip(['link set eth1 up']);
    await until('it is over', () => isolation().startsWith('False'));
    await assertUnharmed();
  });
});
