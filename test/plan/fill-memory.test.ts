import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addressPool,
  desire,
  draining,
  facts,
  podServer,
  realServer,
  slice,
  virtualService,
} from './world.ts';

/** Objects keep their identity between calls, as in a director; clones have none that was seen before. */
describe('what is remembered between calls', () => {
  const services = [
    virtualService('a', { scheduler: 'sh' }),
    virtualService('b', { addresses: [{ pool: 'public' }] }),
    virtualService('b', { addresses: [{ ip: '10.0.0.2' }] }),
    virtualService('c', { addresses: [{ pool: 'public' }], portGrouping: 'Together' }),
  ];
  const servers = ['a', 'b', 'c'].flatMap((of) =>
    [2, 3].flatMap((host) => [
      realServer(`${of}-${host}`, of, [`10.0.0.${host}`], { weight: host }),
      realServer(`${of}-${host}-too`, of, [`10.0.0.${host}`, '172.16.0.1']),
    ]),
  );
  const pools = [
    addressPool('public'),
    addressPool('public', { realServerCIDRs: ['0.0.0.0/0'], addresses: ['192.0.2.0/24', '10.0.0.0/8'] }),
    addressPool('public', { realServerCIDRs: [] }),
  ];
  const pods = ['a', 'b', 'c'].flatMap((of) => [
    podServer(`${of}-blue`, of),
    podServer(`${of}-green`, of, { weight: 7 }),
  ]);
  const slices = pods.flatMap((pod) => [
    slice(pod, ['10.0.0.2', draining('10.0.0.3', 1_000_000)], {}, `${pod.metadata.name}-1`),
    slice(pod, [draining('10.0.0.2'), '10.0.0.4', '127.0.0.1'], {}, `${pod.metadata.name}-2`),
  ]);
  const selected = addressPool('public', {
    namespaces: [],
    namespaceSelector: { matchLabels: { tier: 'gold' } },
  });
  const labels = [{ tier: 'gold' }, { tier: 'gold', other: 'yes' }, { tier: 'silver' }];
  const clusterCall = fc.record({
    virtualServices: fc.subarray([0, 2].flatMap((index) => services[index] ?? [])),
    pendingVirtualServices: fc.subarray([2].flatMap((index) => services[index] ?? [])),
    realServers: fc.subarray(pods),
    realServerSlices: fc.subarray(slices),
    addressPools: fc.constantFrom(selected, ...pools).map((pool) => [pool]),
    namespaceLabels: fc.constantFrom(...labels).map((of) => new Map([['default', of]])),
    quarantined: fc.constantFrom(undefined, new Set(['192.0.2.10']), new Set(['192.0.2.99'])),
    facts: fc.constant(facts),
  });
  const call = fc.record({
    virtualServices: fc.uniqueArray(fc.constantFrom(...services), {
      selector: ({ metadata }) => metadata.name,
    }),
    realServers: fc.uniqueArray(fc.constantFrom(...servers)),
    addressPools: fc.constantFrom(...pools).map((pool) => [pool]),
    facts: fc.constantFrom(facts, { ...facts, ownAddresses: [], reservedCidrs: [], uplinks: [] }),
  });

  it('changes no answer', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(call, clusterCall), { minLength: 2, maxLength: 8 }), (calls) => {
        for (const input of calls) {
          const remembered = desire(input);
          const fresh = desire(structuredClone(input));
          assert.deepEqual(remembered, fresh);
        }
      }),
      { numRuns: 200 },
    );
  });
});
