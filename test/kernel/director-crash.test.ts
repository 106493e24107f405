import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { holdConnections, sendRequests, startServers } from '../lab/traffic.ts';
import { Eyes, sleep, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/**
 * A director that dies at any moment, with 200 connections through the table that it leaves behind: none is reset, and
 * the next one finds or makes the table equal to the goal.
 */

const ports = [
  { name: 'http', port: 80 },
  { name: 'echo', port: 7 },
];
const held = 200;
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
      virtualService('routed', network.routedVip4(0), { scheduler: 'mh' }),
      realServer('routed', '198.51.100.11'),
    ),
    'six.yaml': file(virtualService('six', network.vip6(0)), realServer('six', '2001:db8:5::11')),
  });
  await director.start();
  eyes = new Eyes(network.director);
});

after(async () => {
  await director.stop();
  eyes.close();
  await network.remove();
});

/** What the kernel holds for a director. */
function hostText(): string {
  const rules = eyes.link.observePacketRules({ isFull: true });
  return [...eyes.tableLines(), ...eyes.addressLines(), JSON.stringify(rules)].join('\n');
}

/** The pass has nothing to do: the product's own judgement of "equal to the goal". */
async function assertGoalReached(): Promise<void> {
  const plan = await director.command([
    'plan',
    '--manifests',
    director.manifests,
    '--state-dir',
    director.stateDirectory,
  ]);
  assert.equal(plan.code, 0, `${plan.stdout}${plan.stderr}`);
}

describe('a director that dies', () => {
  it('by kill -9, at any moment, resets none of 200 paced connections', async () => {
    const traffic = await holdConnections(network.client, {
      host: network.vip4(0),
      port: 7,
      connections: held,
      everyMs: 1000,
      openEveryMs: 4,
    });
    const goal = hostText();

    await director.kill();
    assert.equal(hostText(), goal, 'the table stays when its director is killed');

    // In the middle of its start, which is where a director that flushes does its harm.
    for (const afterMs of [700, 1200]) {
      director.spawn();
      await sleep(afterMs + Math.round(Math.random() * 200));
      await director.kill();
      assert.equal(hostText(), goal, `killed about ${afterMs} ms after its start`);
    }

    // In the middle of an edit: it may have been made or not, the next start makes it.
    await director.start();
    for (const afterMs of [0, 10, 25]) {
      const weight = 100 + Math.round(Math.random() * 100);
      director.write('web-3.yaml', realServer('web', '198.51.100.13', { weight }));
      await sleep(afterMs);
      await director.kill();
      await director.start();
      assert.equal(eyes.weight(`TCP ${network.vip4(0)}:80`, '198.51.100.13:80'), weight);
    }
    director.write('web-3.yaml', realServer('web', '198.51.100.13'));
    await until('the first goal again', () => hostText() === goal);
    await assertGoalReached();

    const counts = await traffic.stop();
    console.log(`held ${counts.opened}, broken ${counts.broken}, longest gap ${counts.longestGapMs} ms`);
    assert.deepEqual([counts.opened, counts.broken, counts.failures], [held, 0, {}]);
    const requests = await sendRequests(network.client, { host: network.vip4(0), port: 80, count: 30 });
    assert.equal(requests.failed, 0);
  });

  it('by SIGTERM leaves the table, and its successor writes nothing', async () => {
    const goal = hostText();
    assert.equal(await director.stop(), 0);
    assert.equal(hostText(), goal);
    const from = director.log.length;
    director.spawn({ NETLINK_DEBUG: '1' });
    await director.waitForLog(/director serves/, { from });
    await sleep(2500);
    assert.equal(hostText(), goal);
    const written = director.log
      .slice(from)
      .split('\n')
      .filter((line) => /^> (IPVS_CMD|RTM)_(NEW|SET|DEL)/.test(line))
      // How it asks for a scheduler: a service that the kernel is sure to refuse, on a mark of its own.
      .filter((line) => !line.includes('FWMARK'));
    assert.match(director.log.slice(from), /IPVS_CMD_GET_SERVICE/, 'the traffic was printed');
    assert.deepEqual(written, []);
    assert.doesNotMatch(director.log.slice(from), /pass applied changes/);
  });

  // The negative control: a director that begins by flushing, as some do.
  it('would reset connections if its successor flushed the table and loaded it anew', async () => {
    await director.stop();
    const traffic = await holdConnections(network.client, {
      host: network.vip4(0),
      port: 7,
      connections: 20,
      everyMs: 50,
    });
    const saved = await network.director.check(['ipvsadm', '-Sn']);
    await network.director.check(['ipvsadm', '-C']);
    await sleep(300);
    await network.director.check(['ipvsadm', '-R'], { input: saved });
    await sleep(1000);
    const counts = await traffic.stop();
    console.log('negative control:', counts.broken, counts.failures);
    assert.ok(counts.broken > 0, 'a flush breaks connections');
    await director.start();
  });
});
