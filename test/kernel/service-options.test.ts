import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { addManyClients, manyClients4, manyClients6 } from '../lab/many-clients.ts';
import { manifestFolder } from '../lab/manifests.ts';
import type { ServiceManifest } from '../lab/manifests.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { LabSockets, countByServer } from '../lab/sockets.ts';

/** What a VirtualService may ask for besides its method and scheduler, each proven by the answers that clients get. */

/** Real servers listen here; virtual ports are mapped to it where NAT may. */
const serverPort = 8080;
const rangePorts = [7000, 7005, 7010];

let network: LabNetwork;
let sockets: LabSockets;
let director: LabDirector;
/** VIPs by service name, one of each family. */
const vips = new Map<string, readonly [vip4: string, vip6: string]>();

function vipsOf(name: string): readonly [vip4: string, vip6: string] {
  const found = vips.get(name) ?? [network.vip4(vips.size), network.vip6(vips.size)];
  vips.set(name, found);
  return found;
}

/** A service on a VIP of each family, by NAT to `servers` on `serverPort` unless `spec` and `realServer` say otherwise. */
function service(
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
  options: { servers?: readonly number[]; realServer?: Readonly<Record<string, unknown>> } = {},
): ServiceManifest {
  const servers = (options.servers ?? [1, 2, 3]).map((number) => network.realServers[number - 1]);
  return {
    name,
    service: {
      addresses: vipsOf(name).map((ip) => ({ ip })),
      ports: [{ name: 'main', port: 80 }],
      scheduler: 'rr',
      ...spec,
    },
    realServers: [
      {
        addresses: servers.flatMap((server) => [server?.rip4, server?.rip6]),
        ports: [{ name: 'main', port: serverPort }],
        ...options.realServer,
      },
    ],
  };
}

const datagrams = [{ name: 'main', port: 53, protocol: 'UDP' }];

function planServices(): ServiceManifest[] {
  const [first, second] = network.realServers;
  const twoPorts = [
    { name: 'main', port: serverPort },
    { name: 'other', port: 443 },
  ];
  return [
    service('remap', { ports: [{ name: 'main', port: 80 }] }),
    service('remap-datagrams', { ports: datagrams }),
    service('off-path', {}, { servers: [4] }),
    service('off-path-datagrams', { ports: datagrams }, { servers: [4] }),
    service('source-nat', { forwarding: { sourceNAT: true } }, { servers: [4] }),
    service('source-nat-datagrams', { ports: datagrams, forwarding: { sourceNAT: true } }, { servers: [4] }),
    service(
      'together',
      {
        ports: [
          { name: 'range', port: 7000, endPort: 7010 },
          { name: 'datagrams', port: 7000, endPort: 7010, protocol: 'UDP' },
          { name: 'other', port: 443 },
        ],
        portGrouping: 'Together',
        persistence: {},
      },
      { realServer: { ports: [] } },
    ),
    service('separate', { ports: twoPorts, persistence: {} }, { realServer: { ports: [] } }),
    service('ranges', {
      sourceRanges: ['192.0.2.0/24', '10.20.0.0/25', '2001:db8:c::/64', '2001:db8:100:8::/61'],
    }),
    service('persistent', { persistence: { ipv4PrefixLength: 24, ipv6PrefixLength: 60 } }),
    service('forgetful'),
    service(
      'one-packet',
      { ports: datagrams, forwarding: { method: 'DR' }, onePacket: true },
      { realServer: { ports: [] } },
    ),
    service('flow', { ports: datagrams, forwarding: { method: 'DR' } }, { realServer: { ports: [] } }),
    service('one-packet-nat', { ports: datagrams, onePacket: true }),
    service('thresholds', {}, { realServer: { upperThreshold: 3 }, servers: [1, 2] }),
    {
      ...service('mixed-methods', { ports: [{ name: 'main', port: serverPort }] }),
      realServers: [
        { addresses: [first?.rip4, first?.rip6] },
        { addresses: [second?.rip4, second?.rip6], forwarding: { method: 'DR' } },
      ],
    },
  ];
}

before(async () => {
  network = await layOutNetwork({ realServers: 4 });
  sockets = new LabSockets();
  await addManyClients(network);
  const services = planServices();
  const directVips = ['one-packet', 'flow', 'mixed-methods'].flatMap((name) => vipsOf(name));
  for (const server of network.realServers) {
    await server.prepareForDirectReturn(directVips);
    for (const port of [serverPort, 443, ...rangePorts, 7011]) await sockets.serve(server, 'TCP', port);
    for (const address of [server.rip4, server.rip6]) {
      await sockets.serve(server, 'UDP', serverPort, { address });
      await sockets.serve(server, 'UDP', 7005, { address });
    }
    for (const address of [...vipsOf('one-packet'), ...vipsOf('flow')])
      await sockets.serve(server, 'UDP', 53, { address });
  }
  // The fourth server has another way to the clients than the director, as most servers have.
  await network.realServers[3]?.ip([
    'route replace default via 192.0.2.1 dev eth1 onlink',
    'route replace 192.0.2.0/24 dev eth1',
    'route replace 2001:db8:c::/64 dev eth1',
  ]);
  director = new LabDirector(network.director, manifestFolder(services));
  await director.start();
});

