import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  describeRealServerStatus,
  describeVirtualServiceStatus,
  parseResource,
  readAddressPoolStatus,
  readDirectorStatus,
  readRealServerStatus,
  readVirtualServiceStatus,
} from '../../src/api/index.ts';
import type { AddressPoolStatus, DirectorStatus } from '../../src/api/index.ts';
import { kindDescriptions } from '../../src/api/kinds.ts';
import { admit } from './api-server.ts';
import { addressPool, director, realServer, virtualService } from './objects.ts';

const time = '2026-01-31T12:00:00Z';
const ready = {
  type: 'Ready',
  status: 'True',
  reason: 'Serving',
  message: 'Serves.',
  lastTransitionTime: time,
};

const virtualServiceStatus = {
  observedGeneration: 3,
  addresses: [
    { ip: '192.0.2.10', pool: 'public', since: time },
    { ip: '2001:db8::10', since: time },
  ],
  ports: [
    { name: 'http', protocol: 'TCP', port: 80 },
    { name: 'rtp', protocol: 'UDP', port: 10000, endPort: 20000 },
  ],
  conditions: [ready],
  counts: { realServers: 3, serving: 2, draining: 1, directors: 2, programmed: 1 },
};

const realServerStatus = {
  observedGeneration: 1,
  conditions: [ready],
  counts: { endpoints: 3, serving: 2, draining: 1 },
  endpoints: [
    { address: '198.51.100.1', phase: 'Excluded', reason: 'NotReady', nodeName: 'node-a', podName: 'web-0' },
    { address: '198.51.100.2', phase: 'Serving' },
  ],
};

const poolStatus: AddressPoolStatus = {
  observedGeneration: 1,
  conditions: [],
  counts: { addresses: '18446744073709551616', allocated: 2, quarantined: 1 },
  quarantined: [],
};

const directorStatus: DirectorStatus = {
  version: '0.1.0',
  nodeName: 'node-a',
  maintenance: { since: time, active: 2, inactive: 1 },
  kernel: { release: '6.1.0-31-amd64', ipvsVersion: '1.2.1', connectionTableSize: 4096 },
  schedulers: ['rr', 'wlc'],
  conditions: [],
  programmedThrough: {
    virtualServices: '120',
    realServers: '118',
    realServerSlices: '121',
    addressPools: '7',
  },
  releasing: [],
  failing: [],
  failingRealServers: [],
  failingServices: [],
  drains: [
    {
      service: 'TCP 192.0.2.10:80',
      realServer: '198.51.100.1:80',
      reason: 'Drained',
      active: 3,
      inactive: 0,
      since: time,
      deadline: time,
    },
  ],
  refused: [{ object: 'RealServer default/web', reason: 'ControlPort', message: 'No.' }],
  counts: { virtualServices: 1, services: 1, realServers: 1, vips: 1, releasing: 0, drains: 1, refused: 1 },
};

describe('a status', () => {
  it('of a VirtualService is read back as it was written', () => {
    assert.deepEqual(readVirtualServiceStatus({ status: virtualServiceStatus }), virtualServiceStatus);
  });
  it('of a RealServer', () => {
    assert.deepEqual(readRealServerStatus({ status: realServerStatus }), realServerStatus);
  });
  it('of an AddressPool', () => {
    const status = { ...poolStatus, quarantined: [{ ip: '192.0.2.9', since: time, waitingFor: ['node-a'] }] };
    assert.deepEqual(readAddressPoolStatus({ status }), status);
  });
  it('of a Director', () => {
    const status = { ...directorStatus, releasing: ['192.0.2.9'] };
    assert.deepEqual(readDirectorStatus({ status }), status);
  });

  it('that nobody has written has empty lists', () => {
    assert.deepEqual(readVirtualServiceStatus({}), { addresses: [], ports: [], conditions: [] });
    assert.deepEqual(readDirectorStatus({}).releasing, []);
  });

  it('loses what is malformed and nothing else', () => {
    const status = {
      ...virtualServiceStatus,
      observedGeneration: '3',
      addresses: [{ ip: '192.0.2.010', since: time }, null, virtualServiceStatus.addresses[1]],
      ports: { port: 80 },
      counts: { realServers: 3 },
      conditions: [{ ...ready, status: 'Maybe' }, ready],
    };
    assert.deepEqual(readVirtualServiceStatus({ status }), {
      addresses: [virtualServiceStatus.addresses[1]],
      ports: [],
      conditions: [ready],
    });
  });

  it('of a later version is read without what is new', () => {
    const status = {
      ...virtualServiceStatus,
      announcedBy: 'node-a',
      conditions: [{ ...ready, severity: 1 }],
    };
    assert.deepEqual(readVirtualServiceStatus({ status }), virtualServiceStatus);
  });

  it('never makes a reader throw', () => {
    const readers = [
      readVirtualServiceStatus,
      readRealServerStatus,
      readAddressPoolStatus,
      readDirectorStatus,
    ];
    fc.assert(
      fc.property(fc.object({ maxDepth: 4, withNullPrototype: true }), fc.anything(), (status, anything) => {
        for (const read of readers) {
          assert.deepEqual(read({ status }).conditions, []);
          read({ status: { conditions: [anything], counts: anything, addresses: anything } });
        }
      }),
    );
  });
});

