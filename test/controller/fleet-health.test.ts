import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseResource, apiVersion } from '../../src/api/index.ts';
import { FleetHealth, describeServiceHealth } from '../../src/controller/fleet-health.ts';
import { liveDirectors } from '../../src/controller/live-directors.ts';
import { computeRealServerStatus } from '../../src/controller/real-server-status.ts';
import { transitionNotes } from '../../src/controller/transition-events.ts';
import { virtualServiceVerdicts } from '../../src/controller/virtual-service-status.ts';
import { realServer, virtualService } from './objects.ts';

const now = '2026-01-01T00:00:00Z';

function service(name: string, reason: string, up: number, total = 4) {
  return { object: `VirtualService shop/${name}`, service: 'TCP 192.0.2.10:80', reason, up, total };
}

/** Directors on nodes that are ready, with what they say of health. */
function fleetOf(statuses: Readonly<Record<string, object>>): FleetHealth {
  const directors = Object.entries(statuses).map(([name, status]) => {
    const parsed = parseResource({
      apiVersion,
      kind: 'Director',
      metadata: { name },
      spec: {},
      status: {
        programmedThrough: {
          virtualServices: '1',
          realServers: '1',
          realServerSlices: '1',
          addressPools: '1',
        },
        ...status,
      },
    });
    assert.ok(parsed.ok && parsed.resource.kind === 'Director');
    return parsed.resource;
  });
  const labels = { 'networking.lvs-operator.io/director': '' };
  const node = (name: string) => ({ name, labels, isReady: true }) as never;
  return new FleetHealth(liveDirectors(directors, { get: node }));
}

describe('health, as the directors of a cluster see it', () => {
  const fleet = fleetOf({
    a: {
      failingServices: [service('web', 'Degraded', 3), service('web', 'QuorumLost', 1)],
      failingRealServers: [{ object: 'RealServer shop/pods', failing: 3, total: 4 }],
    },
    b: {
      failingServices: [service('web', 'Degraded', 2), service('dns', 'NoneUp', 0)],
      failingRealServers: [{ object: 'RealServer shop/pods', failing: 2, total: 4 }],
    },
    c: {},
  });

  it('is told by who sees the worst', () => {
    const web = fleet.serviceOf('shop/web');
    assert.deepEqual([web?.worst.reason, web?.directors, web?.failing], ['QuorumLost', ['a'], 3]);
    assert.equal(
      web && describeServiceHealth(web),
      '1 of 4 real servers of TCP 192.0.2.10:80 are up on director a; ' +
        'that is below the quorum, and they go on serving.',
    );
    assert.equal(fleet.serviceOf('shop/mail'), undefined);
  });

  it('counts the directors that see a RealServer whole', () => {
    assert.deepEqual(fleet.realServerOf('shop/pods'), { failing: 3, troubled: ['a', 'b'] });
    const status = (health: ReturnType<FleetHealth['realServerOf']>, spec: object, directors = 3) =>
      computeRealServerStatus({
        realServer: realServer({ addresses: ['10.0.0.1'] }),
        virtualService: virtualService(spec),
        resolution: { endpoints: [], refused: [], absence: undefined },
        refusals: [],
        health,
        directors,
        now,
      });
    const checked = { healthCheck: { tcp: {} } };
    const failing = status(fleet.realServerOf('shop/pods'), checked);
    assert.deepEqual([failing.directorsHealthy, failing.counts?.failing], ['1/3', 3]);
    const healthy = (of: ReturnType<typeof status>) =>
      of.conditions.find(({ type }) => type === 'Healthy')?.status;
    assert.equal(healthy(failing), 'False');
    assert.equal(healthy(status(undefined, checked)), 'True');
    assert.equal(healthy(status(undefined, checked, 0)), undefined, 'nobody has told yet');
    assert.equal(healthy(status(undefined, {})), undefined, 'nobody asks');
    assert.equal(healthy(status(undefined, { healthCheck: { none: {} } })), undefined);
  });

  const decision = (key: string | undefined) => ({
    uid: '1',
    generation: 1,
    acceptance: { kind: 'accepted' as const },
    grant: undefined,
    warnings: [],
    endpoints: { realServers: 4, serving: 4, draining: 0 },
    programming: { inMaintenance: [], directors: 1, programmed: 1, verdict: { kind: 'programmed' as const } },
    health: key === undefined ? undefined : fleet.serviceOf(key),
  });
  const available = (key: string | undefined) =>
    virtualServiceVerdicts(decision(key)).find(({ type }) => type === 'RealServersAvailable');

  it('makes RealServersAvailable false where clients of one director are not served as they should be', () => {
    assert.deepEqual([available('shop/web')?.status, available('shop/web')?.reason], ['False', 'QuorumLost']);
    assert.deepEqual([available(undefined)?.status, available(undefined)?.reason], ['True', 'Serving']);
  });

  it('is one event for each turn of a service', () => {
    const condition = (status: 'True' | 'False', reason: string) => [
      { type: 'RealServersAvailable', status, reason, message: 'x', lastTransitionTime: now },
    ];
    const told = (...[before, after]: [readonly [string, string], readonly [string, string]]) =>
      transitionNotes(
        condition(...(before as ['True', string])),
        condition(...(after as ['True', string])),
      ).map(({ type, reason }) => `${type} ${reason}`);
    assert.deepEqual(told(['True', 'Serving'], ['True', 'Degraded']), ['Warning RealServersFailing']);
    assert.deepEqual(told(['True', 'Degraded'], ['True', 'Degraded']), []);
    assert.deepEqual(told(['True', 'Degraded'], ['False', 'QuorumLost']), ['Warning RealServersUnavailable']);
    assert.deepEqual(told(['False', 'QuorumLost'], ['True', 'Serving']), ['Normal RealServersAvailable']);
  });
});