after(async () => {
  await director.stop();
  sockets.close();
  await network.remove();
});

function serversOf(
  answers: readonly { readonly server: string | undefined; readonly outcome: string }[],
): string[] {
  return [...new Set(answers.map(({ server, outcome }) => server ?? outcome))].toSorted();
}

const allThree = ['server1', 'server2', 'server3'];

describe('NAT to another port', () => {
  for (const [name, protocol, port] of [
    ['remap', 'TCP', 80],
    ['remap-datagrams', 'UDP', 53],
  ] as const) {
    test(protocol, async () => {
      for (const vip of vipsOf(name)) {
        const question = { vip, port, protocol };
        assert.deepEqual(
          serversOf(await sockets.askMany(network.client, [question, question, question])),
          allThree,
        );
      }
    });
  }
});

describe('sourceNAT: a real server that answers past the director', () => {
  for (const [protocol, port, suffix] of [
    ['TCP', 80, ''],
    ['UDP', 53, '-datagrams'],
  ] as const) {
    test(`${protocol}: served, and the server sees the director`, async () => {
      const { inside } = network.director;
      const [vip4, vip6] = vipsOf(`source-nat${suffix}`);
      for (const [vip, dip] of [
        [vip4, inside.ip4],
        [vip6, inside.ip6],
      ] as const) {
        const answer = await sockets.ask(network.client, vip, port, { protocol });
        assert.deepEqual(answer, { server: 'server4', seen: dip, outcome: 'answered' });
      }
    });

    test(`${protocol}: without it the answer is lost`, async () => {
      for (const vip of vipsOf(`off-path${suffix}`)) {
        const { server, outcome } = await sockets.ask(network.client, vip, port, {
          protocol,
          timeoutMs: 700,
        });
        assert.equal(server, undefined);
        assert.match(outcome, protocol === 'TCP' ? /^timeout$/ : /^from (198\.51\.100\.14|2001:db8:5::14)$/);
      }
    });
  }
});

describe('portGrouping', () => {
  test('Together: one affinity over a range, another port and another protocol', async () => {
    for (const [family, vip] of vipsOf('together').entries()) {
      const used = new Set<string>();
      for (let n = 0; n < 6; n++) {
        const from = family === 0 ? manyClients4(n) : manyClients6(n);
        const answers = await sockets.askMany(network.client, [
          ...[...rangePorts, 443].map((port) => ({ vip, port, from })),
          { vip, port: 7005, protocol: 'UDP', from },
        ]);
        const servers = serversOf(answers);
        assert.equal(servers.length, 1, `client ${from} found ${servers.join(', ')}`);
        used.add(servers[0] ?? '');
      }
      assert.deepEqual([...used].toSorted(), allThree, 'clients are spread');
    }
  });

  test('Together: a port outside the range is refused', async () => {
    for (const vip of vipsOf('together'))
      assert.equal((await sockets.ask(network.client, vip, 7011)).outcome, 'ECONNREFUSED');
  });

  test('Separate: each port remembers for itself', async () => {
    for (const [family, vip] of vipsOf('separate').entries()) {
      const [one, other] = [0, 1].map(family === 0 ? manyClients4 : manyClients6);
      assert.ok(one !== undefined && other !== undefined);
      const onMain = await sockets.ask(network.client, vip, serverPort, { from: one });
      await sockets.ask(network.client, vip, 443, { from: other });
      const onOther = await sockets.ask(network.client, vip, 443, { from: one });
      assert.notEqual(onOther.server, onMain.server);
      assert.equal((await sockets.ask(network.client, vip, 443, { from: one })).server, onOther.server);
    }
  });
});

test('sourceRanges: clients inside are served, all others refused', async () => {
  const [vip4, vip6] = vipsOf('ranges');
  const outcomes = await sockets.askMany(
    network.client,
    [
      { vip: vip4, from: network.client.ip4 },
      { vip: vip4, from: '10.20.0.127' },
      { vip: vip4, from: '10.20.0.128' },
      { vip: vip6, from: network.client.ip6 },
      { vip: vip6, from: '2001:db8:100:f::1' },
      { vip: vip6, from: '2001:db8:100:10::1' },
    ].map((question) => ({ ...question, port: 80 })),
  );
  assert.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['answered', 'answered', 'ECONNREFUSED', 'answered', 'answered', 'ECONNREFUSED'],
  );
});

