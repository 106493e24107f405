import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseResource, readObjectRef, schedulerNames } from '../../src/api/index.ts';
import { addressPool, apiVersion, realServer, realServerSlice, virtualService } from './objects.ts';

function accept(value: unknown) {
  const result = parseResource(value);
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.problems, null, 1));
  return result.resource;
}

function problemsOf(value: unknown): readonly string[] {
  const result = parseResource(value);
  assert.equal(result.ok, false, 'should have been refused');
  return result.ok ? [] : result.problems.map(({ reason, message }) => `${reason}: ${message}`);
}

describe('parseResource gives a complete object', () => {
  it('applies every default of a VirtualService', () => {
    assert.deepEqual(accept(virtualService()), {
      apiVersion,
      kind: 'VirtualService',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        ports: [{ protocol: 'TCP', port: 80 }],
        portGrouping: 'Separate',
        scheduler: 'wlc',
        schedulerFlags: [],
        forwarding: { method: 'NAT' },
        onePacket: false,
        sourceRanges: [],
        onFailure: 'Quiesce',
        panicThresholdPercent: 0,
        drain: { timeoutSeconds: 300, settleSeconds: 120, udpSeconds: 0, onCordon: false },
      },
    });
  });

  it('applies every default of a RealServer', () => {
    assert.deepEqual(accept(realServer()), {
      apiVersion,
      kind: 'RealServer',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        virtualServiceRef: { name: 'web' },
        addresses: ['198.51.100.1'],
        ports: [],
        weight: 100,
        state: 'Enabled',
        upperThreshold: 0,
        lowerThreshold: 0,
      },
    });
  });

  it('applies every default of an AddressPool, which has no namespace', () => {
    assert.deepEqual(accept(addressPool()), {
      apiVersion,
      kind: 'AddressPool',
      metadata: { name: 'public' },
      spec: {
        addresses: [{ first: '192.0.2.0', last: '192.0.2.255' }],
        namespaces: [],
        default: false,
        realServerCIDRs: [],
      },
    });
  });

  it('applies the defaults inside persistence and tunnel', () => {
    const resource = accept(virtualService({ persistence: {}, forwarding: { method: 'TUN', tunnel: {} } }));
    assert.equal(resource.kind, 'VirtualService');
    assert.ok(resource.kind === 'VirtualService');
    assert.deepEqual(resource.spec.persistence, {
      timeoutSeconds: 300,
      ipv4PrefixLength: 32,
      ipv6PrefixLength: 128,
    });
    assert.deepEqual(resource.spec.forwarding, { method: 'TUN', tunnel: { type: 'IPIP', checksum: 'None' } });
  });

  it('makes addresses canonical and parses networks and ranges', () => {
    const service = accept(
      virtualService({ addresses: [{ ip: '2001:DB8:0::1' }], sourceRanges: ['2001:DB8::/32'] }),
    );
    assert.ok(service.kind === 'VirtualService');
    assert.deepEqual(service.spec.addresses, [{ ip: '2001:db8::1' }]);
    assert.deepEqual(service.spec.sourceRanges, [{ address: '2001:db8::', prefixLength: 32 }]);
    const pool = accept(
      addressPool({ addresses: ['192.0.2.10-192.0.2.20'], realServerCIDRs: ['198.51.100.0/24'] }),
    );
    assert.ok(pool.kind === 'AddressPool');
    assert.deepEqual(pool.spec.addresses, [{ first: '192.0.2.10', last: '192.0.2.20' }]);
    assert.deepEqual(pool.spec.realServerCIDRs, [{ address: '198.51.100.0', prefixLength: 24 }]);
  });

  it('keeps the metadata that decides between objects and drops what Kubernetes keeps for itself', () => {
    const resource = accept(
      virtualService(
        {},
        {
          namespace: 'shop',
          uid: '0a0b',
          generation: 3,
          creationTimestamp: '2026-01-01T00:00:00Z',
          labels: { 'app.example/name': 'x' },
          annotations: { note: 'y' },
          managedFields: [{ manager: 'kubectl' }],
          resourceVersion: '12',
        },
      ),
    );
    assert.deepEqual(resource.metadata, {
      name: 'web',
      namespace: 'shop',
      uid: '0a0b',
      generation: 3,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { 'app.example/name': 'x' },
      annotations: { note: 'y' },
    });
    assert.equal('status' in resource, false);
  });

  it('keeps who controls the object, and that it is being deleted', () => {
    const owner = { apiVersion: 'v1', kind: 'RealServer', name: 'web', uid: '1' };
    const { metadata } = accept(
      realServerSlice(
        {},
        {
          deletionTimestamp: '2026-01-01T00:00:00Z',
          ownerReferences: [{ ...owner, uid: '2' }, { ...owner, controller: true }, 'nonsense'],
        },
      ),
    );
    assert.deepEqual(metadata, {
      name: 'web-1',
      namespace: 'default',
      deletionTimestamp: '2026-01-01T00:00:00Z',
      controller: { kind: 'RealServer', name: 'web', uid: '1' },
    });
  });

  it('of an API server is read without what a later version knows', () => {
    const later = {
      ...Object(virtualService({ mirroring: { percent: 5 }, ports: [{ port: 80, alpn: ['h2'] }] })),
      metadata: { name: 'web', clusterName: 'x' },
    };
    const result = parseResource(later, { unknownFields: 'ignore' });
    assert.deepEqual(result, { ok: true, resource: accept(virtualService()) });
    assert.equal(parseResource(later).ok, false);
    const wrong = parseResource(
      { ...later, spec: { new: 1, ports: [{ port: 0 }] } },
      { unknownFields: 'ignore' },
    );
    assert.deepEqual(wrong.ok ? [] : wrong.problems.map(({ path }) => path), [['spec', 'ports', 0, 'port']]);
  });

  it('reads a slice of a later version as it is', () => {
    const { spec } = Object(realServerSlice());
    assert.deepEqual(accept(realServerSlice({ ...spec, shard: 1 })), accept(realServerSlice()));
  });

  it('reads what kubectl prints: null timestamps, null labels and a status', () => {
    const written = virtualService({}, { creationTimestamp: null, labels: null, annotations: null });
    const resource = accept({ ...Object(written), status: { conditions: [] } });
    assert.ok(resource.kind === 'VirtualService');
    assert.deepEqual(resource.metadata, { name: 'web', namespace: 'default' });
    assert.deepEqual(resource.status, { conditions: [] });
  });

  const schedulers: [string, unknown][] = schedulerNames.map((scheduler) => [
    `scheduler ${scheduler}`,
    virtualService({ scheduler }),
  ]);
  const others: readonly [what: string, value: unknown][] = [
    ['sh flags on sh', virtualService({ scheduler: 'sh', schedulerFlags: ['sh-port', 'sh-fallback'] })],
    ['mh flags on mh', virtualService({ scheduler: 'mh', schedulerFlags: ['mh-port', 'mh-fallback'] })],
    [
      'GUE with port and remote checksum',
      virtualService({
        forwarding: { method: 'TUN', tunnel: { type: 'GUE', port: 6080, checksum: 'RemoteChecksum' } },
      }),
    ],
    [
      'GRE with checksum',
      virtualService({ forwarding: { method: 'TUN', tunnel: { type: 'GRE', checksum: 'Checksum' } } }),
    ],
    ['sourceNAT false with DR', virtualService({ forwarding: { method: 'DR', sourceNAT: false } })],
    [
      'one port number for two protocols',
      virtualService({
        ports: [
          { name: 'tcp', port: 53 },
          { name: 'udp', port: 53, protocol: 'UDP' },
        ],
      }),
    ],
    [
      'a port range with Together',
      virtualService({ portGrouping: 'Together', ports: [{ port: 1000, endPort: 2000 }] }),
    ],
    [
      'a range of one port',
      virtualService({ portGrouping: 'Together', ports: [{ port: 1000, endPort: 1000 }] }),
    ],
    ['onePacket on UDP', virtualService({ onePacket: true, ports: [{ protocol: 'UDP', port: 53 }] })],
    ['onePacket false on TCP', virtualService({ onePacket: false })],
    ['an address of a named pool', virtualService({ addresses: [{ pool: 'public', family: 'IPv6' }] })],
    [
      'an address that must lie in a pool',
      virtualService({ addresses: [{ ip: '192.0.2.1', pool: 'public' }] }),
    ],
    ['families of both kinds', virtualService({ addressFamilies: ['IPv6', 'IPv4'] })],
    ['everybody, written as two networks', virtualService({ sourceRanges: ['0.0.0.0/0', '::/0'] })],
    ['no drain at all', virtualService({ drain: { timeoutSeconds: 0 } })],
    ['weight 0', realServer({ weight: 0 })],
    ['weight 1000', realServer({ weight: 1000 })],
    ['equal thresholds', realServer({ upperThreshold: 10, lowerThreshold: 10 })],
    ['an upper threshold alone', realServer({ upperThreshold: 10 })],
    [
      'an override of forwarding',
      realServer({ forwarding: { method: 'TUN', tunnel: { type: 'GUE', port: 6080 } } }),
    ],
    ['a pool for everybody', addressPool({ namespaces: ['*'] })],
    ['a pool of real servers alone', addressPool({ addresses: [], realServerCIDRs: ['198.51.100.0/24'] })],
  ];
  for (const [what, value] of [...schedulers, ...others]) it(`accepts ${what}`, () => void accept(value));
});

