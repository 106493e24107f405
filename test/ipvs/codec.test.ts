import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ipFamily, ipFromBytes, isLvsError } from '../../src/base/index.ts';
import { decodeInfo, decodeTimeouts, encodeTimeouts } from '../../src/ipvs/config-codec.ts';
import { decodeSyncDaemon, encodeSyncDaemon } from '../../src/ipvs/daemon-codec.ts';
import { IpvsClient, formatRealServerKey, formatVirtualServiceKey } from '../../src/ipvs/index.ts';
import type {
  IpvsOperation,
  RealServerConfig,
  SyncDaemon,
  TrafficStats,
  VirtualServiceConfig,
  VirtualServiceKey,
} from '../../src/ipvs/index.ts';
import { decodeRealServer } from '../../src/ipvs/real-server-codec.ts';
import { decodeStats } from '../../src/ipvs/stats-codec.ts';
import { decodeVirtualService } from '../../src/ipvs/virtual-service-codec.ts';
import { MessageReader, MessageWriter } from '../../src/netlink/index.ts';
import type { AttributeReader } from '../../src/netlink/index.ts';
import { realServerConfig, settingsOf, tunnelTo } from '../contract/ipvs-entries.ts';
import { FakeIpvs } from '../fakes/fake-ipvs.ts';
import { FakeKernel } from '../fakes/fake-kernel.ts';
import { attribute, message, u32, u64 } from '../fakes/wire.ts';
import { readGolden } from '../golden/read-golden.ts';

const byte = fc.integer({ min: 0, max: 255 });
const port = fc.oneof(fc.constantFrom(0, 1, 0xff, 0x0102, 0xffff), fc.integer({ min: 0, max: 0xffff }));
const u32Value = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
const address4 = fc
  .array(byte, { minLength: 4, maxLength: 4 })
  .map((bytes) => ipFromBytes(Uint8Array.from(bytes)));
const address6 = fc
  .array(byte, { minLength: 16, maxLength: 16 })
  .map((bytes) => ipFromBytes(Uint8Array.from(bytes)));
const unicast4 = fc
  .tuple(fc.integer({ min: 1, max: 223 }), byte, byte, byte)
  .map((bytes) => ipFromBytes(Uint8Array.from(bytes)));
const unicast6 = fc
  .array(byte, { minLength: 15, maxLength: 15 })
  .map((bytes) => ipFromBytes(Uint8Array.from([0x20, ...bytes])));

const plain = { noNullPrototype: true } as const;
const serviceKey: fc.Arbitrary<VirtualServiceKey> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('address' as const),
      protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
      vip: fc.oneof(address4, address6),
      port,
    },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant('mark' as const),
      family: fc.constantFrom('IPv4' as const, 'IPv6' as const),
      mark: u32Value.filter((mark) => mark !== 0),
    },
    plain,
  ),
);

function serviceConfigFor(key: VirtualServiceKey): fc.Arbitrary<VirtualServiceConfig> {
  const isIpv6 = key.kind === 'mark' ? key.family === 'IPv6' : ipFamily(key.vip) === 'IPv6';
  return fc
    .record({
      scheduler: fc.constantFrom('rr', 'wlc', 'mh', 'lblcr', 'none'),
      // Everything but HASHED, which is the kernel's own.
      flags: u32Value.map((flags) => (flags & ~2) >>> 0),
      persistenceTimeoutSeconds: fc.nat(31 * 24 * 3600),
      persistencePrefixLength: isIpv6 ? fc.integer({ min: 1, max: 128 }) : fc.integer({ min: 0, max: 32 }),
      persistenceEngine: fc.constantFrom('sip', undefined),
    })
    .map((config) => ({
      ...config,
      persistenceTimeoutSeconds: (config.flags & 1) === 0 ? 0 : config.persistenceTimeoutSeconds,
    }));
}

const thresholds = fc
  .tuple(u32Value, u32Value)
  .map((pair) => ({ upperThreshold: Math.max(...pair), lowerThreshold: Math.min(...pair) }));
