import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { directorType, virtualServiceType } from '../../src/cluster/index.ts';
import { Environment, until } from '../apiserver/environment.ts';
import type { ApiServer } from '../apiserver/start-api-server.ts';
import { ClusterRig } from './cluster-rig.ts';
import { PausableTime } from './pausable-time.ts';

const ask = (ip: string, port = 80) => ({ addresses: [{ ip }], ports: [{ port }] });

async function open(t: TestContext): Promise<{ rig: ClusterRig; server: ApiServer }> {
  const environment = new Environment('in-process');
  await environment.open();
  const rig = new ClusterRig(environment);
  t.after(async () => {
    await rig.close();
    await environment.close();
  });
  const { inProcess } = environment;
  assert.ok(inProcess);
  await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.13'], default: true });
  await rig.director('a');
  return { rig, server: inProcess };
}

/** No address twice for one port, whatever happened. */
async function assertUnshared(rig: ClusterRig, names: readonly string[]): Promise<void> {
  const claims = (await Promise.all(names.map((name) => rig.vips(name)))).flat();
  assert.equal(new Set(claims).size, claims.length, `shared: ${claims.join()}`);
}

describe('a controller that dies between two writes', () => {
  /** Gives up one address, takes another from a pool, changes pods, and loses a VirtualService. */
  async function change(rig: ClusterRig): Promise<void> {
    await rig.virtualService('moves', ask('192.0.2.11'));
    await rig.remove(virtualServiceType, 'goes');
    await rig.virtualService('comes', ask('192.0.2.10'));
    await rig.virtualService('pooled', { addresses: [{ pool: rig.environment.clusterName('other') }] });
    await rig.realServer('pooled', 'pooled');
    await rig.pod('pooled-1', '10.8.0.1', { app: 'pooled' });
  }

  const names = ['moves', 'comes', 'pooled'];
  const end = async (rig: ClusterRig) => ({
    vips: await Promise.all(names.map(async (name) => `${name} ${(await rig.vips(name)).join()}`)),
    ready: await Promise.all(names.map((name) => rig.condition(name, 'Accepted'))),
    endpoints: await rig.endpoints('pooled'),
    quarantined: (await rig.poolStatus('public'))['quarantined'] ?? [],
  });

  /** @returns how many writes there were, with the controller killed before the one of that number. */
  async function run(t: TestContext, killedBefore: number): Promise<number> {
    const { rig } = await open(t);
    await rig.start();
    await rig.pool('other', { addresses: ['192.0.2.20'] });
    await rig.virtualService('moves', ask('192.0.2.10'));
    await rig.virtualService('goes', ask('192.0.2.12'));
    await programmed(rig, 'moves', 'goes');
    await rig.settled(200);
    await rig.close();
    let writes = 0;
    let died = (): void => {};
    const death = new Promise<void>((resolve) => (died = resolve));
    const doomed = await rig.start({
      onWrite: () => {
        writes++;
        if (writes !== killedBefore) return;
        died();
        throw new Error('killed');
      },
    });
    await until('it leads', async () => doomed.controller.isLeading);
    await change(rig);
    await Promise.race([death, rig.settled(700)]);
    await doomed.kill();
    // The VIPs are bound there until the director has seen them given up.
    const next = await rig.start();
    await until('the next leads', async () => next.controller.isLeading);
    await rig.settled(400);
    await assertUnshared(rig, names);
    await rig.director('a', { releasing: ['192.0.2.10', '192.0.2.12'] });
    await rig.settled(300);
    assert.deepEqual(await rig.vips('comes'), [], `killed before write ${killedBefore}`);
    for (let round = 0; round < 3; round++) {
      await rig.director('a');
      await rig.settled(300);
    }
    assert.deepEqual(
      await end(rig),
      {
        vips: ['moves 192.0.2.11', 'comes 192.0.2.10', 'pooled 192.0.2.20'],
        ready: ['True Accepted', 'True Accepted', 'True Accepted'],
        endpoints: ['10.8.0.1'],
        quarantined: [],
      },
      `killed before write ${killedBefore}`,
    );
    return writes;
  }

  it(
    'leaves what the next one brings to the same end, whichever write it was',
    { timeout: 300_000 },
    async (t) => {
      const writes = await run(t, 0);
      assert.ok(writes > 6, `${writes} writes`);
      // Each on a server of its own, and mostly waiting.
      const numbers = Array.from({ length: writes }, (_, index) => index + 1);
      const lanes = Array.from({ length: 5 }, async () => {
        for (let k = numbers.pop(); k !== undefined; k = numbers.pop()) await run(t, k);
      });
      await Promise.all(lanes);
    },
  );
});

describe('a leader that is paused', () => {
  it('does no harm when it wakes up and another leads', async (t) => {
    const { rig } = await open(t);
    const time = new PausableTime();
    let heldWrites = 0;
    const paused = await rig.start({
      time,
      onRequest: () => time.whenRunning(),
      onWrite: async () => {
        if (!time.isPaused) return;
        heldWrites++;
        await time.whenRunning();
      },
    });
    await rig.virtualService('first', ask('192.0.2.10'));
    await rig.waitFor('first', 'Accepted', 'True Accepted');
    const second = await rig.start();
    time.pause();
    await rig.virtualService('second', ask('192.0.2.11'));
    await until('the second leads', async () => second.controller.isLeading, 10_000);
    await rig.waitFor('second', 'Accepted', 'True Accepted');
    await rig.remove(virtualServiceType, 'first');
    await rig.virtualService('third', ask('192.0.2.10'));
    await rig.waitFor('third', 'Accepted', 'False AddressQuarantined');
    await rig.settled();
    const before = await rig.versions();
    time.resume();
    await sleep(1500);
    assert.equal(paused.controller.isLeading, false);
    assert.deepEqual(await rig.versions(), before, `${heldWrites} writes were on their way`);
    await rig.director('a');
    await rig.waitFor('third', 'Accepted', 'True Accepted');
    await assertUnshared(rig, ['second', 'third']);
    // And the one that was paused stands by, and leads again when its turn comes.
    await second.kill();
    await until('the first leads again', async () => paused.controller.isLeading, 10_000);
    await rig.virtualService('fourth', ask('192.0.2.12'));
    await rig.waitFor('fourth', 'Accepted', 'True Accepted');
    await assertUnshared(rig, ['second', 'third', 'fourth']);
  });
});

