import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import { computeRealServerStatus } from '../../src/controller/real-server-status.ts';
import type { RealServerStatusInput } from '../../src/controller/real-server-status.ts';
import type { ResolvedEndpoint } from '../../src/controller/resolve-endpoints.ts';
import type { Refusal } from '../../src/plan/index.ts';
import { realServer, virtualService } from './objects.ts';

const subject = realServer({ podSelector: {} });
const now = '2026-01-01T00:00:00Z';

function resolved(address: string, rest: Partial<ResolvedEndpoint> = {}): ResolvedEndpoint {
  return {
    address: parseIpAddress(address),
    ports: [],
    portsKey: '',
    phase: 'Serving',
    deadlineMs: undefined,
    nodeName: 'node-1',
    pod: { name: `pod-${address}`, uid: 'u' },
    reason: undefined,
    ...rest,
  };
}

function refusal(rest: Partial<Refusal>): Refusal {
  return {
    object: { kind: 'RealServer', namespace: 'shop', name: 'pods' },
    path: ['spec'],
    reason: 'PortMismatch',
    message: 'The port differs.',
    severity: 'error',
    ...rest,
  };
}

interface Given extends Partial<Omit<RealServerStatusInput, 'resolution'>> {
  readonly endpoints?: readonly ResolvedEndpoint[];
  readonly resolution?: Partial<RealServerStatusInput['resolution']>;
}

function statusOf({ endpoints = [], resolution, ...given }: Given) {
  return computeRealServerStatus({
    realServer: subject,
    virtualService: virtualService(),
    refusals: [],
    health: undefined,
    directors: 0,
    now,
    ...given,
    resolution: { endpoints, refused: [], absence: undefined, ...resolution },
  });
}

const draining = resolved('10.0.0.2', { phase: 'Draining', reason: 'PodNotReady' });
const noPods = { reason: 'NoMatchingPods', message: 'No pod has these labels.' };

describe('the status of a RealServer', () => {
  const scenarios: readonly (Given & {
    readonly name: string;
    /** Ready, Accepted, ResolvedEndpoints, and the share. */
    readonly told: readonly [string, string, string, string];
  })[] = [
    {
      name: 'serving',
      endpoints: [resolved('10.0.0.1'), draining],
      told: ['True Serving', 'True Accepted', 'True Resolved', '1/2'],
    },
    {
      name: 'only draining',
      endpoints: [draining],
      told: ['False NoEndpointServes', 'True Accepted', 'True Resolved', '0/1'],
    },
    {
      name: 'nothing found',
      resolution: { absence: noPods },
      told: ['False NoMatchingPods', 'True Accepted', 'False NoMatchingPods', '0/0'],
    },
    {
      name: 'drained by its state',
      realServer: realServer({ podSelector: {}, state: 'Drained' }),
      endpoints: [resolved('10.0.0.1')],
      told: ['True Drained', 'True Accepted', 'True Resolved', '1/1'],
    },
    {
      name: 'without its VirtualService',
      virtualService: undefined,
      endpoints: [resolved('10.0.0.1')],
      told: ['False VirtualServiceNotFound', 'False VirtualServiceNotFound', 'True Resolved', '1/1'],
    },
    {
      name: 'refused as a whole by the plan',
      refusals: [refusal({})],
      endpoints: [resolved('10.0.0.1')],
      told: ['False PortMismatch', 'False PortMismatch', 'True Resolved', '1/1'],
    },
    {
      name: 'warned by the plan',
      refusals: [refusal({ severity: 'warning' })],
      endpoints: [resolved('10.0.0.1')],
      told: ['True Serving', 'True Accepted', 'True Resolved', '1/1'],
    },
    {
      name: 'one endpoint refused by the plan',
      refusals: [refusal({ endpoint: parseIpAddress('10.0.0.1'), reason: 'AddressIsVirtual' })],
      endpoints: [resolved('10.0.0.1'), resolved('10.0.0.3')],
      told: ['True Serving', 'True Accepted', 'False EndpointsRefused', '1/2'],
    },
    {
      name: 'all endpoints refused when they were found',
      resolution: {
        refused: [
          {
            address: parseIpAddress('10.0.0.9'),
            reason: 'ForeignPod',
            why: 'is another’s',
            podName: undefined,
            nodeName: undefined,
          },
        ],
        absence: noPods,
      },
      told: ['False EndpointsRefused', 'True Accepted', 'False EndpointsRefused', '0/1'],
    },
  ];
  for (const { name, told, ...given } of scenarios) {
    it(name, () => {
      const status = statusOf(given);
      const byType = new Map(status.conditions.map((one) => [one.type, `${one.status} ${one.reason}`]));
      const types = ['Ready', 'Accepted', 'ResolvedEndpoints'];
      assert.deepEqual([...types.map((type) => byType.get(type)), status.endpointsReady], told);
      assert.equal(status.observedGeneration, 1);
      assert.ok(status.conditions.every((one) => one.observedGeneration === 1));
    });
  }

  it('lists at most 50 endpoints, those first that do not serve', () => {
    const serving = Array.from({ length: 60 }, (_, index) => resolved(`10.0.1.${index}`));
    const { endpoints, counts } = statusOf({ endpoints: [...serving, draining] });
    assert.equal(endpoints.length, 50);
    assert.deepEqual(endpoints[0], {
      address: '10.0.0.2',
      phase: 'Draining',
      reason: 'PodNotReady',
      nodeName: 'node-1',
      podName: 'pod-10.0.0.2',
    });
    assert.deepEqual(counts, { endpoints: 61, serving: 60, draining: 1 });
  });

  it('keeps the times of what did not turn, and conditions of its own alone', () => {
    const first = statusOf({ endpoints: [resolved('10.0.0.1')] });
    const stranger = { ...first.conditions[0], type: 'Shiny' } as (typeof first.conditions)[number];
    const later = statusOf({
      endpoints: [draining],
      lastConditions: [...first.conditions, stranger],
      now: '2026-02-02T00:00:00Z',
    });
    assert.deepEqual(
      later.conditions.map(({ type, lastTransitionTime }) => `${type} ${lastTransitionTime.slice(0, 7)}`),
      ['Ready 2026-02', 'Accepted 2026-01', 'ResolvedEndpoints 2026-01'],
    );
  });
});
