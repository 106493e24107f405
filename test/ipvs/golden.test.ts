import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeTimeouts } from '../../src/ipvs/config-codec.ts';
import { encodeSyncDaemon } from '../../src/ipvs/daemon-codec.ts';
import { IpvsClient, formatVirtualServiceKey } from '../../src/ipvs/index.ts';
import type { IpvsOperation } from '../../src/ipvs/index.ts';
import { OperationRequest } from '../../src/ipvs/operation-request.ts';
import { decodeRealServer } from '../../src/ipvs/real-server-codec.ts';
import { decodeVirtualService } from '../../src/ipvs/virtual-service-codec.ts';
import { parseIpAddress } from '../../src/base/index.ts';
import { MessageReader, MessageWriter, encodeGenericHeader } from '../../src/netlink/index.ts';
import {
  markService,
  persistent,
  realServer,
  realServerConfig,
  service,
  serviceConfig,
  tunnelTo,
} from '../contract/ipvs-entries.ts';
import { FakeKernel } from '../fakes/fake-kernel.ts';
import { readGolden } from '../golden/read-golden.ts';

const familyId = 28;
const tcp4 = service('TCP', '192.0.2.10', 80);
const udp6 = service('UDP', '2001:db8::10', 53);
const mark = markService(0xfedcba98);

/** One message as the connection frames it. */
function encodeMessage(encode: (writer: MessageWriter) => void): string {
  const writer = new MessageWriter();
  writer.begin(familyId, 1, 7);
  encode(writer);
  writer.end();
  return Buffer.from(writer.bytes).toString('hex');
}

const operations: readonly (readonly [golden: string, operation: IpvsOperation])[] = [
  [
    'ipvs-new-service-tcp4',
    { type: 'addVirtualService', service: tcp4, config: serviceConfig(tcp4, { scheduler: 'wlc' }) },
  ],
  [
    'ipvs-new-service-udp6-persistent',
    {
      type: 'addVirtualService',
      service: udp6,
      config: serviceConfig(udp6, persistent(300, 64, { scheduler: 'mh', flags: 0x10 })),
    },
  ],
  [
    'ipvs-set-service-mark-all-clients',
    { type: 'editVirtualService', service: mark, config: serviceConfig(mark, persistent(360, 0)) },
  ],
  [
    'ipvs-new-dest-gue',
    {
      type: 'addRealServer',
      service: tcp4,
      realServer: realServer('10.0.0.5', 8080),
      config: realServerConfig({
        ...tunnelTo('GUE', 'Checksum', 6080),
        weight: 5,
        upperThreshold: 100,
        lowerThreshold: 50,
      }),
    },
  ],
  [
    'ipvs-del-dest-mark6',
    { type: 'deleteRealServer', service: markService(1, 'IPv6'), realServer: realServer('2001:db8:5::1', 0) },
  ],
];

describe('requests are these bytes', () => {
  for (const [golden, operation] of operations) {
    it(golden, () => {
      const request = new OperationRequest(familyId, operation);
      assert.equal(request.type, familyId);
      assert.equal(
        encodeMessage((writer) => request.encode(writer)),
        readGolden(golden).toString('hex'),
      );
    });
  }

  it('ipvs-new-daemon-master', () => {
    const bytes = encodeMessage((writer) => {
      encodeGenericHeader(writer, 9, 1);
      encodeSyncDaemon(writer, {
        state: 'master',
        interface: 'eth0',
        syncId: 7,
        maxLength: 1400,
        group: parseIpAddress('224.0.0.81'),
        port: 8848,
        ttl: 1,
      });
    });
    assert.equal(bytes, readGolden('ipvs-new-daemon-master').toString('hex'));
  });

  it('ipvs-set-config', () => {
    const bytes = encodeMessage((writer) => {
      encodeGenericHeader(writer, 12, 1);
      encodeTimeouts(writer, { tcp: 900, tcpFin: 120, udp: 300 });
    });
    assert.equal(bytes, readGolden('ipvs-set-config').toString('hex'));
  });

  it('a connection begins with a ping and asks for the family', () => {
    const kernel = new FakeKernel();
    IpvsClient.open({ libc: kernel.libc }).close();
    assert.deepEqual(
      kernel.sent.slice(0, 2).map((datagram) => datagram.toString('hex')),
      [readGolden('netlink-ping').toString('hex'), readGolden('genl-getfamily-ipvs').toString('hex')],
    );
    assert.equal(kernel.openSockets, 0);
  });
});

/** The nested attribute that the golden answer carries. */
function attributesOf(golden: string) {
  const message = new MessageReader(readGolden(golden));
  assert.ok(message.next());
  const attributes = message.attributes(4, golden);
  assert.ok(attributes.next());
  const nested = attributes.nested(golden);
  assert.equal(message.next(), false);
  return nested;
}

describe('answers read as', () => {
  it('a service: HASHED is masked out, unknown bits and 64-bit counters are kept, unknown attributes skipped', () => {
    const decoded = decodeVirtualService(attributesOf('ipvs-reply-service-sctp4'), true);
    assert.ok(decoded);
    assert.equal(formatVirtualServiceKey(decoded.key), 'SCTP 192.0.2.10:36412');
    assert.deepEqual(decoded.config, {
      scheduler: 'lc',
      flags: 0xff01,
      persistenceTimeoutSeconds: 10,
      persistencePrefixLength: 20,
      persistenceEngine: undefined,
    });
    assert.equal(decoded.stats?.connections, 0x1_0000_0001n);
    assert.equal(decoded.stats.bytesIn, 5n);
    assert.equal(decoded.stats.bytesOut, 0n);
    assert.equal(decodeVirtualService(attributesOf('ipvs-reply-service-sctp4'), false)?.stats, undefined);
  });

  it('a real server of a kernel before 3.18 takes the family of its service', () => {
    const decoded = decodeRealServer(attributesOf('ipvs-reply-dest-without-family'), 'IPv4', true);
    assert.deepEqual(decoded, {
      key: realServer('10.0.0.5', 8080),
      config: realServerConfig({ weight: 70_000, upperThreshold: 100 }),
      connections: { active: 2, inactive: 3, persistent: 1 },
      stats: undefined,
    });
  });

  it('a real server of the other family keeps its own', () => {
    const decoded = decodeRealServer(attributesOf('ipvs-reply-dest-mixed-family'), 'IPv4', false);
    assert.deepEqual(decoded, {
      key: realServer('2001:db8:5::7', 443),
      config: realServerConfig({ ...tunnelTo('GUE', 'RemoteChecksum', 258), weight: 0 }),
      connections: { active: 0, inactive: 0, persistent: 0 },
      stats: undefined,
    });
  });
});
