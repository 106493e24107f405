import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HealthWorld, service } from './health-world.ts';
import {
  ModelDirector,
  addressPool,
  desire,
  draining,
  endpoint,
  errorsOf,
  podServer,
  realServer,
  slice,
  virtualService,
} from './world.ts';

const rips = (count: number) => Array.from({ length: count }, (_, index) => `10.1.0.${index + 1}`);

function world(spec: Readonly<Record<string, unknown>>, count = 4, server = {}): HealthWorld {
  return new HealthWorld({
    virtualServices: [virtualService('web', { healthCheck: { tcp: {} }, ...spec })],
    realServers: [realServer('web', 'web', rips(count), server)],
  });
}

const sorryServer = { addresses: ['10.1.0.99'] };

describe('quorum', () => {
  it('is one server where nobody says', () => {
    const web = world({}).up();
    assert.ok(web.down(1, 2, 3).health().isQuorumMet);
    assert.equal(web.down(4).health().isQuorumMet, false);
  });

  it('is lost and met again with hysteresis', () => {
    const web = world({ quorum: { minimum: 2, hysteresis: 1 } }).up();
    assert.ok(web.down(1, 2, 3).health().isQuorumMet, 'one is the minimum less the hysteresis');
    assert.equal(web.down(4).health().isQuorumMet, false);
    assert.equal(web.up(1, 2).health().isQuorumMet, false, 'the minimum alone is not enough now');
    assert.ok(web.up(3).health().isQuorumMet);
  });

  it('counts weights as they are written, not as they rise', () => {
    const web = new HealthWorld({
      virtualServices: [
        virtualService('web', {
          healthCheck: { tcp: {} },
          quorum: { minimumPercent: 50, countIn: 'Weight' },
          slowStart: { durationSeconds: 100 },
        }),
      ],
      realServers: [
        realServer('big', 'web', ['10.1.0.1'], { weight: 300 }),
        realServer('small', 'web', ['10.1.0.2', '10.1.0.3']),
      ],
    });
    assert.ok(web.up().health().isQuorumMet);
    assert.ok(web.down(2, 3).health().isQuorumMet);
    assert.equal(web.up(2, 3).down(1).health().isQuorumMet, false);
  });

  it('does not count servers that take no clients by their object', () => {
    const web = new HealthWorld({
      virtualServices: [virtualService('web', { healthCheck: { tcp: {} }, quorum: { minimum: 2 } })],
      realServers: [
        realServer('one', 'web', ['10.1.0.1']),
        realServer('two', 'web', ['10.1.0.2'], { state: 'Drained' }),
        realServer('three', 'web', ['10.1.0.3'], { weight: 0 }),
      ],
    }).up();
    assert.deepEqual(web.health().counts, { up: 1, total: 1 });
    assert.ok(web.health().isQuorumMet, 'all that there is counts as enough');
  });

  it('without a sorry server changes nothing but what is said', () => {
    const web = world({ quorum: { minimum: 3 } }).up();
    assert.equal(web.down(1, 2).weights(), '1: out, 2: out, 3: 100, 4: 100');
  });
});

