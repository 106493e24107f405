import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { formatConfiguration, formatManifest, manifestFolder } from '../lab/manifests.ts';
import type { ServiceManifest } from '../lab/manifests.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { LabSockets } from '../lab/sockets.ts';

/** How clients find a VIP, and what they cannot reach through it. */

const port = 80;
/** As kubelet does, on every address of the host. */
const kubeletPort = 10_250;
const wrongMac = '02:00:00:00:00:99';

let network: LabNetwork;
let sockets: LabSockets;
let director: LabDirector;
let directorMac: string;

function service(name: string, vips: readonly string[]): ServiceManifest {
  const [server] = network.realServers;
  return {
    name,
    service: {
      addresses: vips.map((ip) => ({ ip })),
      ports: [{ port }],
      drain: { timeoutSeconds: 0 },
    },
    realServers: [{ addresses: [server?.rip4, server?.rip6] }],
  };
}

const onLink = () => [network.vip4(0), network.vip6(0)];
const routed = () => [network.routedVip4(0), network.routedVip6(0)];

before(async () => {
  network = await layOutNetwork({ realServers: 1 });
  sockets = new LabSockets();
  const [server] = network.realServers;
  assert.ok(server);
  await sockets.serve(server, 'TCP', port);
  await sockets.serve(network.director, 'TCP', kubeletPort);
  const link = await network.director.check([
    'ip',
    '-o',
    'link',
    'show',
    'dev',
    network.director.uplink.device,
  ]);
  directorMac = /link\/ether (\S+)/.exec(link)?.[1] ?? '';
});

after(async () => {
  await director.stop();
  sockets.close();
  await network.remove();
});

const services = () =>
  manifestFolder([service('on-link', onLink()), service('routed', routed()), service('leaving', leaving())]);
const leaving = () => [network.vip4(1), network.vip6(1), network.routedVip4(1), network.routedVip6(1)];

async function neighbour(address: string): Promise<string | undefined> {
  const text = await network.client.check(['ip', 'neigh', 'show', address, 'dev', 'eth0']);
  return /lladdr (\S+)/.exec(text)?.[1];
}

async function outcomes(vips: readonly string[], at: number): Promise<string[]> {
  const answers = await sockets.askMany(
    network.client,
    vips.map((vip) => ({ vip, port: at })),
  );
  return answers.map(({ server, outcome }) => server ?? outcome);
}

async function canPing(address: string): Promise<boolean> {
  return (await network.client.run(['ping', '-c', '1', '-W', '1', address])).code === 0;
}

async function boundTo(device: string): Promise<string[]> {
  const { code, stdout } = await network.director.run(['ip', '-o', 'addr', 'show', 'dev', device]);
  return code === 0 ? [...stdout.matchAll(/inet6? (\S+)\/(?:32|128)\b/g)].map(([, ip]) => ip ?? '') : [];
}

describe('without packet rules (netfilter: Off)', () => {
  test('a port of the host itself is reachable through every VIP: why the guard is there', async () => {
    const folder = mkdtempSync(join(process.env['LAB_SCRATCH'] ?? tmpdir(), 'configuration-'));
    const file = join(folder, 'off.yaml');
    writeFileSync(file, formatConfiguration({ netfilter: 'Off' }));
    const unguarded = new LabDirector(network.director, services(), ['--config', file]);
    await unguarded.start();
    const vips = [...onLink(), ...routed()];
    assert.deepEqual(await outcomes(vips, port), ['server1', 'server1', 'server1', 'server1']);
    assert.deepEqual(await outcomes(vips, kubeletPort), ['director', 'director', 'director', 'director']);
    assert.equal(await unguarded.stop(), 0);
  });
});

describe('with the guard', () => {
  before(async () => {
    director = new LabDirector(network.director, services());
    await director.start();
  });

  test('a port of the host is refused at VIPs, and reachable at the host’s own addresses', async () => {
    const vips = [...onLink(), ...routed()];
    assert.deepEqual(
      await outcomes(vips, kubeletPort),
      vips.map(() => 'ECONNREFUSED'),
    );
    const { ip4, ip6 } = network.director.uplink;
    assert.deepEqual(await outcomes([ip4, ip6], kubeletPort), ['director', 'director']);
    assert.deepEqual(
      await outcomes(vips, port),
      vips.map(() => 'server1'),
    );
  });

  describe('VIPs of the uplink’s subnet', () => {
    test('are found by neighbours who never heard of them, although arp_ignore is 1', async () => {
      // The director's own doing, for the routed VIPs; strictARP of others comes to the same.
      const path = '/proc/sys/net/ipv4/conf/eth0/arp_ignore';
      assert.equal((await network.director.check(['cat', path])).trim(), '1');
      for (const vip of onLink()) {
        await network.client.check(['ip', 'neigh', 'flush', 'all']);
        assert.equal(await neighbour(vip), undefined);
        assert.deepEqual(await outcomes([vip], port), ['server1']);
        assert.equal(await neighbour(vip), directorMac);
      }
    });

    test('would not be on a dummy device', async () => {
      const control = [network.vip4(90), network.vip6(90)] as const;
      await network.director.ip([
        'link add control type dummy',
        'link set control up',
        `addr add ${control[0]}/32 dev control`,
        `addr add ${control[1]}/128 dev control nodad`,
      ]);
      for (const vip of control) assert.equal(await canPing(vip), false);
      await network.director.ip(['link del control']);
    });

    test('are announced: a neighbour with an outdated entry follows', async () => {
      const vips = [network.vip4(2), network.vip6(2)];
      await network.client.ip(
        vips.map((vip) => `neigh replace ${vip} lladdr ${wrongMac} dev eth0 nud reachable`),
      );
      for (const vip of vips) assert.equal(await neighbour(vip), wrongMac);
      director.write('announced.yaml', formatManifest(service('announced', vips)));
      for (const vip of vips)
        await director.waitUntil(
          `the client knows where ${vip} is`,
          async () => (await neighbour(vip)) === directorMac,
        );
      assert.deepEqual(await outcomes(vips, port), ['server1', 'server1']);
    });
  });

  describe('VIPs of no subnet', () => {
    test('are on lvs0, and reached by a route', async () => {
      const bound = await boundTo('lvs0');
      for (const vip of routed()) assert.ok(bound.includes(vip), `${vip} among ${bound.join(', ')}`);
      assert.deepEqual(await outcomes(routed(), port), ['server1', 'server1']);
    });

    test('are not answered for on the wire', async () => {
      const vips = routed();
      await network.client.ip(vips.map((vip) => `route add ${vip} dev eth0`));
      for (const vip of vips) assert.equal(await canPing(vip), false, vip);
      await network.client.ip(vips.map((vip) => `route del ${vip} dev eth0`));
      for (const vip of vips) assert.equal(await canPing(vip), true, vip);
    });
  });

  test('a VIP whose service is deleted is no longer there', async () => {
    const vips = leaving();
    assert.deepEqual(
      await outcomes(vips, port),
      vips.map(() => 'server1'),
    );
    director.remove('leaving.yaml');
    await director.waitUntil('the addresses are gone', async () => {
      const bound = [...(await boundTo('eth0')), ...(await boundTo('lvs0'))];
      return vips.every((vip) => !bound.includes(vip));
    });
    for (const vip of vips) assert.equal(await canPing(vip), false, vip);
    assert.deepEqual(await outcomes(onLink(), port), ['server1', 'server1'], 'the others stay');
  });
});
