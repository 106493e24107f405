import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressPool, desire, facts, realServer, virtualService } from './world.ts';

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
      fc.property(fc.array(call, { minLength: 2, maxLength: 6 }), (calls) => {
        for (const input of calls) {
          const remembered = desire(input);
          const fresh = desire(structuredClone(input));
          assert.deepEqual(remembered, fresh);
        }
      }),
      { numRuns: 100 },
    );
  });
});
