import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseResource, schedulerFlagNames, schedulerNames } from '../../src/api/index.ts';
import { admit } from './api-server.ts';
import { addressPool, director, realServer, realServerSlice, virtualService } from './objects.ts';

describe('any object of the right shape', () => {
  // Most fields are absent, so that an object has a chance to be right.
  const optional = <Value>(arbitrary: fc.Arbitrary<Value>) =>
    fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
  const oneOf = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);
  const mostly = <Value>(arbitrary: fc.Arbitrary<Value>) =>
    fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary });
  const labelKeys = oneOf('app', 'a.b/c', 'A', 'a b', '-a', '');
  const selector = fc.record({
    matchLabels: optional(fc.dictionary(labelKeys, oneOf('web', '', 'a.b', '-'), { maxKeys: 2 })),
    matchExpressions: mostly(
      fc.array(
        fc.record({
          key: mostly(labelKeys),
          operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist'),
          values: mostly(fc.array(oneOf('web', ''), { maxLength: 2 })),
        }),
        { maxLength: 2 },
      ),
    ),
  });
  const address = oneOf(
    '192.0.2.1',
    '192.0.2.2',
    '2001:db8::1',
    '2001:DB8:0::1',
    '192.0.2.01',
    'fe80::1%eth0',
  );
  const network = oneOf(
    '10.0.0.0/8',
    '10.0.0.1/8',
    '10.0.0.7',
    '2001:db8::/32',
    '2001:db8::1/32',
    '10.0.0.0/33',
  );
  const tunnel = fc.record({
    type: optional(oneOf('IPIP', 'GUE', 'GRE')),
    port: optional(oneOf(0, 6080)),
    checksum: optional(oneOf('None', 'Checksum', 'RemoteChecksum')),
  });
  const forwarding = fc.record({
    method: optional(oneOf('NAT', 'DR', 'TUN', 'tun')),
    tunnel: optional(tunnel),
    sourceNAT: optional(fc.boolean()),
  });
  const portNumber = oneOf(79, 80, 81, 90);
  const virtualServices = fc
    .record({
      addresses: optional(
        fc.array(
          fc.record({
            ip: optional(address),
            pool: optional(oneOf('a', 'A')),
            family: optional(oneOf('IPv4', 'IPv6')),
          }),
          { maxLength: 3 },
        ),
      ),
      addressFamilies: optional(fc.array(oneOf('IPv4', 'IPv6'), { maxLength: 2 })),
      ports: fc.array(
        fc.record({
          name: oneOf('a', 'b', 'c', undefined),
          protocol: optional(oneOf('TCP', 'UDP')),
          port: portNumber,
          endPort: optional(portNumber),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      portGrouping: optional(oneOf('Separate', 'Together')),
      scheduler: optional(oneOf(...schedulerNames)),
      schedulerFlags: optional(fc.array(oneOf(...schedulerFlagNames), { maxLength: 2 })),
      forwarding: optional(forwarding),
      persistence: optional(fc.record({ timeoutSeconds: optional(oneOf(0, 60)) })),
      onePacket: optional(fc.boolean()),
      sourceRanges: optional(fc.array(network, { maxLength: 2 })),
    })
    .map((spec) => virtualService(spec));
  const realServers = fc
    .record({
      addresses: mostly(
        fc.array(
          address.filter((text) => text !== '2001:DB8:0::1'),
          { maxLength: 2 },
        ),
      ),
      podSelector: optional(selector),
      serviceRef: optional(fc.record({ name: optional(oneOf('web', 'Web')) })),
      ports: optional(
        fc.array(fc.record({ name: optional(oneOf('a', 'b')), port: portNumber }), { maxLength: 3 }),
      ),
      weight: optional(oneOf(-1, 0, 1000, 1001)),
      upperThreshold: optional(oneOf(0, 5)),
      lowerThreshold: optional(oneOf(0, 5, 6)),
      forwarding: optional(forwarding.map(({ method, tunnel: wrapping }) => ({ method, tunnel: wrapping }))),
    })
    .map((spec) => realServer(spec));
  const range = oneOf(
    '192.0.2.0/24',
    '198.51.100.1 - 198.51.100.9',
    '192.0.2.1-2001:db8::1',
    '2001:db8::1-2001:db8::9',
    '192.0.2.1-',
    '-192.0.2.1',
    '192.0.2.1-192.0.2.2-192.0.2.3',
  );
  const addressPools = fc
    .record({
      addresses: optional(fc.array(range, { maxLength: 2 })),
      namespaceSelector: optional(selector),
      namespaces: optional(fc.array(oneOf('*', 'a', 'a*'), { maxLength: 2 })),
      default: optional(fc.boolean()),
      realServerCIDRs: optional(fc.array(network, { maxLength: 2 })),
    })
    .map((spec) => addressPool(spec));

  const slices = fc
    .record({
      ports: optional(
        fc.array(fc.record({ name: optional(oneOf('a', 'b')), port: portNumber }), { maxLength: 3 }),
      ),
      endpoints: optional(
        fc.array(
          fc.record({
            address: address.filter((text) => text !== '2001:DB8:0::1'),
            phase: oneOf('Serving', 'Draining'),
            deadline: optional(
              oneOf('2026-01-31T12:00:00Z', '2026-01-31T12:00:00.5+01:00', '2026-01-31', ''),
            ),
            weight: optional(oneOf(0, 1000, 1001)),
            nodeName: optional(oneOf('node-a', '-')),
            podUID: optional(oneOf('a-1', '')),
          }),
          { maxLength: 3 },
        ),
      ),
    })
    .map((spec) => realServerSlice(spec));

  const directors = fc
    .record({
      maintenance: optional(
        fc.record({
          drain: optional(oneOf<unknown>(true, false, 'yes')),
          reason: optional(oneOf('new disks', 'Neue Möbel', '', ' a', 'a\tb', 'a '.repeat(200))),
        }),
      ),
    })
    .map((spec) => director(spec));

  const kinds = { virtualServices, realServers, slices, addressPools, directors };
  for (const [kind, objects] of Object.entries(kinds)) {
    it(`is judged alike: ${kind}`, () => {
      const seen = { accepted: 0, refused: 0 };
      fc.assert(
        fc.property(objects, (object) => {
          const result = parseResource(object);
          seen[result.ok ? 'accepted' : 'refused'] += 1;
          const { problems } = admit(object);
          assert.equal(
            problems.length === 0,
            result.ok,
            JSON.stringify({ object, problems, ours: result.ok ? [] : result.problems }, null, 1),
          );
        }),
        { numRuns: 1500 },
      );
      assert.ok(seen.accepted > 20 && seen.refused > 20, JSON.stringify(seen));
    });
  }
});
