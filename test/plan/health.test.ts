import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HealthWorld, service } from './health-world.ts';
import { ModelDirector, errorsOf, desire, realServer, virtualService } from './world.ts';

const rips = (count: number) => Array.from({ length: count }, (_, index) => `10.1.0.${index + 1}`);
const tcp = { healthCheck: { tcp: {} } };

function objects(spec: Readonly<Record<string, unknown>> = tcp, count = 3, server = {}) {
  return {
    virtualServices: [virtualService('web', spec)],
    realServers: [realServer('web', 'web', rips(count), server)],
  };
}

/** As a director does it: judged, then played on a host. */
function pass(world: HealthWorld, director: ModelDirector): Record<string, number> {
  director.judge = () => world.want(director.input, director.host.table).goal;
  director.pass();
  return director.host.weights(service);
}

describe('a real server with a check', () => {
  it('is let in when it has passed', () => {
    const world = new HealthWorld(objects());
    assert.equal(world.weights(), '1: out, 2: out, 3: out');
    assert.equal(world.up(1).weights(), '1: 100, 2: out, 3: out');
  });

  it('is in from the start where its check says so', () => {
    const world = new HealthWorld(objects({ healthCheck: { tcp: {}, initialState: 'Up' } }));
    assert.equal(world.weights(), '1: 100, 2: 100, 3: 100');
    assert.equal(world.down(2).weights(), '1: 100, 2: out, 3: 100');
  });

  it('leaves when it fails, and comes back', () => {
    const world = new HealthWorld(objects()).up();
    assert.equal(world.down(2).weights(), '1: 100, 2: out, 3: 100');
    assert.equal(world.after(10_000).up(2).weights(), '1: 100, 2: 100, 3: 100');
  });

  it('that is checked no more is in', () => {
    const world = new HealthWorld(objects()).up().down(1);
    assert.equal(world.want(objects({})).weights(), '1: 100, 2: 100, 3: 100');
    assert.equal(world.goal, world.desired, 'nothing is judged');
  });

  it('goes by the check of its RealServer, if that has one', () => {
    const world = new HealthWorld(objects(tcp, 2, { healthCheck: { none: {} } }));
    assert.equal(world.weights(), '1: 100, 2: 100');
  });

  it('of weight 0 stays as it was wanted', () => {
    const world = new HealthWorld(objects(tcp, 2, { weight: 0 })).up(1);
    assert.equal(world.weights(), '1: 0, 2: 0');
  });

  it('that a person drains leaves, healthy or not', () => {
    const world = new HealthWorld(objects(tcp, 2, { state: 'Drained' })).up(1);
    assert.equal(world.weights(), '1: out, 2: out');
  });
});

describe('what stays the same object', () => {
  it('is everything, when nothing happened', () => {
    const world = new HealthWorld(objects()).up().down(2);
    const { goal, memory } = world;
    world.after(5000);
    assert.equal(world.goal, goal);
    assert.equal(world.memory, memory);
  });

  it('is the server that nothing happened to', () => {
    const world = new HealthWorld(objects()).up();
    const before = world.goal.services.get(service)?.realServers;
    const after = world.down(2).goal.services.get(service)?.realServers;
    assert.equal(after?.get('10.1.0.1:80'), before?.get('10.1.0.1:80'));
    assert.notEqual(after?.get('10.1.0.2:80'), before?.get('10.1.0.2:80'));
  });

  it('is the goal of the objects, while all servers are up', () => {
    const world = new HealthWorld(objects()).up();
    assert.equal(world.goal, world.desired);
  });
});

describe('the kernel after a start of the director', () => {
  const director = () => {
    const model = new ModelDirector().read(objects());
    const world = new HealthWorld(objects()).up().down(2);
    assert.deepEqual(pass(world, model), { '10.1.0.1:80': 100, '10.1.0.3:80': 100 });
    return model;
  };

  it('keeps who serves in, and who was out out, until probes say otherwise', () => {
    const model = director();
    const next = new HealthWorld(objects(), model.host.table);
    assert.equal(next.weights(), '1: 100, 2: out, 3: 100');
    assert.equal(next.down(1).up(2).weights(), '1: out, 2: 100, 3: 100');
  });

  it('keeps who was out out, even where newcomers are up', () => {
    const spec = { healthCheck: { tcp: {}, initialState: 'Up' } };
    const next = new HealthWorld(objects(spec), director().host.table);
    assert.equal(next.weights(), '1: 100, 2: out, 3: 100');
    assert.equal(next.want(objects(spec, 4), new Map()).weights(), '1: 100, 2: out, 3: 100, 4: 100');
  });

  it('keeps everybody in when checks are switched on', () => {
    const model = new ModelDirector().read(objects({}));
    model.pass();
    const world = new HealthWorld(objects({}), model.host.table);
    assert.equal(world.want(objects(), model.host.table).weights(), '1: 100, 2: 100, 3: 100');
  });
});

