import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceFlags } from '../../src/ipvs/pure.ts';
import { defaultDrainSettings } from '../../src/plan/index.ts';
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

describe('drain', () => {
  it('a removed server is quiesced at once and deleted when its last connection has gone', () => {
    const director = servingDirector();
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({ virtualServices: [web], realServers: [b] });
    const first = director.pass();
    assert.deepEqual(summarize(first), ['edit 10.0.0.5:80=0 Quiesced']);
    assert.equal(first.wakeAtMs, director.nowMs + 1000);
    assert.deepEqual(director.later(1000).pass().changes, []);
    director.host.connect(key, '10.0.0.5:80', {});
    assert.deepEqual(summarize(director.later(1000).pass()), ['delete 10.0.0.5:80 Drained']);
    assert.deepEqual(director.drains, []);
    assert.deepEqual(director.pass().changes, []);
  });

  it('inactive connections hold a server for the settle time, active ones start it anew', () => {
    const director = servingDirector({ drain: { timeoutSeconds: 300, settleSeconds: 10 } });
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({ virtualServices: director.input.virtualServices ?? [], realServers: [b] });
    director.pass();
    director.host.connect(key, '10.0.0.5:80', { inactive: 2 });
    assert.deepEqual(director.later(1000).pass().changes, []);
    director.host.connect(key, '10.0.0.5:80', { active: 1, inactive: 2 });
    assert.deepEqual(director.later(9000).pass().changes, []);
    director.host.connect(key, '10.0.0.5:80', { inactive: 2 });
    assert.deepEqual(director.later(1000).pass().changes, []);
    assert.deepEqual(director.later(9999).pass().changes, []);
    const end = summarize(director.later(1).pass());
    assert.ok(end.includes('delete 10.0.0.5:80 Drained'), String(end));
  });

  it('the deadline cuts what is left, and the kernel is told to end those connections', () => {
    const director = servingDirector({ drain: { timeoutSeconds: 30 } });
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({ virtualServices: director.input.virtualServices ?? [], realServers: [b] });
    director.pass();
    assert.equal(director.later(29_500).plan().wakeAtMs, director.nowMs + 500);
    assert.deepEqual(summarize(director.later(500).pass()), [
      'sysctl net/ipv4/vs/expire_nodest_conn=1',
      'delete 10.0.0.5:80 DrainDeadline',
      'sysctl net/ipv4/vs/expire_nodest_conn=0',
    ]);
    assert.deepEqual(director.pass().changes, []);
  });

  it('a server that comes back gets its weight again and keeps its connections', () => {
    const director = servingDirector();
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({ virtualServices: [web], realServers: [b] }).pass();
    director.read({ virtualServices: [web], realServers: [a, b] });
    assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:80=100 Restored']);
    assert.deepEqual(director.drains, []);
    assert.equal(director.host.table.get(key)?.realServers.get('10.0.0.5:80')?.connections.active, 3);
  });

  it('state Drained leaves the table once drained and stays out until it is Enabled again', () => {
    const director = servingDirector();
    const drained = realServer('a', 'web', ['10.0.0.5'], { state: 'Drained' });
    director.read({ virtualServices: [web], realServers: [drained, b] });
    assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:80=0 Quiesced']);
    assert.deepEqual(summarize(director.later(1000).pass()), ['delete 10.0.0.5:80 Drained']);
    assert.deepEqual(director.later(1000).pass().changes, []);
    director.read({ virtualServices: [web], realServers: [a, b] });
    assert.deepEqual(summarize(director.pass()), ['add 10.0.0.5:80=100 New']);
  });

  it('weight 0 without Drained is a wish: the server stays', () => {
    const director = servingDirector();
    director.read({
      virtualServices: [web],
      realServers: [realServer('a', 'web', ['10.0.0.5'], { weight: 0 }), b],
    });
    assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:80=0 Quiesced']);
    assert.deepEqual(director.later(3_600_000).pass().changes, []);
  });

  it('a server that had weight 0 before its object went is counted before it is deleted', () => {
    const director = servingDirector();
    const idle = realServer('a', 'web', ['10.0.0.5'], { weight: 0 });
    director.read({ virtualServices: [web], realServers: [idle, b] }).pass();
    // As old as the last look at the table, which may be from before somebody connected.
    director.host.connect(key, '10.0.0.5:80', {});
    director.read({ virtualServices: [web], realServers: [b] });
    assert.deepEqual(summarize(director.later(1000).pass()), []);
    director.host.connect(key, '10.0.0.5:80', busy);
    assert.deepEqual(summarize(director.later(1000).pass()), []);
    director.host.connect(key, '10.0.0.5:80', {});
    assert.deepEqual(summarize(director.later(1000).pass()), ['delete 10.0.0.5:80 Drained']);
  });

  it('a restart in mid-drain keeps the deadline; a record without its server is dropped', () => {
    const director = servingDirector({ drain: { timeoutSeconds: 30 } });
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({ virtualServices: director.input.virtualServices ?? [], realServers: [b] }).pass();
    director.previous = undefined;
    const gone = { ...director.drains[0], service: key, realServer: '10.0.0.99:80' };
    director.drains = [...director.drains, { ...record(), ...gone }];
    director.later(20_000).pass();
    assert.deepEqual(
      director.drains.map(({ realServer: server, deadlineMs }) => [server, deadlineMs]),
      [['10.0.0.5:80', 1_030_000]],
    );
    assert.ok(summarize(director.later(10_000).pass()).includes('delete 10.0.0.5:80 DrainDeadline'));
  });
  function record() {
    return {
      service: key,
      realServer: '',
      sinceMs: 0,
      deadlineMs: 1,
      idleSinceMs: undefined,
      settings: defaultDrainSettings,
      reason: 'Removed' as const,
    };
  }

  it('UDP servers leave by the clock: at once by default, after udpSeconds if asked', () => {
    for (const [drain, waitMs] of [
      [{}, 0],
      [{ udpSeconds: 20 }, 20_000],
    ] as const) {
      const spec = { ports: [{ protocol: 'UDP', port: 53 }], drain };
      const director = servingDirector(spec);
      director.host.connect('UDP 192.0.2.10:53', '10.0.0.5:53', { inactive: 9 });
      director.read({ virtualServices: [virtualService('web', spec)], realServers: [b] });
      if (waitMs > 0) assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:53=0 Quiesced']);
      assert.ok(summarize(director.later(waitMs).pass()).includes('delete 10.0.0.5:53 DrainDeadline'));
    }
  });

  for (const scheduler of ['mh', 'sh']) {
    it(`${scheduler} gets its fallback before a server is quiesced and loses it after`, () => {
      const director = servingDirector({ scheduler });
      const fallback = () => (director.host.table.get(key)?.config.flags ?? 0) & serviceFlags.SCHED1;
      assert.equal(fallback(), 0);
      director.host.connect(key, '10.0.0.5:80', busy);
      director.read({ virtualServices: director.input.virtualServices ?? [], realServers: [b] });
      assert.deepEqual(summarize(director.pass()).slice(0, 2), [
        `edit ${key} FallbackWhileQuiesced`,
        'edit 10.0.0.5:80=0 Quiesced',
      ]);
      assert.notEqual(fallback(), 0);
      assert.deepEqual(director.pass().changes, []);
      director.host.disconnectAll();
      assert.deepEqual(summarize(director.later(1000).pass()), [
        'delete 10.0.0.5:80 Drained',
        `edit ${key} FallbackWhileQuiesced`,
      ]);
      assert.equal(fallback(), 0);
    });
  }

  it('dh refuses clients at weight 0, so its servers are deleted and never quiesced', () => {
    const director = servingDirector({ scheduler: 'dh' });
    director.read({
      virtualServices: director.input.virtualServices ?? [],
      realServers: [a, realServer('b', 'web', ['10.0.0.6'], { state: 'Drained' })],
    });
    assert.deepEqual(summarize(director.pass()), ['delete 10.0.0.6:80 Drained']);
    director.read({
      virtualServices: director.input.virtualServices ?? [],
      realServers: [a, realServer('b', 'web', ['10.0.0.6'], { weight: 0 })],
    });
    assert.deepEqual(director.pass().changes, []);
  });
});

