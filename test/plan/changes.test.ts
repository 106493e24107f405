import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import type { IpAddress } from '../../src/base/index.ts';
import { serviceFlags } from '../../src/ipvs/pure.ts';
import type { VirtualServiceConfig } from '../../src/ipvs/pure.ts';
import { defaultDrainSettings, witnessFlag } from '../../src/plan/index.ts';
import {
  ModelDirector,
  addressPool,
  boundAddress,
  realServer,
  summarize,
  summarizeTable,
  virtualService,
} from './world.ts';

const key = 'TCP 192.0.2.10:80';
const web = virtualService('web');
const a = realServer('a', 'web', ['10.0.0.5']);
const b = realServer('b', 'web', ['10.0.0.6']);

/** A director whose kernel already serves `web` with a and b. */
function serving(spec: Readonly<Record<string, unknown>> = {}): ModelDirector {
  const director = new ModelDirector().read({
    virtualServices: [virtualService('web', spec)],
    realServers: [a, b],
  });
  director.pass();
  return director;
}

const busy = { active: 3, inactive: 1 };

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
    const director = serving();
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
    const director = serving();
    director.read({ virtualServices: [virtualService('web', { scheduler: 'rr' })], realServers: [a, b] });
    assert.deepEqual(summarize(director.pass()), [`edit ${key} Changed`]);
  });

  it('replaces a real server by adding the new one before quiescing the old one', () => {
    const director = serving();
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
        host.table
          .get(key)
          ?.realServers.set('10.0.0.5:80', { ...server, config: { ...server.config, weight: 1 } });
      },
      ['edit 10.0.0.5:80=100 Drift'],
    ],
    [
      'a real server that somebody deleted',
      ({ host }) => void host.table.get(key)?.realServers.delete('10.0.0.5:80'),
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
      const director = serving();
      interfere(director);
      assert.deepEqual(summarize(director.pass()), expected);
      assert.deepEqual(director.pass().changes, []);
    });
  }

  it('drains a real server that somebody slipped into our service', () => {
    const director = serving();
    const server = director.host.table.get(key)?.realServers.get('10.0.0.5:80');
    assert.ok(server);
    const rip = parseIpAddress('10.9.9.9');
    director.host.table.get(key)?.realServers.set('10.9.9.9:80', { ...server, key: { rip, port: 80 } });
    assert.deepEqual(summarize(director.pass()), ['edit 10.9.9.9:80=0 Quiesced']);
    assert.deepEqual(summarize(director.later(1000).pass()), ['delete 10.9.9.9:80 Drained']);
  });
});

describe('drain', () => {
  it('a removed server is quiesced at once and deleted when its last connection has gone', () => {
    const director = serving();
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
    const director = serving({ drain: { timeoutSeconds: 300, settleSeconds: 10 } });
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
    const director = serving({ drain: { timeoutSeconds: 30 } });
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
    const director = serving();
    director.host.connect(key, '10.0.0.5:80', busy);
    director.read({ virtualServices: [web], realServers: [b] }).pass();
    director.read({ virtualServices: [web], realServers: [a, b] });
    assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:80=100 Restored']);
    assert.deepEqual(director.drains, []);
    assert.equal(director.host.table.get(key)?.realServers.get('10.0.0.5:80')?.connections.active, 3);
  });

  it('state Drained leaves the table once drained and stays out until it is Enabled again', () => {
    const director = serving();
    const drained = realServer('a', 'web', ['10.0.0.5'], { state: 'Drained' });
    director.read({ virtualServices: [web], realServers: [drained, b] });
    assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:80=0 Quiesced']);
    assert.deepEqual(summarize(director.later(1000).pass()), ['delete 10.0.0.5:80 Drained']);
    assert.deepEqual(director.later(1000).pass().changes, []);
    director.read({ virtualServices: [web], realServers: [a, b] });
    assert.deepEqual(summarize(director.pass()), ['add 10.0.0.5:80=100 New']);
  });

  it('weight 0 without Drained is a wish: the server stays', () => {
    const director = serving();
    director.read({
      virtualServices: [web],
      realServers: [realServer('a', 'web', ['10.0.0.5'], { weight: 0 }), b],
    });
    assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:80=0 Quiesced']);
    assert.deepEqual(director.later(3_600_000).pass().changes, []);
  });

  it('a restart in mid-drain keeps the deadline; a record without its server is dropped', () => {
    const director = serving({ drain: { timeoutSeconds: 30 } });
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
      const director = serving(spec);
      director.host.connect('UDP 192.0.2.10:53', '10.0.0.5:53', { inactive: 9 });
      director.read({ virtualServices: [virtualService('web', spec)], realServers: [b] });
      if (waitMs > 0) assert.deepEqual(summarize(director.pass()), ['edit 10.0.0.5:53=0 Quiesced']);
      assert.ok(summarize(director.later(waitMs).pass()).includes('delete 10.0.0.5:53 DrainDeadline'));
    }
  });

  for (const scheduler of ['mh', 'sh']) {
    it(`${scheduler} gets its fallback before a server is quiesced and loses it after`, () => {
      const director = serving({ scheduler });
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
    const director = serving({ scheduler: 'dh' });
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
    const director = serving();
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
    const director = serving({ forwarding: { sourceNAT: true }, sourceRanges: ['198.51.100.0/24'] });
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
      realServer(metadata.name, 'web', spec.addresses, { state: 'Drained' }),
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
    const director = serving();
    director.host.table.set(key, { ...serviceOf(director), config: foreignConfig });
    director.ownedServices = new Set();
    director.previous = undefined;
    director.read({ virtualServices: [web], realServers: [a] });
    assert.deepEqual(summarize(director.pass()), [`edit ${key} Adopted`, 'edit 10.0.0.6:80=0 Quiesced']);
  });

  it('knows its own by the witness when the ledger is lost', () => {
    const director = serving();
    director.ownedServices = new Set();
    director.ownedVips = [];
    director.previous = undefined;
    director.read({});
    assert.equal(summarizeTable(director.pass()).length, 2);
    director.later(1000).pass();
    assert.ok(summarize(director.pass()).includes('release 192.0.2.10 eth0'));
  });

  it('does not release an address that a foreign service uses', () => {
    const director = serving();
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
    const director = serving();
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
    const director = serving();
    assert.equal((director.host.table.get(key)?.config.flags ?? 0) & 0x7f000000, witnessFlag);
  });

  function serviceOf(director: ModelDirector) {
    const service = director.host.table.get(key);
    assert.ok(service);
    return { ...service, realServers: new Map(service.realServers) };
  }
});

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
    const director = serving();
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
