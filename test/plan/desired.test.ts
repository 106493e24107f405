import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCidr, parseIpAddress } from '../../src/base/index.ts';
import { serviceFlags } from '../../src/ipvs/pure.ts';
import { witnessFlag } from '../../src/plan/index.ts';
import type { DesiredStateInput } from '../../src/plan/index.ts';
import { addressPool, desire, errorsOf, facts, realServer, virtualService } from './world.ts';

const web = virtualService('web');
const dual = virtualService('dual', { addresses: [{ ip: '192.0.2.20' }, { ip: '2001:db8::20' }] });
const two = virtualService('two', {
  ports: [
    { name: 'http', port: 80 },
    { name: 'https', port: 443 },
  ],
});
const together = virtualService('together', {
  addresses: [{ ip: '192.0.2.30' }],
  portGrouping: 'Together',
  ports: [
    { name: 'http', port: 80 },
    { name: 'rtp', protocol: 'UDP', port: 5000, endPort: 5010 },
  ],
});
const method = (name: string) => ({ forwarding: { method: name } });

describe('what is refused, and why', () => {
  const tcp = (port: number) => ({ ports: [{ port }] });
  const scenarios: readonly (readonly [string, Partial<DesiredStateInput>, readonly string[]])[] = [
    [
      'a good pair is not',
      { virtualServices: [web], realServers: [realServer('a', 'web', ['10.0.0.5'])] },
      [],
    ],
    [
      'a VIP outside every pool',
      { virtualServices: [virtualService('web', { addresses: [{ ip: '203.0.113.1' }] })] },
      ['AddressNotInPool web spec.addresses.0'],
    ],
    [
      'a VIP of a pool that does not admit the namespace',
      { virtualServices: [web], addressPools: [addressPool('other', { namespaces: ['team-b'] })] },
      ['NamespaceNotAdmitted web spec.addresses.0'],
    ],
    [
      'a VIP that is an address of the director',
      {
        virtualServices: [web],
        facts: { ...facts, ownAddresses: [parseIpAddress('192.0.2.10')] },
      },
      ['AddressOfDirector web spec.addresses.0'],
    ],
    [
      'a reserved VIP, even if a pool offers it',
      {
        virtualServices: [virtualService('web', { addresses: [{ ip: '127.0.0.1' }] })],
        addressPools: [addressPool('all', { addresses: ['0.0.0.0/0'] })],
      },
      ['AddressReserved web spec.addresses.0'],
    ],
    [
      'a pool that does not exist',
      { virtualServices: [virtualService('web', { addresses: [{ pool: 'gone' }] })] },
      ['PoolNotFound web spec.addresses.0.pool'],
    ],
    [
      'an exhausted pool',
      {
        virtualServices: [virtualService('web', { addresses: [{ pool: 'tiny' }, { pool: 'tiny' }] })],
        addressPools: [addressPool('tiny', { addresses: ['192.0.2.10/32'] })],
      },
      ['PoolExhausted web spec.addresses.1'],
    ],
    [
      'no default pool',
      {
        virtualServices: [virtualService('web', { addresses: undefined })],
        addressPools: [addressPool('named', { default: false })],
      },
      ['NoDefaultPool web spec.addresses'],
    ],
    [
      'a scheduler that this kernel lacks',
      {
        virtualServices: [virtualService('web', { scheduler: 'mh' })],
        facts: { ...facts, unavailableSchedulers: ['mh'] },
      },
      ['SchedulerUnavailable web spec.scheduler'],
    ],
    [
      'source ranges of a family without a VIP',
      { virtualServices: [virtualService('web', { sourceRanges: ['198.51.100.0/24', '2001:db8:5::/48'] })] },
      ['SourceRangeFamilyMismatch web spec.sourceRanges.1'],
    ],
    [
      'source ranges that would leave a VIP open',
      {
        virtualServices: [
          virtualService('web', {
            addresses: [{ ip: '192.0.2.20' }, { ip: '2001:db8::20' }],
            sourceRanges: ['198.51.100.0/24'],
          }),
        ],
      },
      ['SourceRangeFamilyMismatch web spec.sourceRanges'],
    ],
    [
      'the second claim on a VIP:port; without dates the name decides',
      { virtualServices: [virtualService('b'), virtualService('a')] },
      ['Conflicted b spec.ports.0.port'],
    ],
    [
      'the younger claim on a VIP:port',
      {
        virtualServices: [
          virtualService('a', {}, { creationTimestamp: '2026-02-01T00:00:00Z' }),
          virtualService('b', {}, { creationTimestamp: '2026-01-01T00:00:00Z' }),
        ],
      },
      ['Conflicted a spec.ports.0.port'],
    ],
    [
      'a claim inside the port range of another',
      {
        virtualServices: [
          together,
          virtualService('udp', {
            addresses: [{ ip: '192.0.2.30' }],
            ports: [{ protocol: 'UDP', port: 5005 }],
          }),
        ],
      },
      ['Conflicted udp spec.ports.0.port'],
    ],
    [
      'a missing VirtualService',
      { virtualServices: [web], realServers: [realServer('a', 'wep', ['10.0.0.5'])] },
      ['VirtualServiceNotFound a spec.virtualServiceRef.name'],
    ],
    [
      'a VirtualService of another namespace',
      {
        virtualServices: [web],
        realServers: [realServer('a', 'web', ['10.0.0.5'], {}, { namespace: 'team-b' })],
      },
      ['VirtualServiceNotFound a spec.virtualServiceRef.name'],
    ],
    [
      'real servers of a refused VirtualService, apart from its own reason',
      {
        virtualServices: [virtualService('web', { addresses: [{ ip: '203.0.113.1' }] })],
        realServers: [realServer('a', 'web', ['10.0.0.5'])],
      },
      ['AddressNotInPool web spec.addresses.0', 'VirtualServiceNotAccepted a spec.virtualServiceRef.name'],
    ],
    [
      'a real server outside realServerCIDRs',
      { virtualServices: [web], realServers: [realServer('a', 'web', ['10.0.0.5', '172.16.0.1'])] },
      ['RealServerNotAllowed a spec.addresses.1'],
    ],
    [
      'a real server in a pool of another namespace',
      {
        virtualServices: [web],
        realServers: [realServer('a', 'web', ['172.16.0.1'])],
        addressPools: [
          addressPool('public'),
          addressPool('team-b', { namespaces: ['team-b'], realServerCIDRs: ['172.16.0.0/12'] }),
        ],
      },
      ['RealServerNotAllowed a spec.addresses.0'],
    ],
    [
      'a real server that is a VIP of somebody else',
      {
        virtualServices: [web, virtualService('loop', { addresses: [{ ip: '192.0.2.11' }] })],
        realServers: [realServer('a', 'loop', ['192.0.2.10'])],
        addressPools: [addressPool('all', { realServerCIDRs: ['0.0.0.0/0'] })],
      },
      ['AddressIsVirtual a spec.addresses.0'],
    ],
    [
      'the metadata service as a real server, whatever the pool says',
      {
        virtualServices: [web],
        realServers: [realServer('a', 'web', ['169.254.169.254'])],
        addressPools: [addressPool('all', { realServerCIDRs: ['0.0.0.0/0'] })],
      },
      ['AddressReserved a spec.addresses.0'],
    ],
    [
      'kubelet on the director itself, by port remap',
      {
        virtualServices: [web],
        realServers: [realServer('a', 'web', ['10.0.0.1'], { ports: [{ port: 10250 }] })],
      },
      ['ControlPort a spec.ports'],
    ],
    [
      'kubelet on the director itself, inside a grouped range',
      {
        virtualServices: [
          virtualService('web', {
            portGrouping: 'Together',
            ports: [{ port: 10000, endPort: 10300 }],
            ...method('DR'),
          }),
        ],
        realServers: [realServer('a', 'web', ['10.0.0.1'])],
      },
      ['ControlPort a spec.ports'],
    ],
    [
      'an IPv6 real server behind an IPv4 VIP with NAT',
      { virtualServices: [web], realServers: [realServer('a', 'web', ['2001:db8:1::5'])] },
      ['AddressFamilyMismatch a spec.addresses.0'],
    ],
    [
      'an IPv6 real server behind an IPv4 VIP with DR',
      {
        virtualServices: [virtualService('web', method('DR'))],
        realServers: [realServer('a', 'web', ['2001:db8:1::5'])],
      },
      ['AddressFamilyMismatch a spec.addresses.0'],
    ],
    [
      'an IPv6 real server behind an IPv4 VIP with TUN is not',
      {
        virtualServices: [virtualService('web', method('TUN'))],
        realServers: [realServer('a', 'web', ['2001:db8:1::5'])],
      },
      [],
    ],
    [
      'DR with another port',
      {
        virtualServices: [virtualService('web', method('DR'))],
        realServers: [realServer('a', 'web', ['10.0.0.5'], { ports: [{ port: 8080 }] })],
      },
      ['PortMismatch a spec.ports.0.port'],
    ],
    [
      'TUN by override with another port',
      {
        virtualServices: [web],
        realServers: [realServer('a', 'web', ['10.0.0.5'], { ports: [{ port: 8080 }], ...method('TUN') })],
      },
      ['PortMismatch a spec.ports.0.port'],
    ],
    [
      'a port name that the VirtualService does not have',
      {
        virtualServices: [two],
        realServers: [realServer('a', 'two', ['10.0.0.5'], { ports: [{ name: 'smtp', port: 25 }] })],
      },
      ['PortNotFound a spec.ports.0.name'],
    ],
    [
      'a nameless port where there are several',
      {
        virtualServices: [two],
        realServers: [realServer('a', 'two', ['10.0.0.5'], { ports: [{ port: 8080 }] })],
      },
      ['PortNotFound a spec.ports.0.name'],
    ],
    [
      'grouped ports that are not all served',
      {
        virtualServices: [together],
        realServers: [realServer('a', 'together', ['10.0.0.5'], { ports: [{ name: 'http', port: 80 }] })],
      },
      ['PortMissing a spec.ports'],
    ],
    [
      'grouped ports mapped to different ports',
      {
        virtualServices: [
          virtualService('two', {
            ...two.spec,
            addresses: [{ ip: '192.0.2.31' }],
            sourceRanges: [],
            portGrouping: 'Together',
          }),
        ],
        realServers: [
          realServer('a', 'two', ['10.0.0.5'], {
            ports: [
              { name: 'http', port: 8080 },
              { name: 'https', port: 8443 },
            ],
          }),
        ],
      },
      ['PortRemapImpossible a spec.ports'],
    ],
    [
      'the same real server in two objects, the second by name',
      {
        virtualServices: [web],
        realServers: [realServer('b', 'web', ['10.0.0.6', '10.0.0.5']), realServer('a', 'web', ['10.0.0.5'])],
      },
      ['Conflicted b spec.addresses.1'],
    ],
    [
      'not the third object, when the second that stood in its way is refused',
      {
        virtualServices: [web],
        realServers: [
          realServer('c', 'web', ['10.0.0.6']),
          realServer('b', 'web', ['10.0.0.6', '10.0.0.5']),
          realServer('a', 'web', ['10.0.0.5']),
        ],
      },
      ['Conflicted b spec.addresses.1'],
    ],
    [
      'not the same address behind two services',
      {
        virtualServices: [web, tcpOther()],
        realServers: [realServer('a', 'web', ['10.0.0.5']), realServer('b', 'other', ['10.0.0.5'])],
      },
      [],
    ],
    ['not two ports of one VIP', { virtualServices: [web, virtualService('tls', tcp(443))] }, []],
  ];
  function tcpOther() {
    return virtualService('other', { addresses: [{ ip: '192.0.2.11' }] });
  }
  for (const [name, input, expected] of scenarios) {
    it(name, () => assert.deepEqual(errorsOf(desire(input)), expected));
  }

  it('every message is a sentence with what to do', () => {
    for (const [, input] of scenarios) {
      for (const { message } of desire(input).refusals) assert.match(message, /^[^a-z].*\.$/s, message);
    }
  });
});