const forwarding: fc.Arbitrary<Partial<RealServerConfig>> = fc.oneof(
  fc.constantFrom<Partial<RealServerConfig>>(
    { forwarding: 'NAT' },
    { forwarding: 'DR' },
    { forwarding: 'LOCAL' },
    { forwarding: 'BYPASS' },
  ),
  fc
    .tuple(
      fc.constantFrom('IPIP' as const, 'GUE' as const, 'GRE' as const),
      fc.constantFrom('None' as const, 'Checksum' as const, 'RemoteChecksum' as const),
      fc.integer({ min: 1, max: 0xffff }),
    )
    .map(([type, checksum, tunnelPort]) => tunnelTo(type, checksum, type === 'GUE' ? tunnelPort : 0)),
);
const serverConfig = fc
  .tuple(forwarding, thresholds, fc.nat(0x7fffffff))
  .map(([method, limits, weight]) => realServerConfig({ ...method, ...limits, weight }));

const servedEntry = serviceKey.chain((key) => {
  const isIpv6 = key.kind === 'mark' ? key.family === 'IPv6' : ipFamily(key.vip) === 'IPv6';
  return fc.record({
    key: fc.constant(key),
    config: serviceConfigFor(key),
    server: fc.record({ rip: isIpv6 ? unicast6 : unicast4, port }, plain),
    serverConfig,
  });
});