describe('a sorry server', () => {
  it('serves while the quorum is lost, and the others keep what they have', () => {
    const web = world({ quorum: { minimum: 3 }, sorryServer }).up();
    assert.equal(web.weights(), '1: 100, 2: 100, 3: 100, 4: 100, 99: out');
    assert.equal(web.down(1, 2).weights(), '1: out, 2: out, 3: 0, 4: 0, 99: 1');
    assert.equal(web.up(1).weights(), '1: 100, 2: out, 3: 100, 4: 100, 99: out');
  });

  it('serves when everybody is drained by name', () => {
    const web = world({ sorryServer }, 2, { state: 'Drained' }).up();
    assert.equal(web.weights(), '1: out, 2: out, 99: 1');
  });

  it('is checked itself: one that is down is no help', () => {
    const web = world({ quorum: { minimum: 3 }, sorryServer })
      .up()
      .down(99);
    assert.equal(web.down(1, 2).weights(), '1: out, 2: out, 3: 100, 4: 100, 99: out');
    assert.equal(web.up(99).weights(), '1: out, 2: out, 3: 0, 4: 0, 99: 1');
  });

  it('comes and goes without a hold on mass removals', () => {
    const names = Array.from({ length: 12 }, (_, index) => `s${index}`);
    const input = {
      virtualServices: names.map((name, index) =>
        virtualService(name, {
          addresses: [{ ip: `192.0.2.${index + 10}` }],
          healthCheck: { tcp: {} },
          sorryServer,
        }),
      ),
      realServers: names.map((name) => realServer(name, name, ['10.1.0.1'])),
    };
    const web = new HealthWorld(input).up();
    const model = new ModelDirector().read(input);
    model.judge = () => web.goal;
    const pass = () => {
      model.pass();
      return model.host.weights(service);
    };
    assert.deepEqual(pass(), { '10.1.0.1:80': 100 });
    web.down(1);
    pass();
    assert.deepEqual(pass(), { '10.1.0.99:80': 1 });
    web.up(1);
    pass();
    assert.deepEqual(pass(), { '10.1.0.1:80': 100 });
    assert.equal(model.held, undefined);
  });

  it('keeps serving over a restart of the director, until the quorum is met', () => {
    const spec = { quorum: { minimum: 3 }, sorryServer };
    const web = world(spec).up().down(1, 2);
    const model = new ModelDirector().read({
      virtualServices: [virtualService('web', { healthCheck: { tcp: {} }, ...spec })],
      realServers: [realServer('web', 'web', rips(4))],
    });
    model.judge = () => web.goal;
    model.pass();
    const next = new HealthWorld(model.input, model.host.table);
    assert.equal(next.weights(), '1: out, 2: out, 3: out, 4: out, 99: 1');
    assert.equal(next.up(1, 2, 3, 4).weights(), '1: 100, 2: 100, 3: 100, 4: 100, 99: out');
  });

  const refused = (sorry: object, spec: object = {}, pool: object = {}) =>
    errorsOf(
      desire({
        virtualServices: [virtualService('web', { sorryServer: { ...sorryServer, ...sorry }, ...spec })],
        addressPools: [addressPool('public', pool as never)],
      }),
    );
  const table: [scenario: string, errors: string[], sorry: object, spec?: object, pool?: object][] = [
    ['is fine where it is allowed', [], {}],
    ['may listen elsewhere under NAT', [], { port: 8080 }],
    [
      'that no pool allows',
      ['RealServerNotAllowed web spec.sorryServer.addresses.0'],
      {},
      {},
      { realServerCIDRs: [] },
    ],
    [
      'on a reserved address',
      ['AddressReserved web spec.sorryServer.addresses.0'],
      { addresses: ['127.0.0.1'] },
    ],
    [
      'of a family without an address',
      ['AddressFamilyMismatch web spec.sorryServer.addresses.0'],
      { addresses: ['2001:db8:1::1'] },
    ],
    ['that is a loop', ['AddressIsVirtual web spec.sorryServer.addresses.0'], { addresses: ['192.0.2.10'] }],
    [
      'with another port under DR',
      ['PortMismatch web spec.sorryServer.port'],
      { port: 81 },
      { forwarding: { method: 'DR' } },
    ],
    [
      'that is asked where nobody is sent to',
      ['HealthCheckPortNotServed web spec.sorryServer.healthCheck.port'],
      { healthCheck: { tcp: {}, port: 22 } },
    ],
    [
      'with a check that cannot be asked',
      ['HealthCheckInvalid web spec.sorryServer.healthCheck.http.body.matches'],
      { healthCheck: { http: { body: { matches: '(?=x)' } } } },
    ],
  ];
  for (const [scenario, errors, ...rest] of table) {
    it(scenario, () => {
      const [first] = refused(...rest);
      assert.equal(first ?? '', errors[0] ?? '');
    });
  }

  it('that is a real server of the service is none there', () => {
    const web = world({ sorryServer: { addresses: ['10.1.0.1'] } }, 1);
    assert.deepEqual(
      web.desired.refusals.map(({ reason }) => reason),
      ['SorryServerIsRealServer'],
    );
    assert.equal(web.weights(), '1: out');
  });

  it('counts in no status as a real server', () => {
    const web = world({ sorryServer });
    assert.equal(web.health().counts.total, 4);
  });
});