describe('what is programmed', () => {
  const serversOf = (input: Partial<DesiredStateInput>) =>
    Object.fromEntries(
      [...desire(input).services].map(([key, { realServers }]) => [key, [...realServers.keys()]]),
    );

  it('Separate: one service per address and port', () => {
    const state = desire({
      virtualServices: [dual, virtualService('two', { ports: two.spec.ports })],
    });
    assert.deepEqual([...state.services.keys()].toSorted(), [
      'TCP 192.0.2.10:443',
      'TCP 192.0.2.10:80',
      'TCP 192.0.2.20:80',
      'TCP [2001:db8::20]:80',
    ]);
  });

  it('Together: one mark service per address, claims carry the mark', () => {
    const state = desire({
      virtualServices: [together],
      realServers: [realServer('a', 'together', ['10.0.0.5'])],
    });
    assert.deepEqual([...state.services.keys()], ['mark 0x4c560001 IPv4']);
    assert.deepEqual(
      [...(state.services.get('mark 0x4c560001 IPv4')?.realServers.keys() ?? [])],
      ['10.0.0.5:0'],
    );
    assert.deepEqual(
      state.packetRules.claims.map(({ protocol, port, endPort, mark }) => [protocol, port, endPort, mark]),
      [
        ['TCP', 80, 80, 0x4c560001],
        ['UDP', 5000, 5010, 0x4c560001],
      ],
    );
    assert.equal(state.allocations.marks['default/together 192.0.2.30']?.mark, 0x4c560001);
  });

  it('joins families: each real server stands behind the VIPs of its family', () => {
    const servers = serversOf({
      virtualServices: [dual],
      realServers: [realServer('a', 'dual', ['10.0.0.5', '2001:db8:1::5'])],
    });
    assert.deepEqual(servers, {
      'TCP 192.0.2.20:80': ['10.0.0.5:80'],
      'TCP [2001:db8::20]:80': ['[2001:db8:1::5]:80'],
    });
  });

  it('TUN crosses families only for a RealServer that has no address of the family', () => {
    const tunnel = virtualService('dual', {
      addresses: [{ ip: '192.0.2.20' }, { ip: '2001:db8::20' }],
      ...method('TUN'),
    });
    const servers = serversOf({
      virtualServices: [tunnel],
      realServers: [
        realServer('a', 'dual', ['10.0.0.5', '2001:db8:1::5']),
        realServer('b', 'dual', ['10.0.0.6']),
      ],
    });
    assert.deepEqual(servers, {
      'TCP 192.0.2.20:80': ['10.0.0.5:80', '10.0.0.6:80'],
      'TCP [2001:db8::20]:80': ['[2001:db8:1::5]:80', '10.0.0.6:80'],
    });
  });

  it('NAT remaps ports by name; a port that is not listed is not served', () => {
    const servers = serversOf({
      virtualServices: [two],
      realServers: [
        realServer('a', 'two', ['10.0.0.5'], { ports: [{ name: 'https', port: 8443 }] }),
        realServer('b', 'two', ['10.0.0.6']),
      ],
    });
    assert.deepEqual(servers, {
      'TCP 192.0.2.10:80': ['10.0.0.6:80'],
      'TCP 192.0.2.10:443': ['10.0.0.5:8443', '10.0.0.6:443'],
    });
  });

  it('persistence, one-packet and flags become kernel flags beside our witness', () => {
    const state = desire({
      virtualServices: [
        virtualService('sticky', {
          addresses: [{ ip: '192.0.2.20' }, { ip: '2001:db8::20' }],
          scheduler: 'sh',
          schedulerFlags: ['sh-port'],
          persistence: { timeoutSeconds: 60, ipv4PrefixLength: 24, ipv6PrefixLength: 64 },
        }),
        virtualService('dns', { ports: [{ protocol: 'UDP', port: 53 }], onePacket: true }),
      ],
    });
    const sticky = state.services.get('TCP 192.0.2.20:80')?.config;
    assert.equal(sticky?.flags, (witnessFlag | serviceFlags.PERSISTENT | serviceFlags.SCHED2) >>> 0);
    assert.equal(sticky.persistenceTimeoutSeconds, 60);
    assert.equal(sticky.persistencePrefixLength, 24);
    assert.equal(state.services.get('TCP [2001:db8::20]:80')?.config.persistencePrefixLength, 64);
    assert.equal(
      state.services.get('UDP 192.0.2.10:53')?.config.flags,
      (witnessFlag | serviceFlags.ONEPACKET) >>> 0,
    );
  });

  it('a VIP in the subnet of an uplink is bound and announced there, any other sits on lvs0', () => {
    const state = desire({
      virtualServices: [virtualService('web', { addresses: [{ ip: '192.0.2.10' }, { ip: '192.0.2.200' }] })],
    });
    assert.deepEqual(state.vips, [
      { vip: '192.0.2.10', device: 'eth0', announce: true },
      { vip: '192.0.2.200', device: 'lvs0', announce: false },
    ]);
  });

  it('source NAT and source ranges reach the packet rules', () => {
    const state = desire({
      virtualServices: [
        virtualService('web', { forwarding: { sourceNAT: true }, sourceRanges: ['198.51.100.0/24'] }),
      ],
    });
    assert.deepEqual(state.packetRules.sourceNat, [
      { vip: '192.0.2.10', protocol: 'TCP', port: 80, endPort: 80 },
    ]);
    assert.deepEqual(state.packetRules.claims[0]?.sourceRanges, [parseCidr('198.51.100.0/24')]);
    assert.equal(state.sysctls.get('net/ipv4/vs/conntrack'), '1');
  });

  const overheads: readonly (readonly [string, Record<string, unknown>, string, number])[] = [
    ['IPIP over IPv4', { type: 'IPIP' }, '10.0.0.5', 1500 - 20 - 40],
    ['IPIP over IPv6', { type: 'IPIP' }, '2001:db8:1::5', 1500 - 40 - 40],
    ['GUE', { type: 'GUE', port: 6080 }, '10.0.0.5', 1500 - 32 - 40],
    ['GRE with checksum', { type: 'GRE', checksum: 'Checksum' }, '10.0.0.5', 1500 - 28 - 40],
  ];
  for (const [name, tunnel, rip, mss] of overheads) {
    it(`TUN clamps the MSS and warns of the MTU: ${name}`, () => {
      const state = desire({
        virtualServices: [virtualService('web', { forwarding: { method: 'TUN', tunnel } })],
        realServers: [realServer('a', 'web', [rip])],
      });
      assert.deepEqual(state.packetRules.mssClamps, [{ vip: '192.0.2.10', port: 80, endPort: 80, mss }]);
      assert.deepEqual(
        state.refusals.map(({ reason, severity }) => [reason, severity]),
        [['TunnelMtu', 'warning']],
      );
    });
  }

  it('does not warn of the MTU where the network has room for the tunnel', () => {
    const jumbo = { ...facts, uplinks: facts.uplinks.map((uplink) => ({ ...uplink, mtu: 9000 })) };
    const state = desire({
      virtualServices: [virtualService('web', method('TUN'))],
      realServers: [realServer('a', 'web', ['10.0.0.5'])],
      facts: jumbo,
    });
    assert.deepEqual(state.refusals, []);
  });

  it('a drained RealServer is there with weight 0 and says so', () => {
    const state = desire({
      virtualServices: [web],
      realServers: [realServer('a', 'web', ['10.0.0.5'], { state: 'Drained' })],
    });
    const server = state.services.get('TCP 192.0.2.10:80')?.realServers.get('10.0.0.5:80');
    assert.equal(server?.isDrained, true);
    assert.equal(server.config.weight, 0);
  });

  it('sh weights fit the 256 buckets of the kernel', () => {
    const state = desire({
      virtualServices: [virtualService('web', { scheduler: 'sh' })],
      realServers: [
        realServer('a', 'web', ['10.0.0.5', '10.0.0.6']),
        realServer('b', 'web', ['10.0.0.7'], { weight: 200 }),
      ],
    });
    const weights = [...(state.services.get('TCP 192.0.2.10:80')?.realServers.values() ?? [])];
    assert.deepEqual(
      weights.map(({ config }) => config.weight),
      [1, 1, 2],
    );
  });

  it('gives the same answer in any order of the objects', () => {
    const input = {
      virtualServices: [
        web,
        dual,
        together,
        virtualService('b'),
        virtualService('pooled', { addresses: undefined, ports: [{ port: 53 }] }),
      ],
      realServers: [
        realServer('a', 'web', ['10.0.0.5']),
        realServer('b', 'web', ['10.0.0.5', '10.0.0.6']),
        realServer('c', 'dual', ['10.0.0.7', '2001:db8:1::7']),
        realServer('d', 'together', ['10.0.0.8']),
      ],
    };
    const normal = (state: ReturnType<typeof desire>) => ({
      services: Object.fromEntries(
        [...state.services].map(([key, { realServers, config }]) => [
          key,
          [config, Object.fromEntries(realServers)],
        ]),
      ),
      errors: errorsOf(state),
      allocations: state.allocations,
      vips: state.vips.toSorted((a, b) => (a.vip < b.vip ? -1 : 1)),
    });
    const expected = normal(desire(input));
    fc.assert(
      fc.property(
        fc.shuffledSubarray(input.virtualServices, { minLength: 5 }),
        fc.shuffledSubarray(input.realServers, { minLength: 4 }),
        (virtualServices, realServers) => {
          assert.deepEqual(normal(desire({ virtualServices, realServers })), expected);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('weights that follow the load need a controller: from files they stay as written, and that is told', () => {
    const spec = { weightPolicy: { type: 'InFlight' }, scheduler: 'wrr' };
    const state = desire({
      virtualServices: [virtualService('web', spec)],
      realServers: [realServer('a', 'web', ['10.0.0.5'], { weight: 70 })],
    });
    const [service] = state.services.values();
    assert.deepEqual(
      [...(service?.realServers.values() ?? [])].map(({ config }) => config.weight),
      [70],
    );
    assert.deepEqual(
      state.refusals.map(({ severity, reason }) => `${severity} ${reason}`),
      ['warning NeedsCluster'],
    );
  });

  it('one bad object changes nothing for the others', () => {
    const good = { virtualServices: [web, together], realServers: [realServer('a', 'web', ['10.0.0.5'])] };
    const alone = desire(good);
    const crowd = desire({
      virtualServices: [
        ...good.virtualServices,
        virtualService('zz', { addresses: [{ ip: '127.0.0.1' }] }),
        virtualService('zy'),
      ],
      realServers: [
        ...good.realServers,
        realServer('bad', 'web', ['169.254.169.254']),
        realServer('worse', 'nobody', ['10.0.0.9']),
      ],
    });
    assert.deepEqual(crowd.services, alone.services);
    assert.deepEqual(crowd.packetRules, alone.packetRules);
    assert.deepEqual(crowd.vips, alone.vips);
  });
});
