import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeHealth } from '../../src/plan/index.ts';
import { HealthWorld, service } from './health-world.ts';
import { realServer, virtualService } from './world.ts';

function world(spec: Readonly<Record<string, unknown>> = {}): HealthWorld {
  return new HealthWorld({
    virtualServices: [
      virtualService('web', {
        healthCheck: { tcp: {} },
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81 },
        ],
        ...spec,
      }),
    ],
    realServers: [
      realServer('one', 'web', ['10.1.0.1', '10.1.0.2']),
      realServer('two', 'web', ['10.1.0.3'], { state: 'Drained' }),
    ],
  });
}

describe('health as exceptions', () => {
  it('is nothing where all is well', () => {
    const { failing, services, realServers, checked } = describeHealth(world().up().memory);
    assert.deepEqual([failing, services, realServers, checked], [[], [], [], 6]);
  });

  it('names each server that fails, its object, since when and why, but none that is drained', () => {
    const web = world().up().after(5000).down(1, 3);
    const summary = describeHealth(web.memory);
    assert.deepEqual(summary.failing[0], {
      service,
      realServer: '10.1.0.1:80',
      object: 'RealServer default/one',
      reason: 'ConnectTimeout',
      sinceMs: web.nowMs,
    });
    assert.equal(summary.failing.length, 2, 'on both ports');
    assert.deepEqual(summary.realServers, [{ object: 'RealServer default/one', failing: 1, total: 2 }]);
    assert.deepEqual(
      summary.services.map(({ trouble, up, total }) => [trouble, up, total]),
      [
        ['Degraded', 1, 2],
        ['Degraded', 1, 2],
      ],
    );
  });

  const troubles: [trouble: string, spec: object][] = [
    ['NoneUp', {}],
    ['SorryServer', { sorryServer: { addresses: ['10.1.0.99'] } }],
    ['HealthIgnored', { panicThresholdPercent: 10 }],
  ];
  for (const [trouble, spec] of troubles)
    it(`tells ${trouble}`, () => {
      const summary = describeHealth(
        world(spec as never)
          .up()
          .down(1, 2).memory,
      );
      assert.deepEqual(new Set(summary.services.map((one) => one.trouble)), new Set([trouble]));
    });

  it('tells that a quorum is lost', () => {
    const summary = describeHealth(
      world({ quorum: { minimum: 2 } })
        .up()
        .down(1).memory,
    );
    assert.equal(summary.services[0]?.trouble, 'QuorumLost');
  });

  it('tells who was never asked, and who flaps', () => {
    const web = world();
    assert.equal(describeHealth(web.memory).failing[0]?.reason, 'NotAskedYet');
    web.up().down(1).after(1000).up(1).after(1000).down(1).after(1000).up(1);
    assert.equal(describeHealth(web.memory).failing[0]?.reason, 'Flapping');
  });
});