describe('removing a service', () => {
  it('drains its servers, then deletes it, then closes its port and releases its address', () => {
    const director = servingDirector();
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({});
    assert.deepEqual(summarizeTable(director.pass()), [
      'edit 10.0.0.5:80=0 Quiesced',
      'edit 10.0.0.6:80=0 Quiesced',
    ]);
    assert.deepEqual(director.host.packetRules.claims.length, 1, 'the draining connections pass the guard');
    assert.deepEqual(summarize(director.later(1000).pass()), ['delete 10.0.0.6:80 Drained']);
    director.host.disconnectAll();
    const last = director.later(1000).pass();
    assert.deepEqual(summarize(last), ['delete 10.0.0.5:80 Drained', `delete ${key} Removed`]);
    assert.equal(last.isFollowedUp, true);
    assert.deepEqual(summarize(director.pass()), ['rules', 'release 192.0.2.10 eth0']);
    assert.deepEqual(summarize(director.pass()), ['rules']);
    assert.deepEqual(director.pass().changes, []);
    assert.deepEqual(director.ownedServices, new Set());
    assert.deepEqual(director.ownedVips, []);
  });

  it('keeps source ranges and source NAT of a draining service as they were', () => {
    const director = servingDirector({ forwarding: { sourceNAT: true }, sourceRanges: ['198.51.100.0/24'] });
    director.host.connect(key, '10.0.0.5:80', busy);
    const before = director.host.packetRules;
    director.read({}).pass();
    assert.deepEqual(director.host.packetRules, before);
    assert.equal(director.host.sysctls.get('net/ipv4/vs/conntrack'), '1');
  });

  it('a grouped service keeps its mark while it drains, and the ledger forgets it after', () => {
    const grouped = virtualService('web', { portGrouping: 'Together' });
    const director = new ModelDirector().read({ virtualServices: [grouped], realServers: [a] });
    director.pass();
    director.host.connect('mark 0x4c560001 IPv4', '10.0.0.5:0', busy);
    director.read({}).pass();
    assert.equal(director.host.packetRules.claims[0]?.mark, 0x4c560001);
    assert.equal(director.allocations.marks['default/web 192.0.2.10']?.mark, 0x4c560001);
    const other = virtualService('other', { portGrouping: 'Together', ports: [{ port: 81 }] });
    director.read({ virtualServices: [other] }).pass();
    assert.ok(director.host.table.has('mark 0x4c560002 IPv4'), 'a mark in use is not given away');
    director.host.disconnectAll();
    director.later(1000).pass();
    director.pass();
    assert.deepEqual(Object.keys(director.allocations.marks), ['default/other 192.0.2.10']);
    assert.deepEqual(
      director.host.packetRules.claims.map(({ port }) => port),
      [81],
    );
  });

  it('who takes over the port of a draining grouped service gets its packets', () => {
    const grouped = virtualService('web', {
      portGrouping: 'Together',
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 443 },
      ],
    });
    const director = new ModelDirector().read({ virtualServices: [grouped], realServers: [a] });
    director.pass();
    director.host.connect('mark 0x4c560001 IPv4', '10.0.0.5:0', busy);
    director.read({
      virtualServices: [virtualService('next')],
      realServers: [realServer('n', 'next', ['10.0.0.9'])],
    });
    director.pass();
    const claims = director.host.packetRules.claims.map(({ port, mark }) => [port, mark]);
    assert.deepEqual(claims, [
      [80, undefined],
      [443, 0x4c560001],
    ]);
  });
});
