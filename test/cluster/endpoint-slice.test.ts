import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointSliceIndexes, parseEndpointSlice } from '../../src/cluster/index.ts';
import type { EndpointSliceRecord } from '../../src/cluster/index.ts';

function parse(object: Readonly<Record<string, unknown>>): EndpointSliceRecord {
  return parseEndpointSlice({
    metadata: {
      name: 'web-abc',
      namespace: 'shop',
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    addressType: 'IPv4',
    endpoints: [],
    ...object,
  });
}

describe('a record of an EndpointSlice', () => {
  /** What the API says of conditions that are not there: ready, serving as ready, not terminating. */
  const conditions: readonly (readonly [object | undefined, string])[] = [
    [undefined, 'ready serving'],
    [{}, 'ready serving'],
    [{ ready: true }, 'ready serving'],
    [{ ready: false }, ''],
    [{ ready: null, serving: null, terminating: null }, 'ready serving'],
    [{ ready: false, serving: true, terminating: true }, 'serving terminating'],
    [{ ready: false, serving: false, terminating: true }, 'terminating'],
    [{ ready: true, serving: true, terminating: false }, 'ready serving'],
    [{ ready: true, terminating: true }, 'ready serving terminating'],
  ];
  for (const [given, expected] of conditions) {
    it(`reads the conditions ${JSON.stringify(given)} as "${expected}"`, () => {
      const [endpoint] = parse({
        endpoints: [{ addresses: ['10.0.0.1'], ...(given && { conditions: given }) }],
      }).endpoints;
      const words = [
        endpoint?.isReady === true ? 'ready' : '',
        endpoint?.isServing === true ? 'serving' : '',
        endpoint?.isTerminating === true ? 'terminating' : '',
      ];
      assert.equal(words.filter((word) => word !== '').join(' '), expected);
    });
  }

  it('keeps ports, targets and nodes', () => {
    assert.deepEqual(
      parse({
        ports: [{ name: 'http', port: 8080 }, { protocol: 'UDP', port: 53 }, { name: 'all' }],
        endpoints: [
          {
            addresses: ['10.0.0.1', '10.0.0.2'],
            nodeName: 'node-1',
            targetRef: { kind: 'Pod', namespace: 'shop', name: 'a', uid: 'u' },
          },
        ],
      }),
      {
        namespace: 'shop',
        name: 'web-abc',
        serviceName: 'web',
        addressType: 'IPv4',
        ports: [
          { name: 'http', protocol: 'TCP', port: 8080 },
          { name: '', protocol: 'UDP', port: 53 },
          { name: 'all', protocol: 'TCP', port: undefined },
        ],
        endpoints: [
          {
            address: '10.0.0.1',
            isReady: true,
            isServing: true,
            isTerminating: false,
            target: { kind: 'Pod', namespace: 'shop', name: 'a', uid: 'u' },
            nodeName: 'node-1',
          },
        ],
      },
    );
  });

  it('reads host names as no endpoints', () => {
    const slice = parse({ addressType: 'FQDN', endpoints: [{ addresses: ['web.example.org'] }] });
    assert.deepEqual([slice.addressType, slice.endpoints], ['FQDN', []]);
  });

  it('leaves out what it cannot read', () => {
    const slice = parse({
      metadata: { name: 'x' },
      ports: 'none',
      endpoints: [null, {}, { addresses: [] }, { addresses: ['10.0.0.999'] }, { addresses: ['10.0.0.1'] }],
    });
    assert.deepEqual([slice.serviceName, slice.ports, slice.endpoints.length], [undefined, [], 1]);
  });

  it('is found by its Service, by its pods, and by addresses without a pod', () => {
    const slice = parse({
      endpoints: [
        { addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'a', uid: 'u' } },
        { addresses: ['192.0.2.1'] },
      ],
    });
    assert.deepEqual(endpointSliceIndexes.service(slice), ['shop/web']);
    assert.deepEqual(endpointSliceIndexes.pod(slice), ['shop/a']);
    assert.deepEqual(endpointSliceIndexes.address(slice), ['192.0.2.1']);
  });
});
