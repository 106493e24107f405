import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedNowMs } from '../../src/health/index.ts';
import { RunningChecker } from '../lab/farm/running-checker.ts';
import { TargetFarm } from '../lab/farm/target-farm.ts';

/** The gate of what `npm run bench -- health` measures at length. */

const program = new URL('../../test/lab/farm/checker-program.ts', import.meta.url).pathname;
/** Few enough for a lab that shares its machine: what is lost must be lost on the wire. */
const targets = 48;
const lossSeconds = 25;

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
  const startMs = sharedNowMs();
  await sleep(lossSeconds * 1000);
  const { outcomes } = await checker.totals();
  const falls = checker.turns.flatMap(({ isUp, policy, atMs }) =>
    isUp || policy === 0 ? [] : [Math.round(atMs - startMs)],
  );
  // One probe in a hundred loses both of its SYNs or their answers: some ten by now. Three in a row: one in a million.
  assert.ok(turns(false, 0) > 0, 'negative control: no probe was lost');
  assert.equal(turns(false, 1), 0, `fell after ${falls.join(', ')} ms; ${JSON.stringify(outcomes)}`);

  await farm.lose(0);
  await farm.darken('198.19.0.0/24');
  while (turns(false, 1) < targets) await sleep(200);
  await farm.lighten('198.19.0.0/24');
  while (turns(true, 1) < 2 * targets) await sleep(200);
  await checker.stop();
});