describe('every service and real server that can be said', () => {
  it('is the same after encoding, a kernel, and decoding', () => {
    fc.assert(
      fc.property(servedEntry, ({ key, config, server, serverConfig: wanted }) => {
        const client = IpvsClient.open({ libc: new FakeKernel().libc });
        const outcomes = client.apply([
          { type: 'addVirtualService', service: key, config },
          { type: 'addRealServer', service: key, realServer: server, config: wanted },
        ]);
        assert.deepEqual(outcomes, ['done', 'done']);
        const table = client.observeTable();
        assert.deepEqual(settingsOf(table), {
          [formatVirtualServiceKey(key)]: { config, realServers: { [formatRealServerKey(server)]: wanted } },
        });
        const [observed] = table.values();
        assert.deepEqual(observed?.key, key);
        client.close();
      }),
      { numRuns: 300 },
    );
  });

  it('ends as a model says, whatever operations came in whatever order and batches', () => {
    const keys: VirtualServiceKey[] = [
      { kind: 'mark', family: 'IPv4', mark: 1 },
      { kind: 'mark', family: 'IPv4', mark: 2 },
    ];
    const servers = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((rip) => ({ rip: rip as never, port: 0 }));
    const operation: fc.Arbitrary<IpvsOperation> = fc
      .record({
        type: fc.constantFrom(
          'addVirtualService' as const,
          'editVirtualService' as const,
          'deleteVirtualService' as const,
          'addRealServer' as const,
          'editRealServer' as const,
          'deleteRealServer' as const,
        ),
        service: fc.constantFrom(...keys),
        realServer: fc.constantFrom(...servers),
        scheduler: fc.constantFrom('rr', 'mh', 'sh'),
        weight: fc.nat(9),
      })
      .map(({ type, service, realServer, scheduler, weight }) => {
        if (type === 'deleteVirtualService') return { type, service };
        if (type === 'addVirtualService' || type === 'editVirtualService') {
          const config = {
            scheduler,
            flags: 0,
            persistenceTimeoutSeconds: 0,
            persistencePrefixLength: 32,
            persistenceEngine: undefined,
          };
          return { type, service, config };
        }
        if (type === 'deleteRealServer') return { type, service, realServer };
        return { type, service, realServer, config: realServerConfig({ weight }) };
      });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 40 }),
        fc.integer({ min: 1, max: 64 }),
        (operations, batchSize) => {
          const client = IpvsClient.open({ libc: new FakeKernel().libc });
          const model = new Map<
            string,
            { config: VirtualServiceConfig; realServers: Map<string, RealServerConfig> }
          >();
          const outcomes = client.apply(operations, { batchSize });
          operations.forEach((step, i) => {
            const name = formatVirtualServiceKey(step.service);
            const entry = model.get(name);
            let isPossible = true;
            if (step.type === 'deleteVirtualService') model.delete(name);
            else if (step.type === 'addVirtualService' || step.type === 'editVirtualService')
              model.set(name, { config: step.config, realServers: entry?.realServers ?? new Map() });
            else if (step.type === 'deleteRealServer')
              entry?.realServers.delete(formatRealServerKey(step.realServer));
            else if (entry === undefined) isPossible = false;
            else entry.realServers.set(formatRealServerKey(step.realServer), step.config);
            // What a later deletion of the whole service overtakes may be told either way.
            const isOvertaken = operations
              .slice(i + 1)
              .some((later) => later.type === 'deleteVirtualService' && later.service === step.service);
            if (!isOvertaken) assert.equal(outcomes[i] === 'done', isPossible);
          });
          const wanted = Object.fromEntries(
            [...model].map(([name, { config, realServers }]) => [
              name,
              { config, realServers: Object.fromEntries(realServers) },
            ]),
          );
          assert.deepEqual(settingsOf(client.observeTable()), wanted);
          client.close();
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Attributes of a message with a 4-byte header, written by `encode`. */
function encoded(encode: (writer: MessageWriter) => void): AttributeReader {
  const writer = new MessageWriter();
  writer.begin(28, 0, 1);
  writer.zeros(4);
  encode(writer);
  writer.end();
  const reader = new MessageReader(writer.bytes);
  assert.ok(reader.next());
  return reader.attributes(4, 'test');
}

function received(...attributes: Buffer[]): AttributeReader {
  const reader = new MessageReader(
    message({ type: 28, flags: 0, sequence: 1, portId: 1 }, Buffer.alloc(4), ...attributes),
  );
  assert.ok(reader.next());
  return reader.attributes(4, 'test');
}

describe('the smaller codecs', () => {
  const daemon: fc.Arbitrary<SyncDaemon> = fc.record(
    {
      state: fc.constantFrom('master' as const, 'backup' as const),
      interface: fc.stringMatching(/^[a-z0-9.-]{1,15}$/),
      syncId: fc.nat(255),
      maxLength: fc.nat(0xffff),
      group: fc.oneof(address4, address6),
      port,
      ttl: byte,
    },
    { requiredKeys: ['state', 'interface', 'syncId'], noNullPrototype: true },
  );

  it('a sync daemon is the same after encoding and decoding', () => {
    fc.assert(
      fc.property(daemon, (wanted) => {
        const attributes = encoded((writer) => encodeSyncDaemon(writer, wanted));
        assert.ok(attributes.next());
        assert.deepEqual(decodeSyncDaemon(attributes.nested('daemon')), wanted);
      }),
    );
  });

  it('timeouts too', () => {
    fc.assert(
      fc.property(fc.record({ tcp: u32Value, tcpFin: u32Value, udp: u32Value }, plain), (wanted) => {
        assert.deepEqual(decodeTimeouts(encoded((writer) => encodeTimeouts(writer, wanted))), wanted);
      }),
    );
  });

  it('statistics: 32 and 64 bits, every counter in its own field', () => {
    const fields: (keyof TrafficStats)[] = [
      'connections',
      'packetsIn',
      'packetsOut',
      'bytesIn',
      'bytesOut',
      'connectionsPerSecond',
      'packetsInPerSecond',
      'packetsOutPerSecond',
      'bytesInPerSecond',
      'bytesOutPerSecond',
    ];
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { minLength: 10, maxLength: 10 }),
        (values) => {
          const wide = decodeStats(received(...values.map((value, i) => attribute(i + 1, u64(value)))));
          assert.deepEqual(
            fields.map((field) => wide[field]),
            values,
          );
          const halves = values.map((value) => BigInt.asUintN(32, value));
          const narrow = decodeStats(
            received(attribute(11), ...halves.map((value, i) => attribute(i + 1, u32(Number(value))))),
          );
          assert.deepEqual(
            fields.map((field) => narrow[field]),
            halves,
          );
        },
      ),
    );
  });

  it('the version is three numbers', () => {
    assert.deepEqual(decodeInfo(received(attribute(1, u32(0x010203)), attribute(2, u32(4096)))), {
      version: '1.2.3',
      connectionTableSize: 4096,
    });
  });

  const malformed: [scenario: string, decode: () => unknown, text: RegExp][] = [
    [
      'a service without a family',
      () => decodeVirtualService(received(attribute(5, u32(1))), false),
      /IPVS_SVC_ATTR_AF is missing/,
    ],
    [
      'a service without an address',
      () => decodeVirtualService(received(attribute(1, Buffer.from([2, 0]))), false),
      /neither a mark nor a whole address/,
    ],
    [
      'a service with a short mark',
      () => decodeVirtualService(received(attribute(5, Buffer.from([1, 0]))), false),
      /IPVS_SVC_ATTR_FWMARK has 2 bytes instead of 4/,
    ],
    [
      'a service with flags and no mask',
      () => decodeVirtualService(received(attribute(7, u32(0))), false),
      /IPVS_SVC_ATTR_FLAGS has 4 bytes instead of 8/,
    ],
    [
      'a server without a port',
      () => decodeRealServer(received(attribute(1, Buffer.alloc(16))), 'IPv4', false),
      /no address or port/,
    ],
    [
      'a server with a 4-byte address',
      () => decodeRealServer(received(attribute(1, Buffer.alloc(4))), 'IPv4', false),
      /IPVS_DEST_ATTR_ADDR has 4 bytes instead of 16/,
    ],
    [
      'a server of a third family',
      () => decodeRealServer(received(attribute(11, Buffer.from([3, 0]))), 'IPv4', false),
      /IPVS_DEST_ATTR_ADDR_FAMILY is 3/,
    ],
    [
      'a daemon of a third role',
      () => decodeSyncDaemon(received(attribute(1, u32(3)), attribute(2, Buffer.from('lo\0')))),
      /no known role/,
    ],
  ];
  for (const [scenario, decode, text] of malformed) {
    it(`${scenario} is malformed and named`, () => {
      assert.throws(
        decode,
        (error) => isLvsError(error, 'LVS_NETLINK_MALFORMED') && text.test(error.message),
      );
    });
  }

  it('a protocol that IPVS cannot balance is not a service, and a tunnel that nobody knows is none', () => {
    const icmp = [
      attribute(1, Buffer.from([2, 0])),
      attribute(2, Buffer.from([1, 0])),
      attribute(3, Buffer.alloc(16)),
      attribute(4, Buffer.alloc(2)),
    ];
    assert.equal(decodeVirtualService(received(...icmp), false), undefined);
    const strange = [
      attribute(1, Buffer.alloc(16)),
      attribute(2, Buffer.alloc(2)),
      attribute(3, u32(2)),
      attribute(13, Buffer.from([9])),
    ];
    assert.deepEqual(decodeRealServer(received(...strange), 'IPv4', false).config, {
      ...realServerConfig({ weight: 0 }),
      forwarding: 'TUN',
    });
  });
});

