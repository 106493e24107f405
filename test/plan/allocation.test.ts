import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ModelDirector,
  addressPool,
  busy,
  realServer,
  servingDirector,
  summarizeTable,
  virtualService,
  web,
  webKey as key,
  serverA as a,
} from './world.ts';

describe('choices that stay', () => {
  const pooled = (name: string) => virtualService(name, { addresses: [{ pool: 'public' }] });

  it('an address from a pool is the lowest free one, and stays when others come and go', () => {
    const director = new ModelDirector().read({ virtualServices: [pooled('m')] });
    director.pass();
    // 192.0.2.0 is the network address of the uplink's subnet.
    assert.deepEqual(director.allocations.addresses, { 'default/m#0': '192.0.2.1' });
    director.read({ virtualServices: [pooled('a'), pooled('m')] }).pass();
    assert.deepEqual(director.allocations.addresses, {
      'default/m#0': '192.0.2.1',
      'default/a#0': '192.0.2.2',
    });
  });

  it('an address is given away only after the kernel is rid of it', () => {
    const director = new ModelDirector().read({
      virtualServices: [pooled('m')],
      realServers: [realServer('r', 'm', ['10.0.0.5'])],
    });
    director.pass();
    director.host.connect('TCP 192.0.2.1:80', '10.0.0.5:80', busy);
    director.read({ virtualServices: [pooled('n')] }).pass();
    assert.equal(director.allocations.addresses['default/n#0'], '192.0.2.2');
    director.host.disconnectAll();
    for (let i = 0; i < 3; i++) director.later(1000).pass();
    assert.deepEqual(director.allocations.addresses, { 'default/n#0': '192.0.2.2' });
    director.read({ virtualServices: [pooled('n'), pooled('o')] }).pass();
    assert.equal(director.allocations.addresses['default/o#0'], '192.0.2.1');
  });

  it('a port belongs to its incumbent, even if an older object asks for it', () => {
    const director = new ModelDirector().read({ virtualServices: [virtualService('young')] });
    director.pass();
    const old = virtualService('old', {}, { creationTimestamp: '2020-01-01T00:00:00Z' });
    director.read({ virtualServices: [old, virtualService('young')] }).pass();
    assert.equal(director.desired?.services.get(key)?.owner.name, 'young');
    director.read({ virtualServices: [old] });
    assert.deepEqual(summarizeTable(director.pass()), [], 'the service changes hands without a change');
    assert.equal(director.desired.services.get(key)?.owner.name, 'old');
  });

  it('a pool that shrinks under an address releases nothing and warns', () => {
    for (const service of [pooled('web'), virtualService('web', { addresses: [{ ip: '192.0.2.10' }] })]) {
      const director = new ModelDirector().read({ virtualServices: [service] });
      director.pass();
      director.read({
        virtualServices: [service],
        addressPools: [addressPool('public', { addresses: ['198.51.100.0/24'] })],
      });
      assert.deepEqual(director.pass().changes, []);
      assert.deepEqual(
        director.desired?.refusals.map(({ reason, severity }) => [reason, severity]),
        [['PoolShrunk', 'warning']],
      );
    }
  });

  it('a pool that no longer admits the namespace withdraws the address', () => {
    const director = new ModelDirector().read({ virtualServices: [web] });
    director.pass();
    director.read({
      virtualServices: [web],
      addressPools: [addressPool('public', { namespaces: ['team-b'] })],
    });
    assert.deepEqual(summarizeTable(director.pass()), [`delete ${key} Removed`]);
  });

  it('a bad edit leaves the version before in force and says so', () => {
    const director = servingDirector();
    const bad = virtualService('web', { addresses: [{ ip: '203.0.113.1' }] });
    director.read({ virtualServices: [bad], realServers: [a, realServer('b', 'web', ['169.254.169.254'])] });
    assert.deepEqual(director.pass().changes, []);
    assert.deepEqual(
      director.desired?.refusals.map(({ reason, message }) => [reason, message.endsWith('stays in force.')]),
      [
        ['AddressNotInPool', true],
        ['AddressReserved', true],
      ],
    );
    assert.deepEqual(director.pass().changes, [], 'and on every pass after');
  });
});
