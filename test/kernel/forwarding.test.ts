import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { manifestFolder } from '../lab/manifests.ts';
import type { ServiceManifest } from '../lab/manifests.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork, RealServerHost } from '../lab/network.ts';
import { LabSockets } from '../lab/sockets.ts';
import type { TransportProtocol } from '../lab/sockets.ts';

/**
 * Every way in which IPVS forwards a packet, set up by manifests and proven by answers: method, family of the VIP, family of
 * the real server, wrapping, transport protocol.
 */

const families = ['IPv4', 'IPv6'] as const;
type Family = (typeof families)[number];
const streamPort = 80;
const datagramPort = 53;
const transferPort = 8080;
const guePort = 6080;

interface Way {
  readonly name: string;
  readonly vip: string;
  readonly vipFamily: Family;
  readonly server: RealServerHost;
  readonly rip: string;
  readonly forwarding: Readonly<Record<string, unknown>>;
  readonly isDirectReturn: boolean;
}

const tunnels = [
  { name: 'IPIP', tunnel: { type: 'IPIP' }, server: 0 },
  { name: 'GUE', tunnel: { type: 'GUE', port: guePort }, server: 0 },
  { name: 'GUE with checksum', tunnel: { type: 'GUE', port: guePort, checksum: 'Checksum' }, server: 0 },
  {
    name: 'GUE with remote checksum',
    tunnel: { type: 'GUE', port: guePort, checksum: 'RemoteChecksum' },
    server: 0,
  },
  { name: 'GRE', tunnel: { type: 'GRE' }, server: 1 },
  // A device that demands checksums refuses packets without, hence a server of its own.
  { name: 'GRE with checksum', tunnel: { type: 'GRE', checksum: 'Checksum' }, server: 2 },
] as const;

let network: LabNetwork;
let sockets: LabSockets;
let director: LabDirector;
let ways: readonly Way[];
let vipsSoFar = 0;

function newVip(family: Family): string {
  vipsSoFar += 1;
  return family === 'IPv4' ? network.vip4(vipsSoFar) : network.vip6(vipsSoFar);
}

function ripOf(server: RealServerHost, family: Family): string {
  return family === 'IPv4' ? server.rip4 : server.rip6;
}

function planWays(): Way[] {
  const way = (
    name: string,
    vipFamily: Family,
    ripFamily: Family,
    index: number,
    forwarding: Readonly<Record<string, unknown>>,
  ): Way => {
    const server = network.realServers[index];
    assert.ok(server);
    const isDirectReturn = forwarding['method'] !== 'NAT';
    return {
      name,
      vip: newVip(vipFamily),
      vipFamily,
      server,
      rip: ripOf(server, ripFamily),
      forwarding,
      isDirectReturn,
    };
  };
  return [
    ...families.flatMap((family) => [
      way(`NAT, ${family}`, family, family, 0, { method: 'NAT' }),
      way(`DR, ${family}`, family, family, 1, { method: 'DR' }),
    ]),
    ...families.flatMap((vipFamily) =>
      families.flatMap((ripFamily) =>
        tunnels.map(({ name, tunnel, server }) =>
          way(`TUN by ${name}, ${vipFamily} in ${ripFamily}`, vipFamily, ripFamily, server, {
            method: 'TUN',
            tunnel,
          }),
        ),
      ),
    ),
  ];
}

const nameOf = (index: number) => `way-${index}`;

function manifestOf(way: Way, index: number): ServiceManifest {
  return {
    name: nameOf(index),
    service: {
      addresses: [{ ip: way.vip }],
      ports: [
        { name: 'stream', port: streamPort },
        { name: 'transfer', port: transferPort },
        { name: 'datagram', port: datagramPort, protocol: 'UDP' },
        { name: 'sctp', port: streamPort, protocol: 'SCTP' },
      ],
      forwarding: way.forwarding,
    },
    realServers: [{ addresses: [way.rip] }],
  };
}

/** Counts what it gets, and at the end sends as much. */
function countAndSendBack(socket: Socket): void {
  let bytes = 0;
  socket.on('data', (chunk) => (bytes += chunk.length)).on('end', () => socket.end(Buffer.alloc(bytes)));
}

before(async () => {
  network = await layOutNetwork();
  sockets = new LabSockets();
  ways = planWays();
  for (const [index, server] of network.realServers.entries()) {
    const vips = ways.filter((way) => way.server === server && way.isDirectReturn).map(({ vip }) => vip);
    if (index === 0) {
      await server.prepareForTunnel(vips);
      await server.prepareForTunnel([], { type: 'GUE', port: guePort });
    } else {
      await server.prepareForTunnel(vips, { type: 'GRE', checksum: index === 2 });
    }
    await sockets.serve(server, 'TCP', streamPort);
    await sockets.serve(server, 'SCTP', streamPort);
    await sockets.serve(server, 'TCP', transferPort, { onConnection: countAndSendBack });
    for (const address of [server.rip4, server.rip6, ...vips])
      await sockets.serve(server, 'UDP', datagramPort, { address });
  }
  director = new LabDirector(network.director, manifestFolder(ways.map(manifestOf)));
  await director.start();
});

