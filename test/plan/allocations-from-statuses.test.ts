import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddressPoolResource, VirtualServiceResource } from '../../src/api/index.ts';
import { allocationsFromStatuses, effectiveVirtualService } from '../../src/plan/index.ts';
import type { DesiredState, DesiredStateInput } from '../../src/plan/index.ts';
import { addressPool, desire, errorsOf, virtualService } from './world.ts';

type Address = Readonly<Record<string, unknown>> & { readonly ip: string };
const since = '2026-01-01T00:00:00Z';

/** The object with the status that a controller would have written. */
function recorded(
  resource: VirtualServiceResource,
  addresses: readonly (string | Address)[],
  ports: readonly unknown[] = [{ protocol: 'TCP', port: 80 }],
): VirtualServiceResource {
  const list = addresses.map((each) =>
    typeof each === 'string' ? { ip: each, pool: 'public', since } : { since, ...each },
  );
  return { ...resource, status: { addresses: list, ports } };
}

/** A pool that the controller has looked at in its present form. */
function known(pool: AddressPoolResource, conditions: readonly unknown[] = []): AddressPoolResource {
  return {
    ...pool,
    metadata: { ...pool.metadata, generation: 2 },
    status: { observedGeneration: 2, conditions },
  };
}

const pool = known(addressPool('public', { addresses: ['192.0.2.0/24'] }));
const shrunk = addressPool('public', { addresses: ['198.51.100.0/24'] });
const outsidePool = {
  type: 'OutsidePool',
  status: 'True',
  reason: 'PoolShrunk',
  message: '',
  lastTransitionTime: since,
};

/** The first decision of a controller that has just begun to lead. */
function decide(
  virtualServices: readonly VirtualServiceResource[],
  more: Partial<DesiredStateInput> = {},
): DesiredState {
  const addressPools = more.addressPools ?? [pool];
  const granted = virtualServices.flatMap((resource) => effectiveVirtualService(resource) ?? []);
  return desire({
    virtualServices,
    addressPools,
    allocations: allocationsFromStatuses(virtualServices, addressPools),
    lastAccepted: { virtualServices: granted, realServers: [], addressPools: [] },
    ...more,
  });
}

/** `name vip:port` of everything that is served. */
function servedBy(state: DesiredState): readonly string[] {
  return [...state.services.values()]
    .map(({ key, owner }) => (key.kind === 'address' ? `${owner.name} ${key.vip}:${key.port}` : ''))
    .toSorted();
}

const pooled = (name: string, metadata = {}, spec = {}) =>
  virtualService(name, { addresses: [{ pool: 'public' }], ...spec }, metadata);
const fixed = (name: string, ip: string, metadata = {}) =>
  virtualService(name, { addresses: [{ ip }] }, metadata);
const old = { creationTimestamp: '2026-01-01T00:00:00Z', uid: 'b' };
const young = { creationTimestamp: '2026-02-01T00:00:00Z', uid: 'a' };

describe('what statuses record', () => {
  it('is read back: addresses of requests to pools by index, and who has which port', () => {
    const ports = [
      { name: 'http', protocol: 'TCP', port: 80 },
      { name: 'rtp', protocol: 'UDP', port: 5000, endPort: 5010 },
    ];
    const service = recorded(pooled('web'), ['192.0.2.7'], ports);
    assert.deepEqual(allocationsFromStatuses([service], [pool]), {
      addresses: { 'default/web#0': '192.0.2.7' },
      marks: {},
      portOwners: { 'TCP 192.0.2.7:80': 'default/web', 'UDP 192.0.2.7:5000-5010': 'default/web' },
    });
  });

  const two = [{ pool: 'a' }, { pool: 'b' }];
  const matches: readonly (readonly [
    string,
    readonly object[],
    readonly Address[],
    Record<string, string>,
  ])[] = [
    [
      'in order',
      two,
      [
        { ip: '192.0.2.1', pool: 'a' },
        { ip: '192.0.2.2', pool: 'b' },
      ],
      { '#0': '192.0.2.1', '#1': '192.0.2.2' },
    ],
    [
      'after a change of order',
      two,
      [
        { ip: '192.0.2.2', pool: 'b' },
        { ip: '192.0.2.1', pool: 'a' },
      ],
      { '#0': '192.0.2.1', '#1': '192.0.2.2' },
    ],
    [
      'after one was removed',
      [{ pool: 'b' }],
      [
        { ip: '192.0.2.1', pool: 'a' },
        { ip: '192.0.2.2', pool: 'b' },
      ],
      { '#0': '192.0.2.2' },
    ],
    [
      'after one was added before it',
      [{ family: 'IPv6' }, { pool: 'a' }],
      [{ ip: '192.0.2.1', pool: 'a' }],
      { '#1': '192.0.2.1' },
    ],
    ['not across pools', [{ pool: 'c' }], [{ ip: '192.0.2.1', pool: 'a' }], {}],
    ['not across families', [{ pool: 'a', family: 'IPv6' }], [{ ip: '192.0.2.1', pool: 'a' }], {}],
    [
      'without what the spec names',
      [{ ip: '192.0.2.1' }, { pool: 'a' }],
      [
        { ip: '192.0.2.1', pool: 'a' },
        { ip: '192.0.2.2', pool: 'a' },
      ],
      { '#1': '192.0.2.2' },
    ],
    [
      'a named pool before any pool',
      [{}, { pool: 'a' }],
      [
        { ip: '192.0.2.1', pool: 'a' },
        { ip: '192.0.2.2', pool: 'b' },
      ],
      { '#0': '192.0.2.2', '#1': '192.0.2.1' },
    ],
  ];
  for (const [what, addresses, status, expected] of matches) {
    it(`goes to the requests of today: ${what}`, () => {
      const service = recorded(virtualService('web', { addresses }), status);
      const entries = Object.entries(expected).map(([index, ip]) => [`default/web${index}`, ip]);
      assert.deepEqual(allocationsFromStatuses([service]).addresses, Object.fromEntries(entries));
    });
  }

  it('may be anything at all', () => {
    for (const status of [
      { addresses: 'all', ports: [{}] },
      { addresses: [{ ip: '2130706433', since }, { ip: '::ffff:192.0.2.1', since }, null], ports: 7 },
      {
        addresses: [{ ip: '192.0.2.1', since }],
        ports: [
          { protocol: 'ICMP', port: 80 },
          { protocol: 'TCP', port: 0 },
        ],
      },
    ]) {
      const service = { ...fixed('web', '192.0.2.1'), status };
      assert.deepEqual(allocationsFromStatuses([service]).portOwners, {});
    }
  });
});