describe('a server that fails', () => {
  it('keeps its connections for the time of the drain', () => {
    const model = new ModelDirector().read(objects());
    const world = new HealthWorld(objects()).up();
    pass(world, model);
    model.host.connect(service, '10.1.0.1:80', { active: 3 });
    world.down(1);
    assert.deepEqual(pass(world, model), { '10.1.0.1:80': 0, '10.1.0.2:80': 100, '10.1.0.3:80': 100 });
    world.up(1);
    assert.equal(pass(world, model)['10.1.0.1:80'], 100, 'and has them still when it is back');
    world.down(1);
    pass(world, model);
    model.nowMs += 300_000;
    assert.deepEqual(pass(world, model), { '10.1.0.2:80': 100, '10.1.0.3:80': 100 });
  });

  it('goes at once where that is wanted', () => {
    const input = objects({ ...tcp, onFailure: 'Remove' });
    const model = new ModelDirector().read(input);
    const world = new HealthWorld(input).up();
    pass(world, model);
    model.host.connect(service, '10.1.0.1:80', { active: 3 });
    world.down(1);
    assert.deepEqual(pass(world, model), { '10.1.0.2:80': 100, '10.1.0.3:80': 100 });
  });

  for (const scheduler of ['mh', 'sh'])
    it(`refuses nobody under ${scheduler}, which falls back meanwhile`, () => {
      const input = objects({ ...tcp, scheduler });
      const model = new ModelDirector().read(input);
      const world = new HealthWorld(input).up();
      pass(world, model);
      model.host.connect(service, '10.1.0.1:80', { active: 1 });
      world.down(1);
      assert.equal(pass(world, model)['10.1.0.1:80'], 0);
      assert.equal((model.host.table.get(service)?.config.flags ?? 0) & 8, 8);
    });

  it('leaves dh at once, which refuses clients at weight 0', () => {
    const input = objects({ ...tcp, scheduler: 'dh' });
    const model = new ModelDirector().read(input);
    const world = new HealthWorld(input).up();
    pass(world, model);
    model.host.connect(service, '10.1.0.1:80', { active: 1 });
    world.down(1);
    assert.deepEqual(Object.keys(pass(world, model)), ['10.1.0.2:80', '10.1.0.3:80']);
  });

  it('is no mass removal, however many there are', () => {
    const input = objects(tcp, 40);
    const model = new ModelDirector().read(input);
    const world = new HealthWorld(input).up();
    pass(world, model);
    world.down();
    assert.deepEqual(new Set(Object.values(pass(world, model))), new Set([0]));
    assert.deepEqual(pass(world, model), {});
    assert.equal(model.held, undefined);
  });
});

describe('a check that cannot be asked', () => {
  const broken = { http: { body: { matches: '(?=x)' } } };

  it('is refused with the field, and what served before stays', () => {
    const spec = { healthCheck: broken };
    assert.deepEqual(errorsOf(desire(objects(spec))), [
      'HealthCheckInvalid web spec.healthCheck.http.body.matches',
      'VirtualServiceNotAccepted web spec.virtualServiceRef.name',
    ]);
    const before = desire(objects());
    const after = desire({ ...objects(spec), lastAccepted: before.accepted });
    assert.deepEqual([...after.services.keys()], [service]);
  });

  it('takes only its RealServer out', () => {
    const state = desire(objects(tcp, 1, { healthCheck: broken }));
    assert.deepEqual(errorsOf(state), ['HealthCheckInvalid web spec.healthCheck.http.body.matches']);
    assert.deepEqual([...state.services.keys()], [service]);
  });

  it('is one that refers to objects of a cluster, where there is none', () => {
    const referring = { https: { tls: { clientCertificateRef: { name: 'client' } } } };
    const field = 'healthCheck.https.tls.clientCertificateRef';
    const sorryServer = { addresses: ['10.1.0.99'], healthCheck: referring };
    const fromFiles = [
      objects({ healthCheck: referring }, 1),
      objects(tcp, 1, { healthCheck: referring }),
      objects({ ...tcp, sorryServer }, 1),
    ].map((input) => errorsOf(desire(input))[0]);
    assert.deepEqual(fromFiles, [
      `HealthCheckInvalid web spec.${field}`,
      `HealthCheckInvalid web spec.${field}`,
      `HealthCheckInvalid web spec.sorryServer.${field}`,
    ]);
    const ca = { healthCheck: { smtp: { startTls: { caBundleRef: { name: 'ca' } } } } };
    const [refusal] = desire(objects(ca, 1)).refusals;
    assert.equal(
      refusal?.message,
      'spec.healthCheck.smtp.startTls.caBundleRef: needs a cluster, and this director runs from files; write the ' +
        'certificates under caBundle.',
    );
  });

  it('is one that asks another port than clients are sent to', () => {
    const asks = (port: number, where: 'service' | 'server') => {
      const check = { healthCheck: { tcp: {}, port } };
      const input = where === 'service' ? objects(check, 1) : objects({}, 1, check);
      return errorsOf(desire(input));
    };
    assert.deepEqual(asks(80, 'service'), []);
    assert.deepEqual(asks(22, 'service'), ['HealthCheckPortNotServed web spec.ports']);
    assert.deepEqual(asks(22, 'server'), ['HealthCheckPortNotServed web spec.healthCheck.port']);
  });
});

describe('what is asked', () => {
  const targets = (spec: object, server: object = {}) =>
    [
      ...(desire({
        virtualServices: [virtualService('web', spec as never)],
        realServers: [realServer('web', 'web', ['10.1.0.1'], server as never)],
      }).services.values() ?? []),
    ].flatMap(({ realServers }) => [...realServers.values()].map(({ check }) => check?.probe.target));

  it('is the port that serves', () => {
    const ports = [
      { name: 'a', port: 80 },
      { name: 'b', port: 81, protocol: 'UDP' },
    ];
    const map = {
      ports: [
        { name: 'a', port: 8080 },
        { name: 'b', port: 8081 },
      ],
    };
    const at = (port: number) => ({ ip: '10.1.0.1', port });
    assert.deepEqual(targets({ ...tcp, ports }, map), [at(8080), at(8081)]);
    assert.deepEqual(targets({ healthCheck: { tcp: {}, port: 8080 }, ports }, map), [at(8080), at(8080)]);
    assert.deepEqual(targets({ ...tcp, ports, portGrouping: 'Together' }), [at(80)]);
    assert.deepEqual(targets({ healthCheck: { icmp: {} }, ports }), [at(0), at(0)]);
  });
});