describe('panic', () => {
  it('ignores health below the threshold, and says so', () => {
    const web = world({ panicThresholdPercent: 50 }).up();
    assert.equal(web.down(1, 2).weights(), '1: out, 2: out, 3: 100, 4: 100');
    assert.equal(web.down(3).weights(), '1: 100, 2: 100, 3: 100, 4: 100');
    assert.ok(web.health().isPanicking);
    assert.deepEqual(web.health().counts, { up: 1, total: 4 });
    assert.equal(web.up(3).weights(), '1: out, 2: out, 3: 100, 4: 100');
  });
});

describe('slow start', () => {
  const spec = { slowStart: { durationSeconds: 100 } };

  it('lets weights rise, and asks to be called for each step', () => {
    const web = world(spec, 2).up(1);
    assert.equal(web.weights(), '1: 9, 2: out');
    assert.equal(web.wakeAtMs, web.nowMs + 10_000);
    assert.equal(web.after(55_000).weights(), '1: 55, 2: out');
    assert.equal(web.after(45_000).weights(), '1: 100, 2: out');
    assert.equal(web.wakeAtMs, undefined);
  });

  it('begins anew with every recovery', () => {
    const web = world(spec, 1).up().after(100_000);
    assert.equal(web.down(1).after(1000).up(1).weights(), '1: 9');
  });

  it('goes on from where the kernel is after a restart', () => {
    const input = {
      virtualServices: [virtualService('web', { healthCheck: { tcp: {} }, ...spec })],
      realServers: [realServer('web', 'web', rips(2))],
    };
    const web = new HealthWorld(input).up(1).after(100_000).up(2).after(45_000);
    assert.equal(web.weights(), '1: 100, 2: 45');
    const model = new ModelDirector().read(input);
    model.judge = () => web.goal;
    model.pass();
    const next = new HealthWorld(input, model.host.table);
    assert.equal(next.weights(), '1: 100, 2: 45');
    assert.equal(next.after(56_000).weights(), '1: 100, 2: 100');
  });

  it('holds for a newcomer without a check, too', () => {
    const input = (count: number) => ({
      virtualServices: [virtualService('web', spec)],
      realServers: [realServer('web', 'web', rips(count))],
    });
    const web = new HealthWorld(input(1)).after(100_000);
    assert.equal(web.weights(), '1: 100');
    assert.equal(web.want(input(2), new Map()).weights(), '1: 100, 2: 9');
  });
});

describe('a server that comes and goes', () => {
  it('is let in no sooner than a minute after it fell, from its second fall on', () => {
    const web = world({}, 2).up();
    assert.equal(web.down(1).after(5000).up(1).weights(), '1: 100, 2: 100', 'the first time counts as none');
    web.after(5000).down(1);
    assert.equal(web.after(5000).up(1).weights(), '1: out, 2: 100');
    assert.equal(web.wakeAtMs, web.nowMs + 55_000);
    assert.equal(web.after(55_000).weights(), '1: 100, 2: 100');
  });

  it('costs at most two changes of weight a minute', () => {
    const web = world({}, 2).up();
    let changes = 0;
    let last = web.weights();
    for (let step = 0; step < 600; step++) {
      if (step % 4 === 0) web.down(1);
      else if (step % 4 === 2) web.up(1);
      web.after(1000);
      if (web.weights() !== last) changes++;
      last = web.weights();
    }
    assert.ok(changes <= 22, `${changes} in ten minutes`);
  });
});