describe('a controller that begins to lead', () => {
  it('leaves an address with its incumbent, though lower ones are free', () => {
    const state = decide([recorded(pooled('web'), ['192.0.2.77']), pooled('new')]);
    assert.deepEqual(servedBy(state), ['new 192.0.2.1:80', 'web 192.0.2.77:80']);
  });

  it('leaves a port with its incumbent, though an older object asks for it', () => {
    const state = decide([
      fixed('old', '192.0.2.10', old),
      recorded(fixed('young', '192.0.2.10', young), ['192.0.2.10']),
    ]);
    assert.deepEqual(servedBy(state), ['young 192.0.2.10:80']);
    assert.deepEqual(errorsOf(state), ['Conflicted old spec.ports.0.port']);
  });

  const claims = [
    ['creationTimestamp', fixed('b', '192.0.2.10', old), fixed('a', '192.0.2.10', young), 'b'],
    [
      'uid when both were made at once',
      fixed('b', '192.0.2.10', { ...old, uid: '1' }),
      fixed('a', '192.0.2.10', { ...old, uid: '2' }),
      'b',
    ],
  ] as const;
  for (const [what, one, other, winner] of claims) {
    it(`settles claims that are made at the same time by ${what}`, () => {
      for (const list of [
        [one, other],
        [other, one],
      ]) {
        assert.deepEqual(servedBy(decide(list)), [`${winner} 192.0.2.10:80`]);
        // Both statuses record it, as after two leaders, or a lie.
        assert.deepEqual(servedBy(decide(list.map((each) => recorded(each, ['192.0.2.10'])))), [
          `${winner} 192.0.2.10:80`,
        ]);
      }
    });
  }

  it('is not made to refuse both by statuses that overlap', () => {
    const ports = [{ protocol: 'TCP', port: 1, endPort: 1000 }];
    const greedy = virtualService(
      'greedy',
      { addresses: [{ ip: '192.0.2.10' }], ports: [{ port: 1, endPort: 1000 }], portGrouping: 'Together' },
      young,
    );
    const state = decide([
      recorded(fixed('web', '192.0.2.10', old), ['192.0.2.10']),
      recorded(greedy, ['192.0.2.10'], ports),
    ]);
    assert.deepEqual(servedBy(state), ['web 192.0.2.10:80']);
  });

  it('gives an address from a pool to one only, though two statuses record it', () => {
    const state = decide([
      recorded(pooled('old', old), ['192.0.2.9']),
      recorded(pooled('young', young), ['192.0.2.9']),
    ]);
    assert.deepEqual(servedBy(state), ['old 192.0.2.9:80', 'young 192.0.2.1:80']);
  });

  for (const [what, service] of [
    ['that was named', fixed('web', '192.0.2.9')],
    ['from the pool', pooled('web')],
  ] as const) {
    it(`releases no address ${what} when the pool has shrunk, as its status says or as nobody has looked yet`, () => {
      for (const addressPools of [
        [known(shrunk, [outsidePool])],
        [{ ...known(shrunk), status: { observedGeneration: 1 } }],
      ]) {
        const state = decide([recorded(service, ['192.0.2.9'])], { addressPools });
        assert.deepEqual(servedBy(state), ['web 192.0.2.9:80']);
        assert.deepEqual(
          state.refusals.map(({ reason }) => reason),
          ['PoolShrunk'],
        );
      }
    });
  }

  it('does not believe an address outside the pools that a tenant wrote into a status', () => {
    const lie = [{ ip: '203.0.113.1', pool: 'public' }];
    const named = decide([recorded(fixed('web', '203.0.113.1'), lie)]);
    assert.deepEqual(servedBy(named), []);
    assert.deepEqual(errorsOf(named), ['AddressNotInPool web spec.addresses.0']);
    assert.deepEqual(servedBy(decide([recorded(pooled('web'), lie)])), ['web 192.0.2.1:80']);
    assert.deepEqual(servedBy(decide([recorded(pooled('web'), [{ ip: '203.0.113.1', pool: 'gone' }])])), [
      'web 192.0.2.1:80',
    ]);
  });

  it('does not believe a reserved address, whatever the pools say', () => {
    const addressPools = [known(addressPool('public', { addresses: ['0.0.0.0/0'] }), [outsidePool])];
    const state = decide([recorded(fixed('web', '169.254.169.254'), ['169.254.169.254'])], { addressPools });
    assert.deepEqual(servedBy(state), []);
    assert.deepEqual(errorsOf(state), ['AddressReserved web spec.addresses.0']);
  });

  it('refuses a namespace that is no longer admitted, whatever its status records', () => {
    for (const service of [
      recorded(fixed('web', '192.0.2.9'), ['192.0.2.9']),
      recorded(pooled('web'), ['192.0.2.9']),
    ]) {
      const addressPools = [
        known(addressPool('public', { addresses: ['192.0.2.0/24'], namespaces: ['other'] })),
      ];
      const state = decide([service], { addressPools });
      assert.deepEqual(servedBy(state), []);
      assert.deepEqual(
        errorsOf(state).map((text) => text.split(' ')[0]),
        ['NamespaceNotAdmitted'],
      );
    }
  });

  it('serves what was accepted while new addresses are refused, and the new ones once they are free', () => {
    const edited = recorded(fixed('web', '192.0.2.20', young), ['192.0.2.10']);
    const holder = recorded(fixed('holder', '192.0.2.20', old), ['192.0.2.20']);
    const waiting = decide([edited, holder]);
    assert.deepEqual(servedBy(waiting), ['holder 192.0.2.20:80', 'web 192.0.2.10:80']);
    assert.deepEqual(errorsOf(waiting), ['Conflicted web spec.ports.0.port']);
    assert.deepEqual(servedBy(decide([edited])), ['web 192.0.2.20:80']);
  });

  it('keeps the accepted ports of a spec whose new ports belong to somebody else', () => {
    const ports = [
      { name: 'a', port: 80 },
      { name: 'b', port: 443 },
    ];
    const edited = recorded(virtualService('web', { ports }, young), ['192.0.2.10']);
    const holder = recorded(
      virtualService('holder', { ports: [{ port: 443 }] }, old),
      ['192.0.2.10'],
      [{ protocol: 'TCP', port: 443 }],
    );
    assert.deepEqual(servedBy(decide([edited, holder])), ['holder 192.0.2.10:443', 'web 192.0.2.10:80']);
  });
});