describe('an API server that fails', () => {
  it('of every request now and then, is asked again until all is well', async (t) => {
    const { rig, server } = await open(t);
    for (const [index, code] of [500, 429, 503, 500].entries()) {
      const answer = { do: 'answer', code, ...(code === 429 ? { retryAfterSeconds: 1 } : {}) } as const;
      server.faults.add(
        { verb: index % 2 === 0 ? 'patch' : 'create', resource: 'virtualservices' },
        answer,
        2,
      );
      server.faults.add({ verb: 'list' }, answer, 3);
    }
    server.faults.add({ verb: 'patch', resource: 'virtualservices' }, { do: 'lose-answer' }, 1);
    server.faults.add({ verb: 'patch', resource: 'virtualservices' }, { do: 'reset', afterBytes: 20 }, 1);
    await rig.start();
    await retry(() => rig.virtualService('web'));
    await rig.waitFor('web', 'AddressAssigned', 'True Assigned');
  });

  it('forgets every watch again and again, and costs no write', async (t) => {
    const { rig, server } = await open(t);
    await rig.start();
    await rig.virtualService('web');
    await programmed(rig, 'web');
    await rig.settled();
    const before = await rig.versions();
    for (let i = 0; i < 5; i++) {
      for (const watch of server.faults.watches()) watch.expire();
      await sleep(150);
    }
    await sleep(1500);
    assert.deepEqual(await rig.versions(), before);
    await rig.virtualService('later');
    await rig.waitFor('later', 'AddressAssigned', 'True Assigned');
  });

  it('lists nothing, and nothing is released', async (t) => {
    const { rig, server } = await open(t);
    await rig.start();
    await rig.virtualService('web', ask('192.0.2.10'));
    await programmed(rig, 'web');
    await rig.settled();
    const before = await rig.versions();
    const faults = ['virtualservices', 'addresspools', 'nodes', 'directors'].map((resource) =>
      server.faults.add({ verb: 'list', resource }, { do: 'empty-list' }, 2),
    );
    for (const watch of server.faults.watches()) watch.expire();
    await until('each was listed', async () => faults.every(({ hits }) => hits > 0));
    await sleep(1500);
    for (const fault of faults) fault.remove();
    const status = await rig.status('web');
    assert.deepEqual(
      status.addresses.map(({ ip }) => ip),
      ['192.0.2.10'],
    );
    assert.notEqual(await rig.get(directorType, rig.environment.clusterName('a')), undefined);
    await until('all is as before', async () => (await rig.versions()).join() === before.join());
  });

  it('lags behind when a term begins, and is not believed', async (t) => {
    const { rig, server } = await open(t);
    const first = await rig.start();
    const stale = server.store.revision;
    await rig.virtualService('web');
    await rig.waitFor('web', 'AddressAssigned', 'True Assigned');
    await first.stop();
    await rig.virtualService('late');
    for (const resource of ['virtualservices', 'addresspools'])
      server.faults.add({ verb: 'list', resource }, { do: 'stale', revision: stale }, 3);
    await rig.start();
    await rig.waitFor('late', 'AddressAssigned', 'True Assigned');
    assert.deepEqual(await rig.vips('web'), ['192.0.2.10']);
    await assertUnshared(rig, ['web', 'late']);
  });

  it('has not all kinds, or refuses what the controller needs, which is said once and mended by itself', async (t) => {
    const { rig, server } = await open(t);
    const missing = server.faults.add({ verb: 'list', resource: 'directors' }, { do: 'answer', code: 404 });
    const running = await rig.start();
    const lines = (word: string) => running.logger.lines.filter((line) => line.includes(word)).length;
    await until('it is told', async () => lines('no such kind') > 0);
    await sleep(2500);
    assert.equal(lines('no such kind'), 1);
    const denied = server.faults.add(
      { verb: 'patch', resource: 'addresspools' },
      { do: 'answer', code: 403 },
    );
    missing.remove();
    await until('it is told', async () => lines('not allowed') > 0);
    await sleep(1500);
    assert.equal(lines('not allowed'), 1);
    denied.remove();
    await until('it is mended', async () => (await rig.poolStatus('public'))['counts'] !== undefined);
    assert.equal(lines('can be written again'), 1);
  });
});

/** Waits until they are accepted, and lets the director take them in. */
async function programmed(rig: ClusterRig, ...names: readonly string[]): Promise<void> {
  for (const name of names) await rig.waitFor(name, 'AddressAssigned', 'True Assigned');
  await rig.director('a');
  for (const name of names) await rig.waitFor(name, 'Programmed', 'True Programmed');
}

/** People try again. */
async function retry(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt > 20) throw error;
      await sleep(50);
    }
  }
}
