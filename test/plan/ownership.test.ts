import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import type { IpAddress } from '../../src/base/index.ts';
import type { VirtualServiceConfig } from '../../src/ipvs/pure.ts';
import { witnessFlag } from '../../src/plan/index.ts';
import {
  ModelDirector,
  boundAddress,
  servingDirector,
  summarize,
  summarizeTable,
  web,
  webKey as key,
  serverA as a,
} from './world.ts';

describe('ownership', () => {
  const foreignConfig: VirtualServiceConfig = {
    scheduler: 'rr',
    flags: 0,
    persistenceTimeoutSeconds: 0,
    persistencePrefixLength: 32,
    persistenceEngine: undefined,
  };

  it('leaves a foreign service and its real servers alone', () => {
    const director = new ModelDirector().read({ virtualServices: [web], realServers: [a] });
    director.pass();
    const foreign = { ...serviceOf(director), config: foreignConfig };
    director.host.table.set('TCP 192.0.2.99:80', {
      ...foreign,
      key: { kind: 'address', protocol: 'TCP', vip: parseIpAddress('192.0.2.99'), port: 80 },
    });
    assert.deepEqual(director.pass().changes, []);
    assert.ok(!director.ownedServices.has('TCP 192.0.2.99:80'));
  });

  it('adopts a service that it wants and drains what is too many in it', () => {
    const director = servingDirector();
    director.host.table.set(key, { ...serviceOf(director), config: foreignConfig });
    director.ownedServices = new Set();
    director.previous = undefined;
    director.read({ virtualServices: [web], realServers: [a] });
    assert.deepEqual(summarize(director.pass()), [`edit ${key} Adopted`, 'edit 10.0.0.6:80=0 Quiesced']);
  });

  it('knows its own by the witness when the ledger is lost', () => {
    const director = servingDirector();
    director.ownedServices = new Set();
    director.ownedVips = [];
    director.previous = undefined;
    director.read({});
    assert.equal(summarizeTable(director.pass()).length, 2);
    director.later(1000).pass();
    assert.ok(summarize(director.pass()).includes('release 192.0.2.10 eth0'));
  });

  it('does not release an address that a foreign service uses', () => {
    const director = servingDirector();
    const foreignKey = 'TCP 192.0.2.10:8080';
    director.host.table.set(foreignKey, {
      ...serviceOf(director),
      key: { kind: 'address', protocol: 'TCP', vip: parseIpAddress('192.0.2.10'), port: 8080 },
      config: foreignConfig,
    });
    director.read({});
    for (let i = 0; i < 4; i++) director.later(1000).pass();
    assert.deepEqual([...director.host.table.keys()], [foreignKey]);
    assert.deepEqual(director.host.addresses.length, 1);
  });

  it('leaves foreign addresses alone', () => {
    const director = servingDirector();
    const foreign = { ...boundAddress({ vip: parseIpAddress('192.0.2.77'), device: 'eth0' }), protocol: 0 };
    director.host.addresses = [...director.host.addresses, foreign];
    assert.deepEqual(director.pass().changes, []);
  });

  it('moves a VIP to another device by binding first and releasing in the next pass', () => {
    const director = new ModelDirector().read({ virtualServices: [web] });
    director.host.addresses = [boundAddress({ vip: '192.0.2.10' as IpAddress, device: 'lvs0' })];
    const plan = director.pass();
    assert.ok(summarize(plan).includes('bind 192.0.2.10 eth0'));
    assert.equal(plan.isFollowedUp, true);
    assert.deepEqual(summarize(director.pass()), ['release 192.0.2.10 lvs0']);
  });

  it('marks every service that it writes', () => {
    const director = servingDirector();
    assert.equal((director.host.table.get(key)?.config.flags ?? 0) & 0x7f000000, witnessFlag);
  });

  function serviceOf(director: ModelDirector) {
    const service = director.host.table.get(key);
    assert.ok(service);
    return { ...service, realServers: new Map(service.realServers) };
  }
});
