import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import { isRepair } from '../../src/plan/index.ts';
import {
  ModelDirector,
  busy,
  realServer,
  servingDirector,
  summarize,
  summarizeTable,
  virtualService,
  web,
  webKey as key,
  serverA as a,
  serverB as b,
} from './world.ts';

describe('a pass', () => {
  it('fills services before their port opens and their address comes up', () => {
    const director = new ModelDirector().read({ virtualServices: [web], realServers: [a, b] });
    const steps = summarize(director.pass()).filter((step) => !step.startsWith('sysctl'));
    assert.deepEqual(steps, [
      `add ${key} New`,
      'add 10.0.0.5:80=100 New',
      'add 10.0.0.6:80=100 New',
      'rules',
      'bind 192.0.2.10 eth0',
    ]);
  });

  it('finds nothing to do the second time', () => {
    const director = servingDirector();
    const plan = director.pass();
    assert.deepEqual(plan.changes, []);
    assert.equal(plan.wakeAtMs, undefined);
    assert.equal(plan.isFollowedUp, false);
  });

  it('a weight change is one SET, and nothing else of the server moves', () => {
    const director = new ModelDirector().read({
      virtualServices: [web],
      realServers: [realServer('a', 'web', ['10.0.0.5'], { upperThreshold: 10, lowerThreshold: 5 })],
    });
    director.pass();
    director.read({
      virtualServices: [web],
      realServers: [
        realServer('a', 'web', ['10.0.0.5'], { upperThreshold: 10, lowerThreshold: 5, weight: 7 }),
      ],
    });
    const { changes } = director.pass();
    assert.deepEqual(summarizeTable({ changes }), ['edit 10.0.0.5:80=7 Changed']);
    const [change] = changes;
    assert.ok(change?.type === 'ipvs' && change.operation.type === 'editRealServer');
    assert.equal(change.operation.config.upperThreshold, 10);
  });

  it('another scheduler is one SET of the service', () => {
    const director = servingDirector();
    director.read({ virtualServices: [virtualService('web', { scheduler: 'rr' })], realServers: [a, b] });
    assert.deepEqual(summarize(director.pass()), [`edit ${key} Changed`]);
  });

  it('replaces a real server by adding the new one before quiescing the old one', () => {
    const director = servingDirector();
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({ virtualServices: [web], realServers: [realServer('a', 'web', ['10.0.0.7']), b] });
    assert.deepEqual(summarizeTable(director.pass()), [
      'add 10.0.0.7:80=100 New',
      'edit 10.0.0.5:80=0 Quiesced',
    ]);
  });

  it('names the ledger before the kernel: what will be owned', () => {
    const director = new ModelDirector().read({ virtualServices: [web], realServers: [a] });
    const plan = director.plan();
    assert.deepEqual(plan.ownedServices, [key]);
    assert.deepEqual(plan.ownedVips, [{ vip: '192.0.2.10', device: 'eth0', announce: true }]);
  });
});

describe('drift', () => {
  const hands: readonly (readonly [string, (director: ModelDirector) => void, readonly string[]])[] = [
    [
      'a weight that somebody changed',
      ({ host }) => {
        const server = host.table.get(key)?.realServers.get('10.0.0.5:80');
        assert.ok(server);
        host.setServer(key, '10.0.0.5:80', { ...server, config: { ...server.config, weight: 1 } });
      },
      ['edit 10.0.0.5:80=100 Drift'],
    ],
    [
      'a real server that somebody deleted',
      ({ host }) => host.setServer(key, '10.0.0.5:80', undefined),
      ['add 10.0.0.5:80=100 Drift'],
    ],
    [
      'a service that somebody deleted',
      ({ host }) => void host.table.delete(key),
      [`add ${key} Drift`, 'add 10.0.0.5:80=100 Drift', 'add 10.0.0.6:80=100 Drift'],
    ],
    [
      'a service whose scheduler and witness somebody changed',
      ({ host }) => {
        const service = host.table.get(key);
        assert.ok(service);
        host.table.set(key, { ...service, config: { ...service.config, flags: 0, scheduler: 'rr' } });
      },
      [`edit ${key} Drift`],
    ],
    ['an address that somebody removed', ({ host }) => void (host.addresses = []), ['bind 192.0.2.10 eth0']],
    [
      'a sysctl',
      ({ host }) => void host.sysctls.set('net/ipv4/ip_forward', '0'),
      ['sysctl net/ipv4/ip_forward=1'],
    ],
    [
      'our packet rules',
      ({ host }) => void (host.packetRules = { vips: [], claims: [], sourceNat: [], mssClamps: [] }),
      ['rules'],
    ],
  ];
  for (const [name, interfere, expected] of hands) {
    it(`repairs ${name}`, () => {
      const director = servingDirector();
      interfere(director);
      const plan = director.pass();
      assert.deepEqual(summarize(plan), expected);
      assert.ok(plan.changes.every(isRepair), 'people asked for none of it');
      assert.deepEqual(director.pass().changes, []);
    });
  }

  it('drains a real server that somebody slipped into our service', () => {
    const director = servingDirector();
    const server = director.host.table.get(key)?.realServers.get('10.0.0.5:80');
    assert.ok(server);
    const rip = parseIpAddress('10.9.9.9');
    director.host.setServer(key, '10.9.9.9:80', { ...server, key: { rip, port: 80 } });
    assert.deepEqual(summarize(director.pass()), ['edit 10.9.9.9:80=0 Quiesced']);
    assert.deepEqual(summarize(director.later(1000).pass()), ['delete 10.9.9.9:80 Drained']);
  });
});
