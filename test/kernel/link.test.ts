import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { parseCidr, parseIpAddress } from '../../src/base/index.ts';
import {
  computeSysctlProfile,
  computeUplinks,
  emptyPacketRules,
  expireNodestConnPath,
  findUplink,
  normalizePacketRules,
} from '../../src/link/index.ts';
import type { Link, PacketRules, VipBinding, VipClaim } from '../../src/link/index.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { until } from './director-eyes.ts';
import { ask, openClient, openLinkOn, serveOn } from './link-hosts.ts';

const ip = parseIpAddress;
const port = 8080;
const kubeletPort = 10250;

let network: LabNetwork;

function claim(vip: string, more: Partial<VipClaim> = {}): VipClaim {
  return { vip: ip(vip), protocol: 'TCP', port, endPort: port, sourceRanges: [], mark: undefined, ...more };
}

function bindingOf(vip: string, device: string, announce = false): VipBinding {
  return { vip: ip(vip), device, announce };
}

function bracket(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** One service on a VIP that forwards to the first real server, by NAT. */
function natService(vip: string, atPort = port): string {
  const server = network.realServers[0];
  const rip = vip.includes(':') ? server?.rip6 : server?.rip4;
  return `-A -t ${bracket(vip)}:${atPort} -s rr\n-a -t ${bracket(vip)}:${atPort} -r ${bracket(rip ?? '')}:${port} -m -w 1\n`;
}

async function ipvsadm(lines: string): Promise<void> {
  await network.director.check(['ipvsadm', '-R'], { input: lines });
}

/** A clean director with an open link room; the VIPs it binds are released after the test. */
function director(context: TestContext): Link {
  const link = openLinkOn(network.director);
  context.after(async () => {
    const ours = link.observeAddresses().filter((address) => address.protocol === 0x4c);
    link.releaseVips(ours.map(({ ip: vip, device }) => ({ vip, device, announce: false })));
    link.removeEverything();
    link.close();
    await network.director.check(['ipvsadm', '-C']);
  });
  return link;
}

suite('link in a real kernel', () => {
  before(async () => {
    network = await layOutNetwork({ realServers: 2 });
    await network.director.check(['ipvsadm', '-Ln']);
  });
  after(() => network.remove());

  test('uplinks: the link that carries the clients’ subnet is found for its VIPs, and none for routed ones', (context) => {
    const link = director(context);
    const uplinks = computeUplinks(link.observeLinks(), link.observeAddresses());
    assert.equal(findUplink(ip(network.vip4(0)), uplinks)?.name, 'eth0');
    assert.equal(findUplink(ip(network.vip6(0)), uplinks)?.name, 'eth0');
    assert.equal(findUplink(ip(network.routedVip4(0)), uplinks), undefined);
    assert.equal(uplinks.find(({ name }) => name === 'eth0')?.mtu, 1500);
  });

  test('a VIP on the uplink answers from a cold neighbour cache with arp_ignore=1; on lvs0 it is silent', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port);
    await network.director.sysctl({ 'net/ipv4/conf/all/arp_ignore': 1 });
    context.after(async () => network.director.sysctl({ 'net/ipv4/conf/all/arp_ignore': 0 }));
    const vips = [network.vip4(1), network.vip6(1)];
    await ipvsadm(vips.map((vip) => natService(vip)).join(''));
    for (const device of ['lvs0', 'eth0']) {
      const bindings = vips.map((vip) => bindingOf(vip, device));
      const outcomes = link.bindVips(bindings);
      assert.deepEqual(
        outcomes.map(({ isChanged, error }) => [isChanged, error]),
        [
          [true, undefined],
          [true, undefined],
        ],
      );
      assert.deepEqual(
        link.bindVips(bindings).map(({ isChanged }) => isChanged),
        [false, false],
        'again is nothing',
      );
      await network.client.ip(['neigh flush all']);
      for (const vip of vips) {
        const answer = await ask(context, network.client, vip, port, 1200);
        if (device === 'lvs0') assert.match(answer, /timeout|EHOSTUNREACH/, vip);
        else assert.match(answer, /^server1 sees /, vip);
      }
      assert.deepEqual(
        link.releaseVips(bindings).map(({ isChanged, error }) => [isChanged, error]),
        [
          [true, undefined],
          [true, undefined],
        ],
      );
      assert.deepEqual(
        link.releaseVips(bindings).map(({ isChanged }) => isChanged),
        [false, false],
      );
    }
  });

  test('a routed VIP on lvs0 serves clients whose route leads here, IPv4 and IPv6', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port);
    const vips = [network.routedVip4(0), network.routedVip6(0)];
    await ipvsadm(vips.map((vip) => natService(vip)).join(''));
    link.bindVips(vips.map((vip) => bindingOf(vip, 'lvs0')));
    for (const vip of vips) assert.match(await ask(context, network.client, vip, port), /^server1 sees /);
    const witnesses = link
      .observeAddresses()
      .filter(({ device }) => device === 'lvs0')
      .filter(({ ip: address }) => !address.startsWith('fe80'));
    assert.deepEqual(
      witnesses.map(({ protocol, isTentative }) => [protocol, isTentative]),
      [
        [0x4c, false],
        [0x4c, false],
      ],
    );
  });

  test('an announcement moves a neighbour’s entry at once; without it the entry stays', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    const mac = async (vip: string) =>
      /lladdr (\S+)/.exec(await network.client.check(['ip', 'neigh', 'show', vip]))?.[1];
    const directorMac = link.observeLinks().find(({ name }) => name === 'eth0')?.hardwareAddress;
    assert.ok(directorMac);
    const expected = Buffer.from(directorMac)
      .toString('hex')
      .replaceAll(/(..)(?=.)/g, '$1:');
    for (const [vip, prefix] of [
      [network.vip4(2), 32],
      [network.vip6(2), 128],
    ] as const) {
      await server.ip([`addr add ${vip}/${prefix} dev eth1${prefix === 128 ? ' nodad' : ''}`]);
      await ask(context, network.client, vip, 9);
      const serverMac = await mac(vip);
      assert.ok(
        serverMac !== undefined && serverMac !== expected,
        `${vip}: the server was found first, at ${serverMac}`,
      );
      await server.ip([`addr del ${vip}/${prefix} dev eth1`]);
      link.bindVips([bindingOf(vip, 'eth0', false)]);
      await sleep(100);
      assert.equal(await mac(vip), serverMac, 'not announced');
      const warnings = link.announceVips([bindingOf(vip, 'eth0', true)]);
      assert.equal(warnings.size, 0);
      await sleep(50);
      assert.equal(await mac(vip), expected, 'announced');
    }
  });

  test('guard: a port of the host is not reachable through a VIP, a claimed port is; without the guard it is', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port);
    await serveOn(context, network.director, kubeletPort);
    const vips = [network.vip4(3), network.vip6(3)];
    await ipvsadm(vips.map((vip) => natService(vip)).join(''));
    link.bindVips(vips.map((vip) => bindingOf(vip, 'eth0')));
    for (const vip of vips)
      assert.match(await ask(context, network.client, vip, kubeletPort), /^director sees /, 'no guard yet');
    link.applyPacketRules({ ...emptyPacketRules, vips: vips.map(ip), claims: vips.map((vip) => claim(vip)) });
    for (const vip of vips) {
      assert.equal(await ask(context, network.client, vip, kubeletPort), 'ECONNREFUSED');
      assert.match(await ask(context, network.client, vip, port), /^server1 sees /);
      const ping = await network.client.run(['ip', 'neigh', 'show', vip]);
      assert.match(ping.stdout, /REACHABLE|DELAY|STALE|PROBE/);
    }
    const own = network.director.uplink;
    for (const address of [own.ip4, own.ip6]) {
      assert.match(
        await ask(context, network.client, address, kubeletPort),
        /^director sees /,
        'the host’s own address',
      );
    }
    // The director itself is a client too: its answers come in to the VIP as its own address.
    for (const vip of vips) assert.match(await ask(context, network.director, vip, port), /^server1 sees /);
  });

  test('source ranges: who is outside is refused, who is inside is served', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port);
    const vip = network.vip4(4);
    await ipvsadm(natService(vip));
    link.bindVips([bindingOf(vip, 'eth0')]);
    for (const [range, expected] of [
      ['10.0.0.0/8', /ECONNREFUSED/],
      [`${network.client.ip4}/32`, /^server1/],
    ] as const) {
      link.applyPacketRules({
        ...emptyPacketRules,
        claims: [claim(vip, { sourceRanges: [parseCidr(range)] })],
      });
      assert.match(await ask(context, network.client, vip, port), expected);
    }
  });

  test('marks: several ports of a VIP are one mark service, for clients and for the director itself', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port);
    await serveOn(context, server, port + 1);
    const mark = 0x4c560001;
    const vips = [network.vip4(5), network.vip6(5)];
    await ipvsadm(
      `-A -f ${mark} -s rr\n-a -f ${mark} -r ${server.rip4}:0 -m -w 1\n-A -f ${mark} -6 -s rr\n-a -f ${mark} -6 -r [${server.rip6}]:0 -m -w 1\n`,
    );
    link.bindVips(vips.map((vip) => bindingOf(vip, 'eth0')));
    assert.equal(await ask(context, network.client, vips[0] ?? '', port), 'ECONNREFUSED', 'no mark yet');
    link.applyPacketRules({
      ...emptyPacketRules,
      claims: vips.map((vip) => claim(vip, { endPort: port + 1, mark })),
    });
    for (const vip of vips) {
      for (const at of [port, port + 1])
        assert.match(await ask(context, network.client, vip, at), /^server1 sees /, `${vip} ${at}`);
      assert.match(await ask(context, network.director, vip, port), /^server1 sees /, 'from the director');
      assert.equal(await ask(context, network.client, vip, port + 2), 'ECONNREFUSED');
    }
  });

  test('sourceNAT: servers see the director with conntrack=1, one port and a range; not with conntrack=0', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port);
    const [single4, single6, range4] = [network.vip4(6), network.vip6(6), network.vip4(7)];
    await ipvsadm([natService(single4), natService(single6), natService(range4, 8001)].join(''));
    link.bindVips([single4, single6, range4].map((vip) => bindingOf(vip, 'eth0')));
    const rules: PacketRules = {
      ...emptyPacketRules,
      claims: [claim(single4), claim(single6), claim(range4, { port: 8000, endPort: 8100 })],
      sourceNat: [
        { vip: ip(single4), protocol: 'TCP', port, endPort: port },
        { vip: ip(single6), protocol: 'TCP', port, endPort: port },
        { vip: ip(range4), protocol: 'TCP', port: 8000, endPort: 8100 },
      ],
    };
    link.applyPacketRules(rules);
    const { inside } = network.director;
    const cases = [
      [single4, port, network.client.ip4, inside.ip4],
      [single6, port, network.client.ip6, inside.ip6],
      [range4, 8001, network.client.ip4, inside.ip4],
    ] as const;
    link.applySysctls(new Map([['net/ipv4/vs/conntrack', '0']]));
    for (const [vip, at, client] of cases)
      assert.equal(await ask(context, network.client, vip, at), `server1 sees ${client}`);
    const profile = computeSysctlProfile({
      hasServices: true,
      hasIpv4Nat: true,
      hasIpv6Nat: true,
      hasSourceNat: true,
      hasTunnel: false,
      hasDirectRouting: false,
      hasRoutedIpv4Vips: false,
      uplinks: ['eth0'],
    });
    const outcome = link.applySysctls(profile);
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.previous.get('net/ipv4/vs/conntrack'), '0');
    for (const [vip, at, , dip] of cases)
      assert.equal(await ask(context, network.client, vip, at), `server1 sees ${dip}`);
    assert.deepEqual(link.observePacketRules(), normalizePacketRules(rules));
    link.applySysctls(outcome.previous);
  });

  test('rules and addresses of others are bit-equal after everything came and went', async (context) => {
    const link = director(context);
    const { director: host } = network;
    await host.check(['iptables-legacy-restore', '--noflush'], {
      input:
        '*filter\n:OTHERS - [0:0]\n-A INPUT -i lo -j OTHERS\n-A OTHERS -m comment --comment "-j LVS-GUARD" -j RETURN\nCOMMIT\n' +
        '*mangle\n-A PREROUTING -p udp --dport 9 -j MARK --set-xmark 0x9/0xf\nCOMMIT\n' +
        '*nat\n-A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE\nCOMMIT\n',
    });
    await host.ip([
      'link add others type dummy',
      'link set others up',
      'addr add 203.0.113.250/32 dev others',
      'addr add 192.0.2.240/32 dev eth0',
    ]);
    context.after(async () => host.ip(['link del others', 'addr del 192.0.2.240/32 dev eth0']));
    const withoutTimes = (text: string) => text.replaceAll(/^#.*$/gm, '').replaceAll(/\[\d+:\d+\]/g, '');
    const look = async () => [
      withoutTimes(await host.check(['iptables-legacy-save'])),
      await host.check(['ip', '-o', 'addr']),
    ];
    const beforehand = await look();
    const vips = Array.from({ length: 20 }, (_, n) => network.routedVip4(n));
    const foreign = bindingOf('192.0.2.240', 'eth0');
    assert.equal(
      link.bindVips([...vips.map((vip) => bindingOf(vip, 'lvs0')), foreign]).at(-1)?.isForeign,
      true,
    );
    const claims = vips.map((vip, index) => claim(vip, { mark: index % 2 === 0 ? 0x4c560001 : undefined }));
    const sourceNat = vips.map((vip) => ({ vip: ip(vip), protocol: 'UDP' as const, port: 53, endPort: 53 }));
    link.applyPacketRules({ ...emptyPacketRules, claims, sourceNat });
    assert.equal((await look())[0]?.includes('-d 203.0.113.20/32 -g LVS-GUARD-'), true);
    link.releaseVips([...vips.map((vip) => bindingOf(vip, 'lvs0')), foreign]);
    link.removeEverything();
    assert.deepEqual(await look(), beforehand);
  });

  test('a table that no rule needs is not brought to life: nat would switch on connection tracking', async (context) => {
    const link = openLinkOn(network.client);
    context.after(() => {
      link.removeEverything();
      link.close();
    });
    // The files come with the modules, and so may be missing.
    const tablesInUse = async () =>
      network.client.check([
        'sh',
        '-c',
        'cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true',
      ]);
    assert.equal(await tablesInUse(), '');
    assert.deepEqual(link.observePacketRules({ isFull: true }), emptyPacketRules);
    link.pollPacketRulesChanged();
    assert.equal(await tablesInUse(), '');
    link.applyPacketRules({ ...emptyPacketRules, vips: [ip(network.routedVip4(0))] });
    assert.equal(await tablesInUse(), 'filter\n');
  });

  test('hand edits are seen by the poll and undone by the next apply', async (context) => {
    const link = director(context);
    const vip = network.vip4(8);
    const binding = bindingOf(vip, 'eth0');
    const rules: PacketRules = { ...emptyPacketRules, claims: [claim(vip)], vips: [ip(vip)] };
    await serveOn(context, network.director, kubeletPort);
    link.bindVips([binding]);
    link.applyPacketRules(rules);
    const edits: readonly (readonly [string, readonly string[], 'rules' | 'addresses'])[] = [
      ['a flush', ['iptables-legacy', '-F'], 'rules'],
      ['the jump deleted', ['iptables-legacy', '-D', 'INPUT', '-j', 'LVS-GUARD'], 'rules'],
      ['a rule of ours deleted', ['iptables-legacy', '-D', 'LVS-GUARD-1', '1'], 'rules'],
      ['a rule put into our chain', ['iptables-legacy', '-I', 'LVS-GUARD', '-j', 'ACCEPT'], 'rules'],
      [
        'a rule replaced by one of the same length',
        [
          'iptables-legacy',
          '-R',
          'LVS-GUARD-1',
          '1',
          ...'-p tcp -m multiport --dports 22 -j RETURN'.split(' '),
        ],
        'rules',
      ],
      ['the VIP deleted', ['ip', 'addr', 'del', `${vip}/32`, 'dev', 'eth0'], 'addresses'],
    ];
    for (const [what, argv, kind] of edits) {
      link.observePacketRules();
      link.pollAddressesChanged();
      link.pollPacketRulesChanged();
      // Packets that the rules count are no change of the rules.
      assert.equal(await ask(context, network.client, vip, kubeletPort), 'ECONNREFUSED');
      assert.equal(link.pollAddressesChanged(), false, `${what}: addresses quiet before`);
      assert.equal(link.pollPacketRulesChanged(), false, `${what}: rules quiet before`);
      await network.director.check(argv);
      const isNoticed = kind === 'rules' ? link.pollPacketRulesChanged() : link.pollAddressesChanged();
      assert.equal(isNoticed, true, what);
      if (kind === 'rules') {
        assert.notDeepEqual(link.observePacketRules(), rules, what);
        link.applyPacketRules(rules);
        assert.deepEqual(link.observePacketRules(), rules, `${what}: repaired`);
      } else {
        assert.equal(link.bindVips([binding])[0]?.isChanged, true, `${what}: repaired`);
      }
    }
  });

  test('tunnel: a big upload passes by ICMP; where a firewall eats that, only the MSS clamp on the way back saves it', async (context) => {
    const link = director(context);
    const [, server] = network.realServers;
    assert.ok(server);
    const vip = network.vip4(9);
    await server.prepareForTunnel([vip]);
    await serveOn(context, server, port, (socket) => {
      let bytes = 0;
      socket.on('data', (chunk) => (bytes += chunk.length)).on('end', () => socket.end(`${bytes}`));
    });
    await ipvsadm(`-A -t ${vip}:${port} -s rr\n-a -t ${vip}:${port} -r ${server.rip4}:${port} -i -w 1\n`);
    link.bindVips([bindingOf(vip, 'eth0')]);
    link.applyPacketRules({ ...emptyPacketRules, claims: [claim(vip)] });
    const size = 300_000;
    const upload = async () => {
      await network.client.ip(['route flush cache']);
      const socket = openClient(network.client, vip);
      context.after(() => socket.destroy());
      return new Promise<string>((resolve) => {
        const timer = setTimeout(() => resolve('stalled'), 2500);
        socket
          .on('error', (error) => resolve(error.message))
          .once('data', (chunk) => {
            clearTimeout(timer);
            resolve(chunk.toString());
          });
        socket.connect(port, vip, () => socket.end(Buffer.alloc(size)));
      });
    };
    assert.equal(await upload(), `${size}`, 'ICMP teaches the client');

    await network.client.check(['iptables-legacy', '-A', 'INPUT', '-p', 'icmp', '-j', 'DROP']);
    context.after(async () => network.client.check(['iptables-legacy', '-F']));
    assert.equal(await upload(), 'stalled', 'a client that hears no ICMP');

    // The director as the way back: it must accept packets that come from its own VIP.
    await server.ip([`route replace 192.0.2.0/24 via ${network.director.inside.ip4} dev eth0 table 100`]);
    await network.director.sysctl({ 'net/ipv4/conf/eth1/accept_local': 1 });
    assert.equal(await upload(), 'stalled', 'no clamp yet');
    link.applyPacketRules({
      ...emptyPacketRules,
      claims: [claim(vip)],
      mssClamps: [{ vip: ip(vip), port, endPort: port, mss: 1440 }],
    });
    assert.equal(await upload(), `${size}`, 'clamped');
  });

  test('a server deleted by hand and put back: connections live on with expire_nodest_conn=0, and are reset with 1', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port, (socket) => void socket.pipe(socket));
    const vip = network.vip4(10);
    await ipvsadm(natService(vip));
    link.bindVips([bindingOf(vip, 'eth0')]);
    link.applyPacketRules({ ...emptyPacketRules, claims: [claim(vip)] });
    const key = ['-t', `${vip}:${port}`, '-r', `${server.rip4}:${port}`];
    for (const [value, expected] of [
      ['0', 'echo 2'],
      ['1', 'ECONNRESET'],
    ] as const) {
      link.applySysctls(new Map([[expireNodestConnPath, value]]));
      const socket = openClient(network.client, vip);
      context.after(() => socket.destroy());
      let last = '';
      socket
        .on('data', (chunk) => (last = chunk.toString()))
        .on('error', (error: NodeJS.ErrnoException) => (last = error.code ?? ''));
      socket.connect(port, vip, () => socket.write('echo 1'));
      await until('the first echo is there', () => last === 'echo 1');
      await network.director.check(['ipvsadm', '-d', ...key]);
      socket.write('echo 2');
      await sleep(800);
      await network.director.check(['ipvsadm', '-a', ...key, '-m']);
      await until(`the client sees ${expected}`, () => last === expected).catch(() =>
        assert.equal(last, expected, `expire_nodest_conn=${value}`),
      );
    }
    link.applySysctls(new Map([[expireNodestConnPath, '0']]));
  });

  test('a server that we delete ourselves: 1 only for the moment of the deletion ends its connections at once', async (context) => {
    const link = director(context);
    const [server] = network.realServers;
    assert.ok(server);
    await serveOn(context, server, port, (socket) => void socket.pipe(socket));
    const vip = network.vip4(11);
    await ipvsadm(natService(vip));
    link.bindVips([bindingOf(vip, 'eth0')]);
    link.applyPacketRules({ ...emptyPacketRules, claims: [claim(vip)] });
    for (const [value, expected] of [
      ['0', 'echo 1'],
      ['1', 'ECONNRESET'],
    ] as const) {
      const socket = openClient(network.client, vip);
      context.after(() => socket.destroy());
      let last = '';
      socket
        .on('data', (chunk) => (last = chunk.toString()))
        .on('error', (error: NodeJS.ErrnoException) => (last = error.code ?? ''));
      socket.connect(port, vip, () => socket.write('echo 1'));
      await until('the first echo is there', () => last === 'echo 1');
      // As the director does it: raised, deleted and lowered without a pause, here by one shell.
      const path = `/proc/sys/${expireNodestConnPath}`;
      await network.director.check([
        'sh',
        '-c',
        `echo ${value} >${path}; ipvsadm -d -t ${vip}:${port} -r ${server.rip4}:${port}; echo 0 >${path}`,
      ]);
      await sleep(100);
      socket.write('echo 2');
      if (value === '1') await until('the client is told', () => last === expected, 10_000).catch(() => {});
      else await sleep(600);
      assert.equal(last, expected, value === '1' ? 'told at once' : 'left waiting in silence');
      await network.director.check([
        'ipvsadm',
        '-a',
        '-t',
        `${vip}:${port}`,
        '-r',
        `${server.rip4}:${port}`,
        '-m',
      ]);
    }
  });
});