describe('whatever bytes arrive', () => {
  const decoders: readonly ((attributes: AttributeReader) => unknown)[] = [
    (attributes) => decodeVirtualService(attributes, true),
    (attributes) => decodeRealServer(attributes, 'IPv6', true),
    decodeSyncDaemon,
    decodeStats,
    decodeTimeouts,
    decodeInfo,
  ];
  const samples = [
    'ipvs-reply-service-sctp4',
    'ipvs-reply-dest-without-family',
    'ipvs-reply-dest-mixed-family',
    'ipvs-new-daemon-master',
    'ipvs-set-config',
    'netlink-error-extended-ack',
  ].map(readGolden);

  function decodeEverything(bytes: Uint8Array): void {
    for (const decode of decoders) {
      // Each layer alone, so that a fault in one does not hide the next.
      const steps = [
        (reader: MessageReader) => reader.extendedAckText(),
        (reader: MessageReader) => decode(reader.attributes(4, 'fuzz')),
        (reader: MessageReader) => {
          const attributes = reader.attributes(4, 'fuzz');
          while (attributes.next()) decode(attributes.nested('fuzz'));
        },
      ];
      for (const step of steps) {
        const reader = new MessageReader(bytes);
        try {
          while (reader.next()) step(reader);
        } catch (error) {
          if (!isLvsError(error)) throw error;
        }
      }
    }
  }

  it('random ones raise nothing but an LvsError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeEverything), { numRuns: 2000 });
  });

  it('valid ones with a few changed, cut or grown raise nothing but an LvsError', () => {
    const mutation = fc.record({
      sample: fc.constantFrom(...samples),
      changes: fc.array(fc.tuple(fc.nat(200), byte), { minLength: 1, maxLength: 6 }),
      length: fc.nat(220),
    });
    fc.assert(
      fc.property(mutation, ({ sample, changes, length }) => {
        const bytes = Buffer.alloc(length, 0xaa);
        sample.copy(bytes);
        for (const [offset, value] of changes) if (offset < length) bytes[offset] = value;
        // Most of the time the outer length is right, so that the mutation reaches the inside.
        if (length >= 16 && length % 4 !== 0) bytes.writeUInt32LE(length, 0);
        decodeEverything(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it('a client on a kernel that garbles its answers raises nothing but an LvsError, and then goes on', () => {
    const garbling = fc.record({
      every: fc.integer({ min: 1, max: 5 }),
      offset: fc.nat(600),
      value: byte,
      cut: fc.boolean(),
    });
    fc.assert(
      fc.property(garbling, ({ every, offset, value, cut }) => {
        const kernel = new FakeKernel();
        let isGarbling = false;
        let answers = 0;
        const libc = {
          ...kernel.libc,
          recv(fd: number, bytes: Uint8Array, length: number, flags: number): number {
            const received = kernel.libc.recv(fd, bytes, length, flags);
            answers += 1;
            if (received <= 0 || !isGarbling || answers % every !== 0) return received;
            bytes[offset % received] = value;
            return cut ? Math.max(1, received - (offset % 40)) : received;
          },
        };
        const client = IpvsClient.open({ libc });
        const key: VirtualServiceKey = { kind: 'mark', family: 'IPv4', mark: 1 };
        const config = {
          scheduler: 'rr',
          flags: 0,
          persistenceTimeoutSeconds: 0,
          persistencePrefixLength: 32,
          persistenceEngine: undefined,
        };
        const work: (() => unknown)[] = [
          () => client.apply([{ type: 'addVirtualService', service: key, config }]),
          () =>
            client.apply([
              {
                type: 'addRealServer',
                service: key,
                realServer: { rip: '10.0.0.1' as never, port: 0 },
                config: realServerConfig(),
              },
            ]),
          () => client.observeTable({ stats: true }),
          () => client.getTimeouts(),
          () => client.listSyncDaemons(),
        ];
        isGarbling = true;
        for (const task of work) {
          try {
            task();
          } catch (error) {
            if (!isLvsError(error)) throw error;
          }
        }
        isGarbling = false;
        client.apply([{ type: 'deleteVirtualService', service: key }]);
        assert.equal(client.observeTable().size, 0);
        client.close();
      }),
      {
        numRuns: 300,
        // Turns the refusal of a scheduler's probe into EAFNOSUPPORT: the next probe is a service that came to stay.
        examples: [[{ every: 1, offset: 124, value: 159, cut: false }]],
      },
    );
  });

  it('the fake itself refuses garbage with an errno', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), fc.uint8Array({ maxLength: 60 }), (command, bytes) => {
        const { errno } = new FakeIpvs().do(command, Buffer.from(bytes));
        assert.ok(errno >= 0);
      }),
    );
  });
});