describe('an isolated director', () => {
  /** Two successes at an interval of two seconds, a probe that may be on its way already, and its timeout. */
  const graceMs = 7000;
  const names = ['a', 'b', 'c', 'd'];
  const many = () =>
    new HealthWorld({
      virtualServices: names.map((name, index) =>
        virtualService(name, { addresses: [{ ip: `192.0.2.${index + 10}` }], healthCheck: { tcp: {} } }),
      ),
      realServers: names.map((name, index) =>
        realServer(
          name,
          name,
          [1, 2, 3].map((n) => `10.1.0.${index * 10 + n}`),
        ),
      ),
    }).up();

  it('holds what it has when nearly everything stops answering', () => {
    const web = many();
    const before = web.goal;
    web.suspect();
    assert.equal(web.memory.isolation, 'MostServersFail');
    web.down();
    assert.equal(web.goal, before, 'nobody falls');
    web.up();
    assert.equal(web.memory.isolation, undefined);
  });

  it('lets the verdicts take effect when it is isolated no more', () => {
    const web = many().suspect().down();
    web.up(1, 2, 3, 11, 12, 13, 21, 22, 23);
    assert.equal(web.memory.isolation, undefined);
    assert.equal(web.after(graceMs).weights('TCP 192.0.2.13:80'), '31: out, 32: out, 33: out');
  });

  it('gives those that it has yet to ask as long as they need to pass, so that nobody falls by the outage', () => {
    const web = many().suspect().down();
    const before = web.goal;
    // Of the last service one server answers so far, and that is no majority that fails.
    web.up(1, 2, 3, 11, 12, 13, 21, 22, 23, 31, 32);
    assert.equal(web.memory.isolation, undefined);
    assert.equal(web.goal, before);
    assert.equal(web.wakeAtMs, web.nowMs + graceMs);
    assert.equal(web.after(graceMs - 1).up(33).goal, before);
    assert.equal(web.wakeAtMs, undefined);
    assert.equal(web.after(1).down(33).weights('TCP 192.0.2.13:80'), '31: 100, 32: 100, 33: out');
  });

  it('is one whose uplink is down', () => {
    const web = many();
    web.isUplinkDown = true;
    assert.equal(web.judge().down(1, 2, 3).weights('TCP 192.0.2.10:80'), '1: 100, 2: 100, 3: 100');
    assert.equal(web.memory.isolation, 'NoUplink');
    web.isUplinkDown = false;
    web.judge();
    assert.equal(web.after(graceMs).weights('TCP 192.0.2.10:80'), '1: out, 2: out, 3: out');
  });

  it('is none for which half of the services are lost: they may well be', () => {
    const web = many().down(1, 2, 3, 11, 12, 13);
    assert.equal(web.memory.isolation, undefined);
    assert.equal(web.weights('TCP 192.0.2.10:80'), '1: out, 2: out, 3: out');
  });
});

describe('pods that end', () => {
  const pods = podServer('web', 'web');
  const at = (...endpoints: Parameters<typeof slice>[1]) => ({
    virtualServices: [virtualService('web', { healthCheck: { tcp: {} } })],
    realServers: [pods],
    realServerSlices: [slice(pods, endpoints)],
  });

  it('go on serving while all others are down', () => {
    const web = new HealthWorld(at(endpoint('10.244.0.1'), draining('10.244.0.2', 2_000_000))).up();
    assert.equal(web.weights(), '1: 100, 2: out');
    assert.equal(web.down(1).weights(), '1: out, 2: 100');
    assert.equal(web.down(2).weights(), '1: out, 2: out');
    assert.equal(web.up(1).weights(), '1: 100, 2: out');
  });

  it('and are all that there is, only as long as they pass', () => {
    const web = new HealthWorld(
      at(draining('10.244.0.1', 2_000_000), draining('10.244.0.2', 2_000_000)),
    ).up();
    assert.equal(web.weights(), '1: 100, 2: 100');
    assert.equal(web.down(1).weights(), '1: out, 2: 100');
  });
});