after(async () => {
  await director.stop();
  sockets.close();
  await network.remove();
});

describe('every way carries packets, and the server sees the client itself', () => {
  const portOf: Readonly<Record<TransportProtocol, number>> = {
    TCP: streamPort,
    UDP: datagramPort,
    SCTP: streamPort,
  };
  for (const protocol of ['TCP', 'UDP', 'SCTP'] as const) {
    test(protocol, async () => {
      const outcomes: Record<string, string> = {};
      const expected: Record<string, string> = {};
      for (const way of ways) {
        const answer = await sockets.ask(network.client, way.vip, portOf[protocol], { protocol });
        const client = way.vipFamily === 'IPv4' ? network.client.ip4 : network.client.ip6;
        outcomes[way.name] =
          answer.server === undefined ? answer.outcome : `${answer.server} sees ${answer.seen}`;
        expected[way.name] = `${way.server.name} sees ${client}`;
      }
      assert.deepEqual(outcomes, expected);
    });
  }
});

/** `-a -t VIP -r RIP -i --tun-type gue …`: what the kernel holds, in the words of ipvsadm. */
function methodOf(way: Way, table: readonly string[]): string {
  const bracketed = (ip: string) => (ip.includes(':') ? `[${ip}]` : ip);
  const vip = bracketed(way.vip);
  const line = table.find((text) => text.startsWith(`-a -t ${vip}:${streamPort} `)) ?? '';
  const [, options = ''] = line.split(`-r ${bracketed(way.rip)}:${streamPort} `);
  return options.replace(/ -w \d+/, '').trim();
}

test('the kernel holds the method that was asked for: answers alone do not tell DR from TUN', async () => {
  const table = await director.table();
  const expected = (way: Way): string => {
    const { method, tunnel } = way.forwarding as { method: string; tunnel?: Record<string, unknown> };
    if (tunnel === undefined) return method === 'NAT' ? '-m' : '-g';
    const type = String(tunnel['type']).toLowerCase();
    if (type === 'ipip') return '-i --tun-type ipip';
    const words: Record<string, string> = { Checksum: '--tun-csum', RemoteChecksum: '--tun-remcsum' };
    const checksum = words[String(tunnel['checksum'])] ?? '--tun-nocsum';
    return `-i --tun-type ${type}${type === 'gue' ? ` --tun-port ${guePort}` : ''} ${checksum}`;
  };
  assert.deepEqual(
    Object.fromEntries(ways.map((way) => [way.name, methodOf(way, table)])),
    Object.fromEntries(ways.map((way) => [way.name, expected(way)])),
  );
});

/** Sends `size` bytes, lets the server count them and send as many back. */
async function transferBothWays(way: Way, size: number): Promise<string> {
  const socket = sockets.connect(network.client, way.vip, transferPort);
  return new Promise((resolve) => {
    let received = 0;
    const timer = setTimeout(() => resolve(`stalled after ${received} bytes`), 8000);
    const settle = (text: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (chunk) => (received += chunk.length));
    socket.on('end', () => settle(`${received} bytes`));
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    socket.on('connect', () => socket.end(Buffer.alloc(size)));
  });
}

test('big transfers: both directions complete through every tunnel', async () => {
  const size = 3_000_000;
  const outcomes: Record<string, string> = {};
  for (const way of ways) outcomes[way.name] = await transferBothWays(way, size);
  assert.deepEqual(outcomes, Object.fromEntries(ways.map(({ name }) => [name, `${size} bytes`])));
});

test('status says how large a packet may be, and clients learned exactly that by ICMP', async () => {
  const { stdout } = await director.status();
  const told: Record<string, string | undefined> = {};
  const learned: Record<string, string | undefined> = {};
  const routes = await network.client.check(['ip', '-oneline', '-batch', '-'], {
    input: ways.map(({ vip }) => `route get ${vip}\n`).join(''),
  });
  for (const [index, way] of ways.entries()) {
    if (way.forwarding['method'] !== 'TUN') continue;
    told[way.name] = new RegExp(`/${nameOf(index)}\\.yaml:.* above (\\d+) bytes`).exec(stdout)?.[1];
    const route = routes.split('\n').find((line) => line.startsWith(`${way.vip} `));
    learned[way.name] = / mtu (\d+)/.exec(route ?? '')?.[1];
  }
  assert.deepEqual(told, learned);
  assert.ok(Object.values(learned).every((mtu) => mtu !== undefined));
  assert.equal(stdout.match(/do not fit the tunnel/g)?.length, Object.keys(told).length, 'tunnels alone');
});
