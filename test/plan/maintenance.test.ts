import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { schedulerNames } from '../../src/api/index.ts';
import { quiesceDirector, tableBesideMaintenance } from '../../src/plan/index.ts';
import type { DesiredState } from '../../src/plan/index.ts';
import {
  busy,
  desire,
  draining,
  podServer,
  realServer,
  servingDirector,
  slice,
  summarizeTable,
  virtualService,
  webKey as key,
  serverA as a,
  serverB as b,
  ModelDirector,
} from './world.ts';

const serves = (desired: DesiredState): DesiredState => desired;
const a80 = '10.0.0.5:80';
const b80 = '10.0.0.6:80';

describe('a director in maintenance', () => {
  for (const scheduler of schedulerNames) {
    it(`keeps services and real servers at weight 0 under ${scheduler}, and gives the weights back`, () => {
      const director = servingDirector({ scheduler });
      const before = director.host.weights(key);
      const { config } = director.host.table.get(key) ?? assert.fail();
      director.host.connect(key, a80, busy);
      director.judge = quiesceDirector;
      const plan = director.pass();
      assert.deepEqual(director.host.weights(key), { [a80]: 0, [b80]: 0 });
      assert.deepEqual(
        plan.changes.filter((change) => change.type !== 'ipvs'),
        [],
        'addresses, rules and sysctls stay',
      );
      assert.deepEqual(director.drains, [], 'nothing leaves');
      for (let minute = 0; minute < 20; minute++)
        assert.deepEqual(director.later(60_000).pass().changes, [], 'no deadline ends what is open');
      director.judge = serves;
      const verbs = new Set(summarizeTable(director.pass()).map((line) => line.split(' ')[0]));
      assert.deepEqual([...verbs], ['edit'], 'nothing is deleted to be made anew');
      assert.deepEqual(director.host.weights(key), before);
      assert.deepEqual(director.host.table.get(key)?.config, config);
    });
  }

  it('admits new servers and services at weight 0', () => {
    const director = servingDirector();
    director.judge = quiesceDirector;
    director.pass();
    const other = virtualService('other', { addresses: [{ ip: '192.0.2.11' }], scheduler: 'dh' });
    director.read({
      virtualServices: [...(director.input.virtualServices ?? []), other],
      realServers: [a, b, realServer('c', 'web', ['10.0.0.7']), realServer('d', 'other', ['10.0.0.8'])],
    });
    director.pass();
    assert.deepEqual(director.host.weights(key), { [a80]: 0, [b80]: 0, '10.0.0.7:80': 0 });
    assert.deepEqual(director.host.weights('TCP 192.0.2.11:80'), { '10.0.0.8:80': 0 });
  });

  it('goes on repairing, and lets go of what is to leave', () => {
    const director = servingDirector();
    director.judge = quiesceDirector;
    director.pass();
    director.host.setServer(key, b80, undefined);
    assert.deepEqual(summarizeTable(director.pass()), [`add ${b80}=0 Drift`]);
    const there = director.host.table.get(key)?.realServers.get(a80) ?? assert.fail();
    director.host.setServer(key, a80, { ...there, config: { ...there.config, weight: 7 } });
    assert.deepEqual(summarizeTable(director.pass()), [`edit ${a80}=0 Drift`]);
    director.read({ virtualServices: director.input.virtualServices ?? [], realServers: [b] });
    director.pass();
    assert.deepEqual(
      Object.keys(director.host.weights(key)),
      [a80, b80],
      'its connections are counted first',
    );
    director.pass();
    assert.deepEqual(Object.keys(director.host.weights(key)), [b80]);
  });

  it('leaves out under dh whom a person gave weight 0, as ever', () => {
    const director = new ModelDirector().read({
      virtualServices: [virtualService('web', { scheduler: 'dh' })],
      realServers: [a, realServer('b', 'web', ['10.0.0.6'], { weight: 0 })],
    });
    director.judge = quiesceDirector;
    director.pass();
    assert.deepEqual(director.host.weights(key), { [a80]: 0 });
  });

  it('keeps no ending pod as a last resort: clients find one on another director', () => {
    const pods = podServer('pods', 'web');
    const ending = desire({
      virtualServices: [virtualService('web')],
      realServers: [pods],
      realServerSlices: [slice(pods, [draining('10.0.0.5', 2_000_000)])],
    });
    const [server] = [...(ending.services.get(key)?.realServers.values() ?? [])];
    assert.equal(server?.isLastResort, true, 'without maintenance it is one');
    const [quiesced] = [...(quiesceDirector(ending).services.get(key)?.realServers.values() ?? [])];
    assert.deepEqual(
      [quiesced?.isLastResort, quiesced?.isDrained, quiesced?.config.weight],
      [false, true, 0],
    );
  });

  it('makes the same goal of the same goal, and of the same service', () => {
    const input = { virtualServices: [virtualService('web')], realServers: [a] };
    const desired = desire(input);
    assert.equal(quiesceDirector(desired), quiesceDirector(desired));
    const { services } = quiesceDirector({ ...desired });
    assert.equal(services.get(key), quiesceDirector(desired).services.get(key));
  });
});

describe('what the table says of health during maintenance', () => {
  it('is the weight before, but for servers that were leaving', () => {
    const director = servingDirector();
    const wanted = director.desired ?? assert.fail();
    director.judge = quiesceDirector;
    director.pass();
    const table = tableBesideMaintenance(director.host.table, wanted, (entry) => entry.endsWith(b80));
    const weights = [...(table.get(key)?.realServers.values() ?? [])].map(({ config }) => config.weight);
    assert.deepEqual(weights, [wanted.services.get(key)?.realServers.get(a80)?.config.weight, 0]);
  });
});