describe('an address in quarantine', () => {
  const quarantined = new Set(['192.0.2.1', '192.0.2.10']);

  it('is handed out by no pool', () => {
    assert.deepEqual(servedBy(decide([pooled('web')], { quarantined })), ['web 192.0.2.2:80']);
  });

  it('is refused to who names it, for the time being', () => {
    const state = decide([fixed('web', '192.0.2.10')], { quarantined });
    assert.deepEqual(servedBy(state), []);
    assert.deepEqual(errorsOf(state), ['AddressQuarantined web spec.addresses.0']);
    assert.deepEqual(servedBy(decide([fixed('web', '192.0.2.10')], { quarantined: new Set() })), [
      'web 192.0.2.10:80',
    ]);
  });

  it('stays with who has it, named or from a pool', () => {
    const state = decide(
      [recorded(fixed('web', '192.0.2.10'), ['192.0.2.10']), recorded(pooled('other'), ['192.0.2.1'])],
      { quarantined },
    );
    assert.deepEqual(servedBy(state), ['other 192.0.2.1:80', 'web 192.0.2.10:80']);
  });

  it('is counted where a pool has nothing else', () => {
    const addressPools = [known(addressPool('public', { addresses: ['192.0.2.10/32'] }))];
    const state = decide([pooled('web')], { quarantined, addressPools });
    assert.deepEqual(errorsOf(state), ['PoolExhausted web spec.addresses.0']);
    assert.match(state.refusals[0]?.message ?? '', /1 become free once every director/);
  });
});