describe('the texts for columns', () => {
  it('say addresses, ports and shares', () => {
    const { addressList, portList, realServersReady, directorsReady } = describeVirtualServiceStatus(
      readVirtualServiceStatus({ status: virtualServiceStatus }),
    );
    assert.deepEqual(
      [addressList, portList, realServersReady, directorsReady],
      ['192.0.2.10,2001:db8::10', '80/TCP,10000-20000/UDP', '2/3', '1/2'],
    );
    assert.equal(
      describeRealServerStatus(readRealServerStatus({ status: realServerStatus })).endpointsReady,
      '2/3',
    );
  });

  it('name a protocol once for the ports that it belongs to', () => {
    const ports = [
      { protocol: 'TCP', port: 80 },
      { protocol: 'TCP', port: 443 },
      { protocol: 'UDP', port: 53 },
      { protocol: 'TCP', port: 53 },
    ];
    const { portList } = describeVirtualServiceStatus(readVirtualServiceStatus({ status: { ports } }));
    assert.equal(portList, '80,443/TCP,53/UDP,53/TCP');
  });

  it('fit their fields at their longest', () => {
    const ip = (index: number) => `2001:db8:ffff:ffff:ffff:ffff:ffff:${(0xf000 + index).toString(16)}`;
    const status = describeVirtualServiceStatus(
      readVirtualServiceStatus({
        status: {
          addresses: Array.from({ length: 16 }, (_, index) => ({ ip: ip(index), since: time })),
          ports: Array.from({ length: 64 }, (_, index) => ({
            protocol: index % 2 === 0 ? 'SCTP' : 'UDP',
            port: 10_000 + index,
            endPort: 20_000 + index,
          })),
          counts: { realServers: 1e9, serving: 1e9, draining: 0, directors: 1e9, programmed: 1e9 },
        },
      }),
    );
    assert.equal(status.addresses.length, 16);
    assert.equal(status.ports.length, 64);
    assert.deepEqual(readVirtualServiceStatus({ status }), status);
  });
});

describe('an API server', () => {
  const withStatus = (object: unknown, status: object): unknown => ({ ...Object(object), status });
  for (const [kind, object] of [
    [
      'VirtualService',
      withStatus(
        virtualService(),
        describeVirtualServiceStatus(readVirtualServiceStatus({ status: virtualServiceStatus })),
      ),
    ],
    [
      'RealServer',
      withStatus(realServer(), describeRealServerStatus(readRealServerStatus({ status: realServerStatus }))),
    ],
    ['AddressPool', withStatus(addressPool(), poolStatus)],
    ['Director', withStatus(director(), directorStatus)],
  ] as const) {
    it(`keeps every field of the status of a ${kind}`, () => {
      const { stored, problems } = admit(object);
      assert.deepEqual(problems, []);
      assert.deepEqual(Object(stored).status, Object(object).status);
    });
  }

  for (const { kind, status } of kindDescriptions) {
    if (status === undefined) continue;
    it(`begins the status of a ${kind} with Ready=Unknown, which our reader understands`, () => {
      const object = {
        VirtualService: virtualService(),
        RealServer: realServer(),
        AddressPool: addressPool(),
        Director: director(),
      }[kind];
      const result = parseResource(admit(object).stored);
      assert.ok(result.ok && 'status' in result.resource);
      const { conditions, observedGeneration } = readVirtualServiceStatus({
        status: result.resource.status ?? {},
      });
      assert.deepEqual(
        conditions.map(({ type, status: value, reason }) => [type, value, reason]),
        [['Ready', 'Unknown', 'Pending']],
      );
      assert.equal(observedGeneration, undefined);
    });
  }

  const bad: readonly [what: string, object: unknown][] = [
    ['an address that is none', withStatus(virtualService(), { addresses: [{ ip: 'web', since: time }] })],
    [
      'an address twice',
      withStatus(virtualService(), {
        addresses: [
          { ip: '192.0.2.1', since: time },
          { ip: '192.0.2.1', since: time },
        ],
      }),
    ],
    ['a port of 0', withStatus(virtualService(), { ports: [{ protocol: 'TCP', port: 0 }] })],
    ['an unknown field', withStatus(virtualService(), { vips: [] })],
    ['a condition twice', withStatus(virtualService(), { conditions: [ready, ready] })],
    [
      'a phase that is none',
      withStatus(realServer(), { endpoints: [{ address: '198.51.100.1', phase: 'Up' }] }),
    ],
    [
      '51 endpoints',
      withStatus(realServer(), {
        endpoints: Array.from({ length: 51 }, (_, index) => ({
          address: `198.51.100.${index}`,
          phase: 'Serving',
        })),
      }),
    ],
    [
      'a number of addresses',
      withStatus(addressPool(), { counts: { addresses: 1, allocated: 0, quarantined: 0 } }),
    ],
    [
      'a resource version that is no number',
      withStatus(director(), { programmedThrough: { realServers: 'x' } }),
    ],
    [
      '201 drains',
      withStatus(director(), { drains: Array.from({ length: 201 }, () => directorStatus.drains[0]) }),
    ],
  ];
  for (const [what, object] of bad) {
    it(`refuses a status with ${what}`, () => assert.ok(admit(object).problems.length > 0));
  }
});
