import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import type { Question, Target } from '../../src/health/question.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork, RealServerHost } from '../lab/network.ts';
import { LabSockets } from '../lab/sockets.ts';

/** Probes that need a kernel of their own: raw sockets, marks, servers that are really gone. */

const port = 80;
const program = new URL('../../test/kernel/health-program.ts', import.meta.url).pathname;
const icmp: Question = { type: 'icmp' };
const tcp: Question = { type: 'tcp' };

let network: LabNetwork;
let sockets: LabSockets;

function server(index: number): RealServerHost {
  const host = network.realServers[index];
  assert.ok(host);
  return host;
}

const to = (ip: string, atPort = 0): Target => ({ ip: parseIpAddress(ip), port: atPort });

async function outcomes(
  questions: readonly (readonly [Question, Target])[],
  timeoutMs = 1000,
): Promise<string[]> {
  const asked = questions.map(([question, target]) => ({ question, target, timeoutMs }));
  const out = await network.director.check([process.execPath, program, JSON.stringify(asked)]);
  const results = JSON.parse(out) as { outcome: string; tookMs: number }[];
  // A lab has one CPU that may be starved; that a probe ends at all is not left to a good moment.
  for (const { tookMs } of results) assert.ok(tookMs < timeoutMs + 3000, `${tookMs} ms`);
  return results.map(({ outcome }) => outcome);
}

before(async () => {
  network = await layOutNetwork({ realServers: 3 });
  sockets = new LabSockets();
  for (const host of network.realServers) await sockets.serve(host, 'TCP', port);
});

after(async () => {
  sockets.close();
  await network.remove();
});

describe('from a director', () => {
  test('a server answers pings and connections of both families', async () => {
    const { rip4, rip6 } = server(0);
    const asked = [
      [icmp, to(rip4)],
      [icmp, to(rip6)],
      [tcp, to(rip4, port)],
      [tcp, to(rip6, port)],
    ] as const;
    assert.deepEqual(await outcomes(asked, 3000), ['passed', 'passed', 'passed', 'passed']);
  });

  test('one that swallows packets is told from one that refuses them', async () => {
    const host = server(1);
    await host.check(['iptables-legacy', '-A', 'INPUT', '-p', 'tcp', '--dport', '81', '-j', 'DROP']);
    await host.check(['iptables-legacy', '-A', 'INPUT', '-p', 'icmp', '-j', 'DROP']);
    const asked = [
      [tcp, to(host.rip4, 81)],
      [tcp, to(host.rip4, 82)],
      [icmp, to(host.rip4)],
    ] as const;
    assert.deepEqual(await outcomes(asked), ['ConnectTimeout', 'ConnectionRefused', 'AnswerTimeout']);
  });

  test('a router that rejects, and a network without a route', async () => {
    await network.director.ip([
      'route add unreachable 203.0.113.128/25',
      'route add prohibit 203.0.113.64/26',
    ]);
    const asked = [
      [tcp, to('203.0.113.200', port)],
      [icmp, to('203.0.113.200')],
      [tcp, to('8.8.8.8', port)],
      [icmp, to('8.8.8.8')],
    ] as const;
    assert.deepEqual(await outcomes(asked), ['HostUnreachable', 'HostUnreachable', 'NoRoute', 'NoRoute']);
  });
});

describe('through a virtual service', () => {
  const udp: Question = { type: 'udp', payloadHex: '6869', expectHex: '' };
  const ways = [
    { name: 'DR, IPv4', family: 4, forwarding: '-g', index: 0, mark: 0x4c01 },
    { name: 'DR, IPv6', family: 6, forwarding: '-g', index: 0, mark: 0x4c02 },
    { name: 'TUN, IPv4', family: 4, forwarding: '-i', index: 2, mark: 0x4c03 },
    { name: 'TUN, IPv6', family: 6, forwarding: '-i', index: 2, mark: 0x4c04 },
  ] as const;
  type Way = (typeof ways)[number];
  const vipOf = ({ family, index }: Way) =>
    family === 4 ? network.routedVip4(index) : network.routedVip6(index);

  before(async () => {
    await server(0).prepareForDirectReturn([network.routedVip4(0), network.routedVip6(0)]);
    await server(2).prepareForTunnel([network.routedVip4(2), network.routedVip6(2)]);
    // A socket on every address would answer from the server's own one.
    await sockets.serve(server(0), 'UDP', port, { address: network.routedVip4(0) });
    await network.director.ip([
      'link add lvs0 type dummy',
      'link set lvs0 up',
      ...ways.map((way) => `addr add ${vipOf(way)} dev lvs0${way.family === 4 ? '' : ' nodad'}`),
    ]);
    for (const way of ways) {
      const family = way.family === 6 ? ['-6'] : [];
      const rip = way.family === 4 ? server(way.index).rip4 : `[${server(way.index).rip6}]`;
      await network.director.check(['ipvsadm', '-A', '-f', `${way.mark}`, ...family, '-s', 'rr']);
      await network.director.check([
        'ipvsadm',
        '-a',
        '-f',
        `${way.mark}`,
        ...family,
        '-r',
        `${rip}:0`,
        way.forwarding,
      ]);
    }
  });

  const through = (way: Way, question: Question = tcp): readonly [Question, Target] => {
    const { ip4, ip6 } = network.director.inside;
    const source = parseIpAddress(way.family === 4 ? ip4 : ip6);
    return [question, { ...to(vipOf(way), port), route: { mark: way.mark, source } }];
  };

  test('answers with our own virtual address as their source are martians without accept_local', async () => {
    await network.director.sysctl({ 'net/ipv4/conf/eth1/accept_local': 0 });
    assert.deepEqual(await outcomes([through(ways[0])]), ['ConnectTimeout']);
    await network.director.sysctl({ 'net/ipv4/conf/eth1/accept_local': 1 });
  });

  for (const way of ways) {
    test(`${way.name}: a server that has the virtual address passes`, async () => {
      assert.deepEqual(await outcomes([through(way)], 3000), ['passed']);
    });
  }

  test('datagrams take the same way', async () => {
    assert.deepEqual(await outcomes([through(ways[0], udp)], 3000), ['passed']);
  });

  for (const way of ways) {
    test(`${way.name}: negative control: without the virtual address there it fails, though the server itself answers`, async () => {
      const prefix = way.family === 4 ? 32 : 128;
      await server(way.index).ip([`addr del ${vipOf(way)}/${prefix} dev lo`]);
      const direct = way.family === 4 ? server(way.index).rip4 : server(way.index).rip6;
      const [throughVip, itself] = await outcomes([through(way), [tcp, to(direct, port)]]);
      assert.notEqual(throughVip, 'passed');
      assert.equal(itself, 'passed');
    });
  }

  test('a source that is none of ours is our own fault, and no failure of the server', async () => {
    const [question, target] = through(ways[0]);
    const route = { mark: 1, source: parseIpAddress('198.51.100.99') };
    assert.deepEqual(await outcomes([[question, { ...target, route }]]), ['void Misconfigured']);
  });
});
