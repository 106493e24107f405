import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ModelDirector,
  realServer,
  summarize,
  summarizeTable,
  virtualService,
  web,
  webKey as key,
  serverA as a,
} from './world.ts';

describe('mass removal', () => {
  const many = Array.from({ length: 12 }, (_, index) =>
    realServer(`r${index}`, 'web', [`10.0.1.${index + 1}`]),
  );
  const full = { virtualServices: [web], realServers: many };

  function crowd(): ModelDirector {
    const director = new ModelDirector().read(full);
    director.pass();
    return director;
  }

  it('is held until a second complete list, at least 5 s later, agrees', () => {
    const director = crowd();
    director.read({});
    const held = director.pass();
    assert.deepEqual(held.changes, []);
    assert.equal(held.held?.keys.length, 13);
    assert.equal(held.wakeAtMs, director.nowMs + 5000);
    director.read({});
    assert.deepEqual(director.later(4999).pass().changes, [], 'a second list too early');
    assert.equal(summarizeTable(director.later(1).pass()).length, 12);
    assert.equal(director.held, undefined);
    assert.deepEqual(director.later(500).read({}).pass().held, undefined, 'what drains is decided');
  });

  it('is not confirmed by time alone', () => {
    const director = crowd();
    director.read({}).pass();
    const plan = director.later(60_000).pass();
    assert.deepEqual(plan.changes, []);
    assert.equal(plan.wakeAtMs, director.nowMs + 1000);
  });

  it('is forgotten when the list comes back', () => {
    const director = crowd();
    director.read({}).pass();
    director.read(full);
    const plan = director.later(6000).pass();
    assert.deepEqual(plan.changes, []);
    assert.equal(plan.held, undefined);
  });

  it('starts anew when the second list asks for more', () => {
    const director = crowd();
    director.read({ virtualServices: [web], realServers: many.slice(0, 1) }).pass();
    assert.equal(director.held?.keys.length, 11);
    director.read({});
    assert.deepEqual(director.later(6000).pass().changes, []);
    assert.equal(director.held?.keys.length, 13);
    assert.equal(director.held.sinceMs, director.nowMs);
  });

  it('goes through when the second list asks for less', () => {
    const director = crowd();
    director.read({}).pass();
    director.read({ virtualServices: [web], realServers: many.slice(0, 1) });
    assert.equal(summarizeTable(director.later(6000).pass()).length, 11);
  });

  it('does not hold additions, drains that people asked for, or ten entries', () => {
    const director = crowd();
    const drained = many.map(({ spec, metadata }) =>
      realServer(metadata.name, 'web', spec.addresses ?? [], { state: 'Drained' }),
    );
    director.read({ virtualServices: [web], realServers: [...drained, a] });
    assert.equal(summarizeTable(director.pass()).length, 13);

    const ten = new ModelDirector().read({ virtualServices: [web], realServers: many.slice(0, 9) });
    ten.pass();
    ten.read({});
    assert.equal(summarizeTable(ten.pass()).length, 9);
  });

  it('removes nothing before every kind was read once, but adds', () => {
    const director = crowd();
    director.isComplete = false;
    director.read({ virtualServices: [virtualService('new', { addresses: [{ ip: '192.0.2.11' }] })] });
    assert.deepEqual(summarize(director.pass()), [
      'add TCP 192.0.2.11:80 New',
      'rules',
      'bind 192.0.2.11 eth0',
    ]);
    assert.equal(director.host.packetRules.claims.length, 2);
    assert.ok(director.ownedServices.has(key));
  });
});
