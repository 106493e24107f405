/** What becomes of slices when the process, the connection or the lists fail at the worst moment. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { onEveryServer, until } from '../apiserver/environment.ts';
import type { Environment } from '../apiserver/environment.ts';
import type { FaultAction } from '../apiserver/faults.ts';
import { openRig, Shop } from './rig.ts';

const addresses = (from: number, to: number): string[] =>
  Array.from(
    { length: to - from },
    (_, index) => `198.51.${100 + Math.floor((from + index) / 200)}.${(from + index) % 200}`,
  );

interface Change {
  readonly name: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** From three slices (100, 100, 50) to something else. */
const changes: readonly Change[] = [
  { name: 'grows by two slices', before: addresses(0, 250), after: addresses(0, 430) },
  {
    name: 'shrinks until its slices become one',
    before: addresses(0, 250),
    after: [...addresses(95, 100), ...addresses(195, 200), ...addresses(245, 250)],
  },
  { name: 'is replaced', before: addresses(0, 250), after: addresses(500, 650) },
];

class Killed extends Error {}

let openings = 0;

/** One process that makes the change, killed after so many writes, and another that ends it. */
async function changeAndKill(
  environment: Environment,
  { before, after }: Change,
  killAfter: number | undefined,
): Promise<{ readonly writes: number; readonly slices: readonly (readonly string[])[] }> {
  const namespace = await environment.openNamespace(`k${openings++}`);
  const shop = new Shop(environment, namespace);
  const key = `${namespace}/fixed`;
  await shop.virtualService();
  await shop.realServer({ addresses: before }, 'fixed');
  const first = await openRig(environment, namespace);
  await first.reconcile(key);
  await first.stop();

  await shop.realServer({ addresses: after }, 'fixed');
  let writes = 0;
  const staying = before.filter((address) => after.includes(address));
  const second = await openRig(environment, namespace, {
    afterWrite: (number) => {
      writes = number;
      if (number === killAfter) throw new Killed();
    },
  });
  await second.reconcile(key).catch((error: unknown) => {
    if (!(error instanceof Killed)) throw error;
  });
  await second.stop();
  const left = await shop.endpoints();
  for (const address of staying) assert.ok(left.includes(`${address} Serving`), `${address} is missing`);

  const third = await openRig(environment, namespace);
  await third.reconcile(key);
  await third.reconcile(key);
  await third.stop();
  assert.deepEqual(await shop.endpoints(), after.map((address) => `${address} Serving`).toSorted());
  const slices = await shop.slices();
  return {
    writes,
    slices: slices
      .map(({ spec }) => spec.endpoints.map(({ address }) => address).toSorted())
      .toSorted((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)),
  };
}

onEveryServer(
  'a process that is killed after any write',
  (environment) => {
    for (const change of changes) {
      it(`leaves slices from which another arrives at the same: a RealServer that ${change.name}`, async (t) => {
        const whole = await changeAndKill(environment, change, undefined);
        assert.ok(whole.writes > 3, `${whole.writes} writes`);
        for (let killAfter = 1; killAfter <= whole.writes; killAfter++) {
          const { slices } = await changeAndKill(environment, change, killAfter);
          assert.deepEqual(slices, whole.slices, `killed after write ${killAfter}`);
        }
        t.diagnostic(`${whole.writes} writes, killed after each`);
      });
    }
  },
  { collectsGarbage: false },
);

const faults: readonly (readonly [string, FaultAction, number])[] = [
  ['a conflict', { do: 'answer', code: 409, reason: 'Conflict' }, 1],
  ['too many requests', { do: 'answer', code: 429, retryAfterSeconds: 1 }, 2],
  ['a failing server', { do: 'answer', code: 500 }, 2],
  ['a connection that breaks', { do: 'drop' }, 2],
  ['an answer that is lost', { do: 'lose-answer' }, 2],
  ['half an answer', { do: 'reset', afterBytes: 20 }, 2],
];

onEveryServer('writing slices', (environment) => {
  if (environment.isReal) return;
  for (const [name, action, times] of faults) {
    it(`survives ${name}`, async () => {
      const namespace = await environment.openNamespace(`f${openings++}`);
      const shop = new Shop(environment, namespace);
      await shop.virtualService();
      await shop.realServer({ addresses: addresses(0, 150) }, 'fixed');
      const rig = await openRig(environment, namespace);
      environment.inProcess?.faults.add({ verb: 'patch', resource: 'realserverslices' }, action, times);
      rig.start();
      const wanted = (count: number) =>
        addresses(0, count)
          .map((address) => `${address} Serving`)
          .toSorted();
      await until('150 endpoints', async () => (await shop.endpoints()).length === 150);
      await rig.idle();
      environment.inProcess?.faults.add({ verb: 'patch', resource: 'realserverslices' }, action, times);
      await shop.realServer({ addresses: addresses(0, 160) }, 'fixed');
      await until('160 endpoints', async () => (await shop.endpoints()).length === 160);
      await rig.idle();
      assert.deepEqual(await shop.endpoints(), wanted(160));
      assert.deepEqual(
        (await shop.slices()).map(({ spec }) => spec.endpoints.length).toSorted((a, b) => b - a),
        [100, 60],
      );
    });
  }
});

const bySelector = { podSelector: { matchLabels: { app: 'web' } } };

onEveryServer('a start', (environment) => {
  async function withPods(suffix: string): Promise<{ readonly shop: Shop; readonly namespace: string }> {
    const namespace = await environment.openNamespace(suffix);
    const shop = new Shop(environment, namespace);
    await shop.virtualService();
    await shop.realServer(bySelector);
    for (const number of [1, 2, 3]) await shop.pod(`p${number}`, `10.0.0.${number}`);
    const before = await openRig(environment, namespace);
    await before.reconcile(`${namespace}/pods`);
    await before.stop();
    assert.equal((await shop.endpoints()).length, 3);
    return { shop, namespace };
  }

  it('removes nothing on the word of one list, and everything on that of two', async () => {
    const { shop, namespace } = await withPods('gone');
    for (const number of [1, 2, 3]) await shop.removePod(`p${number}`);
    const startMs = performance.now();
    const rig = await openRig(environment, namespace);
    rig.start();
    await shop.pod('p4', '10.0.0.4');
    await until('the new one', async () => (await shop.endpoints()).length === 4, 4000);
    await until('the old ones are gone', async () => (await shop.endpoints()).length === 1);
    assert.ok(performance.now() - startMs > 4900, `after ${performance.now() - startMs} ms`);
  });

  it('survives a list of pods that is empty by mistake', async () => {
    if (environment.inProcess === undefined) return;
    const { shop, namespace } = await withPods('empty');
    environment.inProcess.faults.add({ verb: 'list', resource: 'pods' }, { do: 'empty-list' }, 1);
    const rig = await openRig(environment, namespace);
    assert.equal(rig.stores.pods.size, 0);
    rig.start();
    assert.ok(rig.logger.lines.some((line) => line.includes('much would be removed')));
    let least = 3;
    await until('a second list', async () => {
      least = Math.min(least, (await shop.endpoints()).length);
      return rig.stores.pods.size === 3;
    });
    await rig.idle();
    assert.equal(least, 3);
    assert.equal((await shop.endpoints()).length, 3);
  });
});