describe('persistence', () => {
  /** Per family: clients that count as one by prefix. */
  const neighbourhoods = [
    ['10.20.1.1', '10.20.1.2', '10.20.1.254'],
    ['10.20.2.1', '10.20.2.2', '10.20.2.254'],
    ['10.20.3.1', '10.20.3.2', '10.20.3.254'],
    ['2001:db8:100:10::1', '2001:db8:100:1f::1', '2001:db8:100:10::2'],
    ['2001:db8:100:20::1', '2001:db8:100:2f::1', '2001:db8:100:20::2'],
    ['2001:db8:100:30::1', '2001:db8:100:3f::1', '2001:db8:100:30::2'],
  ] as const;

  test('clients that share a prefix share a server; prefixes are spread', async () => {
    for (const [index, vip] of vipsOf('persistent').entries()) {
      const found: string[][] = [];
      for (const clients of neighbourhoods.slice(index * 3, index * 3 + 3)) {
        const questions = [...clients, ...clients].map((from) => ({ vip, port: 80, from }));
        found.push(serversOf(await sockets.askMany(network.client, questions)));
      }
      assert.deepEqual(
        found.map((servers) => servers.length),
        [1, 1, 1],
      );
      assert.deepEqual(found.flat().toSorted(), allThree);
    }
  });

  test('without it the same client goes round', async () => {
    for (const vip of vipsOf('forgetful')) {
      const question = { vip, port: 80, from: vip.includes(':') ? manyClients6(0) : manyClients4(0) };
      assert.deepEqual(
        serversOf(await sockets.askMany(network.client, [question, question, question])),
        allThree,
      );
    }
  });
});

describe('datagrams from one port', () => {
  const askFromOnePort = async (vip: string) => {
    const client = await sockets.openDatagramClient(network.client, vip);
    const answers = [];
    for (let i = 0; i < 30; i++) answers.push(await client.ask(53));
    client.close();
    return countByServer(answers);
  };

  test('onePacket: every one is scheduled anew, in turn', async () => {
    for (const vip of vipsOf('one-packet'))
      assert.deepEqual(await askFromOnePort(vip), { server1: 10, server2: 10, server3: 10 });
  });

  test('onePacket with NAT: answers come from the real server, as status warns', async () => {
    for (const vip of vipsOf('one-packet-nat')) {
      const client = await sockets.openDatagramClient(network.client, vip);
      assert.match((await client.ask(53)).outcome, /^from (198\.51\.100\.1|2001:db8:5::1)[123]$/);
      client.close();
    }
    const warnings = (await director.status()).stdout.split('\n').filter((line) => /: warning: /.test(line));
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? '',
      /one-packet-nat\.yaml:\d+:\d+: warning: With NAT and onePacket, answers /,
    );
  });

  test('otherwise all follow the first', async () => {
    for (const vip of vipsOf('flow')) assert.deepEqual(Object.values(await askFromOnePort(vip)), [30]);
  });
});

test('thresholds: a full server gets nothing new, and a raised threshold lets it', async () => {
  const [vip] = vipsOf('thresholds');
  const open = async (count: number) => {
    const connections = [];
    for (let i = 0; i < count; i++) connections.push(await sockets.hold(network.client, vip, 80));
    return connections;
  };
  const first = await open(6);
  assert.deepEqual(countByServer(first), { server1: 3, server2: 3 });
  const [refused] = await open(1);
  assert.equal(refused?.outcome, 'ECONNREFUSED');
  director.edit('thresholds.yaml', '"upperThreshold": 3', '"upperThreshold": 5');
  await director.waitUntil('the kernel has the new threshold', async () => {
    const text = await network.director.check(['ipvsadm', '-Ln', '--thresholds', '-t', `${vip}:80`]);
    return text.match(/:8080\s+5\s/g)?.length === 2;
  });
  const more = await open(4);
  assert.deepEqual(countByServer(more), { server1: 2, server2: 2 });
  assert.ok(
    first.every(({ socket }) => !socket.destroyed),
    'those that were open stayed',
  );
  for (const { socket } of [...first, ...more]) socket.destroy();
});

test('real servers of one service may differ in method', async () => {
  for (const vip of vipsOf('mixed-methods')) {
    const question = { vip, port: serverPort };
    const answers = await sockets.askMany(network.client, [question, question, question, question]);
    assert.deepEqual(countByServer(answers), { server1: 2, server2: 2 });
    const client = vip.includes(':') ? network.client.ip6 : network.client.ip4;
    assert.ok(answers.every(({ seen }) => seen === client));
  }
});
