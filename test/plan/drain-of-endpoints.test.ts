import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceFlags } from '../../src/ipvs/pure.ts';
import {
  ModelDirector,
  busy,
  draining,
  podServer,
  slice,
  summarize,
  summarizeTable,
  virtualService,
  webKey as key,
} from './world.ts';

const app = podServer('app', 'web');
const one = '10.244.1.5';
const two = '10.244.1.6';
type Endpoints = Parameters<typeof slice>[1];

/** A director in a cluster whose kernel serves `web` with two pods. */
class Cluster {
  readonly director = new ModelDirector();
  readonly #spec: Readonly<Record<string, unknown>>;

  constructor(spec: Readonly<Record<string, unknown>> = {}) {
    this.#spec = spec;
    this.to([one, two]).pass();
  }

  get nowMs(): number {
    return this.director.nowMs;
  }

  to(endpoints: Endpoints, realServer = app): ModelDirector {
    return this.director.read({
      virtualServices: [virtualService('web', this.#spec)],
      realServers: [realServer],
      realServerSlices: [slice(realServer, endpoints)],
    });
  }

  connect(ip: string, service = key): void {
    this.director.host.connect(service, `${ip}:${service.split(':')[1]}`, busy);
  }
}

describe('an endpoint that drains', () => {
  it('is quiesced at once and removed when its last connection has gone', () => {
    const cluster = new Cluster();
    cluster.connect(one);
    const plan = cluster.to([draining(one, cluster.nowMs + 30_000), two]).pass();
    assert.deepEqual(summarize(plan), [`edit ${one}:80=0 Quiesced`]);
    cluster.director.host.disconnectAll();
    assert.deepEqual(summarize(cluster.director.later(1000).pass()), [`delete ${one}:80 Drained`]);
    assert.deepEqual(cluster.director.later(1000).pass().changes, []);
  });

  for (const [what, ownSeconds, endSeconds] of [
    ['its own deadline, which is before the drain timeout', 30, 30],
    ['its own deadline, which is after the drain timeout', 90, 90],
    ['the drain timeout, when it has no deadline', undefined, 60],
  ] as const) {
    it(`with connections goes at ${what}`, () => {
      const cluster = new Cluster({ drain: { timeoutSeconds: 60 } });
      const { director } = cluster;
      cluster.connect(one);
      const own = ownSeconds === undefined ? undefined : cluster.nowMs + ownSeconds * 1000;
      cluster.to([draining(one, own), two]).pass();
      assert.equal(director.drains[0]?.deadlineMs, cluster.nowMs + endSeconds * 1000);
      assert.deepEqual(summarizeTable(director.later(endSeconds * 1000 - 1).pass()), []);
      assert.deepEqual(summarizeTable(director.later(1).pass()), [`delete ${one}:80 DrainDeadline`]);
    });
  }

  it('keeps its deadline over a restart, and when it disappears', () => {
    const cluster = new Cluster();
    const { director } = cluster;
    cluster.connect(one);
    const deadlineMs = cluster.nowMs + 30_000;
    cluster.to([draining(one, deadlineMs), two]).pass();
    director.previous = undefined;
    director.drains = JSON.parse(JSON.stringify(director.drains)) as typeof director.drains;
    director.later(10_000).pass();
    assert.equal(director.drains[0]?.deadlineMs, deadlineMs);
    cluster.to([two]).pass();
    assert.equal(director.drains[0]?.deadlineMs, deadlineMs, 'a pod that is gone gets no new grace');
    director.later(19_999).pass();
    assert.deepEqual(summarizeTable(director.later(1).pass()), [`delete ${one}:80 DrainDeadline`]);
  });

  it('follows a deadline that moves', () => {
    const cluster = new Cluster();
    cluster.connect(one);
    for (const seconds of [30, 10, 50]) {
      const deadlineMs = cluster.nowMs + seconds * 1000;
      cluster.to([draining(one, deadlineMs), two]).pass();
      assert.equal(cluster.director.drains[0]?.deadlineMs, deadlineMs);
    }
  });

  it('comes back by SET with all of its connections', () => {
    const cluster = new Cluster();
    cluster.connect(one);
    cluster.to([draining(one, cluster.nowMs + 30_000), two]).pass();
    assert.deepEqual(summarize(cluster.to([one, two]).pass()), [`edit ${one}:80=100 Restored`]);
    assert.deepEqual(cluster.director.drains, []);
    assert.equal(cluster.director.host.table.get(key)?.realServers.get(`${one}:80`)?.connections.active, 3);
  });

  it('of UDP leaves by the clock of the VirtualService, and at its own deadline at the latest', () => {
    for (const [ownSeconds, endSeconds] of [
      [90, 20],
      [10, 10],
    ] as const) {
      const cluster = new Cluster({ ports: [{ protocol: 'UDP', port: 53 }], drain: { udpSeconds: 20 } });
      cluster.connect(one, 'UDP 192.0.2.10:53');
      cluster.to([draining(one, cluster.nowMs + ownSeconds * 1000), two]).pass();
      const { director } = cluster;
      assert.deepEqual(summarizeTable(director.later(endSeconds * 1000 - 1).pass()), []);
      assert.deepEqual(summarizeTable(director.later(1).pass()), [`delete ${one}:53 DrainDeadline`]);
    }
  });

  it('that moves between RealServers whose labels took turns is never quiesced', () => {
    const blue = podServer('blue', 'web', { weight: 10 });
    const green = podServer('green', 'web', { weight: 20 });
    const director = new ModelDirector();
    const read = (ofBlue: Endpoints, ofGreen: Endpoints) =>
      director
        .read({
          virtualServices: [virtualService('web')],
          realServers: [blue, green],
          realServerSlices: [slice(blue, ofBlue), slice(green, ofGreen)],
        })
        .pass();
    read([one, two], []);
    director.host.connect(key, `${one}:80`, busy);
    assert.deepEqual(summarize(read([one, two], [one])), [], 'both have it: the older one goes on');
    assert.deepEqual(summarize(read([draining(one), two], [one])), [`edit ${one}:80=20 Changed`]);
    assert.deepEqual(summarize(read([two], [one])), []);
    assert.equal(director.host.table.get(key)?.realServers.get(`${one}:80`)?.connections.active, 3);
  });
});

describe('when every endpoint drains', () => {
  const weights = ({ director }: Cluster) => director.host.weights(key);

  it('all keep their weight until the deadline of each', () => {
    const cluster = new Cluster();
    const { director } = cluster;
    const startMs = cluster.nowMs;
    cluster.to([draining(one, startMs + 10_000), draining(two, startMs + 30_000)]);
    assert.deepEqual(summarize(director.pass()), []);
    assert.equal(director.drains.length, 2, 'the ledger knows that they leave');
    assert.deepEqual(summarize(director.later(9999).pass()), []);
    assert.deepEqual(weights(cluster), { [`${one}:80`]: 100, [`${two}:80`]: 100 });
    assert.deepEqual(summarizeTable(director.later(1).pass()), [`delete ${one}:80 DrainDeadline`]);
    assert.deepEqual(summarizeTable(director.later(20_000).pass()), [`delete ${two}:80 DrainDeadline`]);
    assert.deepEqual(director.later(1000).pass().changes, [], 'and they stay out');
    assert.deepEqual(director.drains, []);
  });

  it('idle ones stay, because the next client is for them', () => {
    const cluster = new Cluster();
    cluster.to([draining(one, cluster.nowMs + 30_000), draining(two, cluster.nowMs + 30_000)]).pass();
    for (let second = 0; second < 29; second++) {
      assert.deepEqual(summarize(cluster.director.later(1000).pass()), []);
    }
  });

  it('those without a deadline have the drain timeout, and do not come back after it', () => {
    const cluster = new Cluster({ drain: { timeoutSeconds: 60 } });
    const { director } = cluster;
    cluster.to([draining(one), draining(two)]).pass();
    assert.deepEqual(summarizeTable(director.later(59_999).pass()), []);
    assert.equal(summarizeTable(director.later(1).pass()).length, 2);
    assert.deepEqual(director.later(1000).pass().changes, []);
  });

  it('one that was quiesced serves again when the last one that serves begins to end', () => {
    const cluster = new Cluster();
    const { director } = cluster;
    const endMs = cluster.nowMs + 30_000;
    cluster.connect(one);
    cluster.to([draining(one, endMs), two]).pass();
    assert.deepEqual(summarize(cluster.to([draining(one, endMs), draining(two, endMs)]).pass()), [
      `edit ${one}:80=100 Restored`,
    ]);
    const third = '10.244.1.7';
    assert.deepEqual(summarize(cluster.to([draining(one, endMs), draining(two, endMs), third]).pass()), [
      `add ${third}:80=100 New`,
      `edit ${one}:80=0 Quiesced`,
      `edit ${two}:80=0 Quiesced`,
    ]);
    assert.deepEqual(summarize(director.later(1000).pass()), [`delete ${two}:80 Drained`]);
  });

  it('an idle one that is quiesced is not removed in the pass in which it is needed', () => {
    const cluster = new Cluster();
    const endMs = cluster.nowMs + 30_000;
    cluster.connect(one);
    cluster.to([draining(one, endMs), two]).pass();
    cluster.director.host.disconnectAll();
    const plan = cluster.to([draining(one, endMs), draining(two, endMs)]).pass();
    assert.deepEqual(summarize(plan), [`edit ${one}:80=100 Restored`]);
  });

  it('one that had left already comes back while it may', () => {
    const cluster = new Cluster();
    const endMs = cluster.nowMs + 30_000;
    cluster.to([draining(one, endMs), two]).pass();
    assert.deepEqual(summarize(cluster.director.later(1000).pass()), [`delete ${one}:80 Drained`]);
    const plan = cluster.to([draining(one, endMs), draining(two, endMs)]).pass();
    assert.deepEqual(summarize(plan), [`add ${one}:80=100 New`]);
    assert.equal(cluster.director.drains.length, 2);
  });

  it('an empty service takes in those that still may', () => {
    const cluster = new Cluster();
    const endMs = cluster.nowMs + 30_000;
    const drained = podServer('app', 'web', { state: 'Drained' });
    cluster.to([one], drained).pass();
    cluster.director.later(1000).pass();
    assert.deepEqual(weights(cluster), {});
    assert.deepEqual(summarize(cluster.to([draining(one, endMs), draining(two)]).pass()), [
      `add ${one}:80=100 New`,
    ]);
  });

  it('a director that starts then serves with those that say how long they may', () => {
    const director = new ModelDirector();
    director.read({
      virtualServices: [virtualService('web')],
      realServers: [app],
      realServerSlices: [slice(app, [draining(one, director.nowMs + 30_000), draining(two)])],
    });
    director.pass();
    assert.deepEqual(director.host.weights(key), { [`${one}:80`]: 100 });
    assert.deepEqual(director.pass().changes, []);
    assert.deepEqual(summarizeTable(director.later(30_000).pass()), [`delete ${one}:80 DrainDeadline`]);
  });

  it('other hands on a last resort are repaired, and called so', () => {
    const cluster = new Cluster();
    const { director } = cluster;
    const endMs = cluster.nowMs + 30_000;
    cluster.to([draining(one, endMs), draining(two, endMs)]).pass();
    const there = director.host.table.get(key)?.realServers.get(`${one}:80`);
    assert.ok(there);
    director.host.setServer(key, `${one}:80`, { ...there, config: { ...there.config, weight: 7 } });
    assert.deepEqual(summarize(director.pass()), [`edit ${one}:80=100 Drift`]);
    director.host.setServer(key, `${one}:80`, undefined);
    assert.deepEqual(summarize(director.pass()), [`add ${one}:80=100 Drift`]);
  });

  it('an edit of the weight reaches them, and is not called a repair', () => {
    const cluster = new Cluster();
    const endMs = cluster.nowMs + 30_000;
    cluster.to([draining(one, endMs)]).pass();
    cluster.director.later(1000).pass();
    const heavier = podServer('app', 'web', { weight: 200 });
    assert.deepEqual(summarizeTable(cluster.to([draining(one, endMs)], heavier).pass()), [
      `edit ${one}:80=200 Changed`,
    ]);
  });

  for (const scheduler of ['mh', 'sh']) {
    it(`${scheduler} needs no fallback, until somebody else serves and they are quiesced`, () => {
      const cluster = new Cluster({ scheduler });
      const { director } = cluster;
      const isOn = () => ((director.host.table.get(key)?.config.flags ?? 0) & serviceFlags.SCHED1) !== 0;
      const endMs = cluster.nowMs + 30_000;
      cluster.connect(one);
      cluster.to([draining(one, endMs), draining(two, endMs)]).pass();
      assert.equal(isOn(), false);
      cluster.to([draining(one, endMs), two]).pass();
      assert.equal(isOn(), true);
      assert.ok((director.host.weights(key)[`${two}:80`] ?? 0) > 0);
      cluster.to([draining(one, endMs), draining(two, endMs)]).pass();
      assert.equal(isOn(), false);
    });
  }

  it('dh, which knows no quiescing, keeps them too', () => {
    const cluster = new Cluster({ scheduler: 'dh' });
    const endMs = cluster.nowMs + 30_000;
    cluster.to([draining(one, endMs), draining(two, endMs)]);
    assert.deepEqual(summarize(cluster.director.pass()), []);
    assert.equal(summarizeTable(cluster.director.later(30_000).pass()).length, 2);
  });

  it('UDP keeps them until their deadline, however short udpSeconds is', () => {
    const cluster = new Cluster({ ports: [{ protocol: 'UDP', port: 53 }] });
    const endMs = cluster.nowMs + 30_000;
    cluster.to([draining(one, endMs), draining(two, endMs)]);
    assert.deepEqual(summarize(cluster.director.pass()), []);
    assert.equal(summarizeTable(cluster.director.later(30_000).pass()).length, 2);
  });
});
