import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunningChecker } from '../lab/farm/running-checker.ts';
import { TargetFarm } from '../lab/farm/target-farm.ts';

/** The gate of what `npm run bench -- health` measures at length. */

const program = new URL('../../test/lab/farm/checker-program.ts', import.meta.url).pathname;
const targets = 128;
const lossSeconds = 15;

let farm: TargetFarm;

before(async () => {
  farm = await TargetFarm.layOut();
});
after(() => farm.remove());

test('on a wire that loses 5 % of all packets, nobody is taken for dead; with failureThreshold 1, many would be', async () => {
  const checker = RunningChecker.start(farm.prober(0), program, {
    targets,
    network: '198.19',
    port: 80,
    question: 'tcp',
    intervalMs: 1000,
    timeoutMs: 900,
    policies: [1, 3].map((failureThreshold) => ({ successThreshold: 1, failureThreshold })),
    isTold: true,
  });
  const turns = (isUp: boolean, policy: number) =>
    checker.turns.filter((turn) => turn.isUp === isUp && turn.policy === policy).length;
  while (turns(true, 1) < targets) await sleep(200);

  await farm.lose(5);
  await sleep(lossSeconds * 1000);
  // One probe in a hundred loses both of its SYNs or their answers: some twenty by now. Three in a row: one in a million.
  assert.ok(turns(false, 0) > 0, 'negative control: no probe was lost');
  assert.equal(turns(false, 1), 0);

  await farm.lose(0);
  await farm.strike(0, 'silence');
  while (turns(false, 1) < targets) await sleep(200);
  await farm.heal(0, 'silence');
  while (turns(true, 1) < 2 * targets) await sleep(200);
  await checker.stop();
});
