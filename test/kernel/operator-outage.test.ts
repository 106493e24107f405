import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startRequests } from '../lab/traffic.ts';
import { sleep, until } from './director-eyes.ts';
import { OperatorRig } from './operator-rig.ts';

/** Controllers and API servers die; what is served goes on, and afterwards all is as if they had not. */

/** Ten minutes are tried by hand: LVS_OUTAGE_SECONDS=600. */
const outageSeconds = Number(process.env['LVS_OUTAGE_SECONDS'] ?? 12);

let rig: OperatorRig;

before(async () => {
  rig = await OperatorRig.start(4);
  for (const server of [1, 2]) await rig.startPod(server);
  await rig.applyWeb({ settleSeconds: 1 });
  await rig.untilServing(1, 2);
});

after(() => rig.close());

/** What was written to the API server in that time, but for leases. */
async function writesWithin(ms: number): Promise<string[]> {
  const { requests } = rig.cluster.server;
  const from = requests.length;
  await sleep(ms);
  return requests
    .slice(from)
    .filter(({ method, resource }) => method !== 'GET' && resource !== 'leases')
    .map(({ method, path }) => `${method} ${path}`);
}

describe('without API server and controller', () => {
  it('traffic goes on, hand edits are repaired, and a director that starts anew serves', async () => {
    const traffic = await startRequests(rig.network.client, {
      host: rig.vip,
      port: 80,
      perSecond: 30,
      longestMs: (outageSeconds + 120) * 1000,
    });
    rig.cluster.refuse();
    await rig.controller.kill();
    await sleep((outageSeconds * 1000) / 2);
    await rig.network.director.check([
      'ipvsadm',
      '-e',
      '-t',
      `${rig.vip}:80`,
      '-r',
      `${rig.rip(1)}:80`,
      '-m',
      '-w',
      '0',
    ]);
    const repairedMs = await rig.untilServing(1, 2);
    await rig.director.kill();
    await rig.director.start();
    assert.deepEqual(rig.serving(), [1, 2]);
    await sleep((outageSeconds * 1000) / 2);
    const counts = await traffic.stop();
    console.log(
      `${outageSeconds} s without an API server, hand edit repaired after ${repairedMs} ms`,
      counts,
    );
    assert.equal(counts.failed, 0, JSON.stringify(counts.failures));
  });

  it('catches up when they are back', async () => {
    await rig.startPod(3);
    await rig.cluster.accept();
    rig.controller.start();
    await rig.untilServing(1, 2, 3);
    await until('ready again', () => rig.isReady());
  });
});

describe('a controller', () => {
  it('that is killed again and again while pods come and go ends where one that lives does', async () => {
    for (let round = 0; round < 4; round++) {
      const isGrowing = round % 2 === 0;
      if (isGrowing) await rig.startPod(4);
      else await rig.endPodGracefully(4, 1);
      // Somewhere between the event and its last write.
      await sleep(round * 40);
      await rig.controller.kill();
      rig.controller.start();
      await rig.untilServing(...(isGrowing ? [1, 2, 3, 4] : [1, 2, 3]));
    }
    await until('ready', () => rig.isReady());
    // Ready all the time, so the counts are waited for by themselves: a new leader has yet to look.
    await until('the counts are true', async () => {
      const { counts } = await rig.status();
      return counts?.serving === 3 && counts.realServers === 3;
    });
  });

  it('that was paused beyond its lease does no harm when it goes on', async () => {
    const second = rig.newController('second');
    await until('the first leads', () => /leading/.test(rig.controller.log));
    second.start();
    try {
      await until('the second stands by', () => /following the cluster/.test(second.log));
      rig.controller.freeze();
      await until('the second leads', () => /leading/.test(second.log));
      await rig.startPod(4);
      await rig.untilServing(1, 2, 3, 4);
      await until('ready', () => rig.isReady());
      rig.controller.thaw();
      await until('the first knows', () => /leading no more/.test(rig.controller.log));
      await rig.endPodGracefully(3, 1);
      await rig.untilServing(1, 2, 4);
      await until(
        'ready again',
        async () => (await rig.isReady()) && (await rig.status()).counts?.realServers === 3,
      );
      // The last drain ends by itself, and is told.
      await until('all is told', async () => (await writesWithin(4000)).length === 0);
      assert.deepEqual(await writesWithin(4000), [], 'nobody writes what another writes back');
    } finally {
      await second.stop();
    }
  });
});