describe('parseResource and hostile input', () => {
  it('never throws, and a refusal always says why', () => {
    fc.assert(
      fc.property(
        fc.object({ maxDepth: 4, withNullPrototype: true }),
        fc.anything({ maxDepth: 3 }),
        (spec, anything) => {
          for (const value of [
            anything,
            spec,
            virtualService(spec),
            realServer(spec),
            addressPool(spec, spec),
          ]) {
            const result = parseResource(value);
            if (!result.ok)
              assert.ok(
                result.problems.every(({ message }) => message.length > 10 && !message.includes('undefined')),
              );
            if (!result.ok) assert.ok(result.problems.length > 0);
          }
        },
      ),
    );
  });

  it('treats names that objects inherit as the unknown fields that they are', () => {
    const written = JSON.parse(
      '{"virtualServiceRef": {"name": "web"}, "addresses": ["198.51.100.1"], "__proto__": {"podSelector": 1}, "constructor": 1}',
    ) as object;
    assert.deepEqual(
      problemsOf({ ...Object(realServer()), spec: written }).map((line) => line.split(' ')[1]),
      ['spec.__proto__', 'spec.constructor'],
    );
  });

  it('cuts long values in messages', () => {
    const [problem = ''] = problemsOf(virtualService({ scheduler: 'x'.repeat(1e5) }));
    assert.ok(problem.length < 250, `${problem.length}`);
  });
});

describe('readObjectRef names an object however broken it is', () => {
  const table: readonly [value: unknown, ref: unknown][] = [
    [virtualService({ scheduler: 'x' }), { kind: 'VirtualService', namespace: 'default', name: 'web' }],
    [virtualService({}, { namespace: 'shop' }), { kind: 'VirtualService', namespace: 'shop', name: 'web' }],
    [addressPool({}, { namespace: 'shop' }), { kind: 'AddressPool', name: 'public' }],
    [virtualService({}, { name: 7 }), undefined],
    [virtualService({}, { name: '' }), undefined],
    [{ apiVersion, kind: 'Gateway', metadata: { name: 'a' } }, undefined],
    ['text', undefined],
  ];
  for (const [value, ref] of table)
    it(JSON.stringify(value).slice(0, 90), () => assert.deepEqual(readObjectRef(value), ref));
});
