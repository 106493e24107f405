import { LabHost, runInLab } from './host.ts';

/**
 * The hosts of a test, laid out inside the lab kernel as network namespaces:
 *
 *        client eth0 ─────────┐ switch "clients"  192.0.2.0/24     2001:db8:c::/64
 *                             ├──── director eth0 (.1)   the uplink; VIPs of this subnet belong here
 *      server N eth1 ─────────┘     (only answers of DR and TUN leave here, straight to the client)
 *
 *      director eth1 (.1) ────┐ switch "servers"  198.51.100.0/24  2001:db8:5::/64
 *      server N eth0 ─────────┘     default gateway of the servers: the director, as NAT needs it
 *
 * Every network is dual stack, loopback is up everywhere (IPVS refuses real servers without it), and several networks
 * with the same addresses live side by side in one boot because their namespaces have names of their own.
 */
export interface LabNetwork {
  client: ClientHost;
  director: DirectorHost;
  realServers: readonly RealServerHost[];
  /** Every host, for loops and banners. */
  hosts: readonly LabHost[];
  /** The nth (from 0) VIP in the uplink's own subnet: reachable only if the director answers ARP or NDP for it. */
  vip4(n: number): string;
  vip6(n: number): string;
  /** The nth (from 0) VIP that clients reach by a route through the director's uplink, from 203.0.113.0/24. */
  routedVip4(n: number): string;
  routedVip6(n: number): string;
  /** Kills every process on the hosts and removes them. */
  remove(): Promise<void>;
}

export class ClientHost extends LabHost {
  readonly ip4 = '192.0.2.200';
  readonly ip6 = '2001:db8:c::c8';
}

export class DirectorHost extends LabHost {
  /** Device towards the clients, with its addresses. */
  readonly uplink = { device: 'eth0', ip4: '192.0.2.1', ip6: '2001:db8:c::1' } as const;
  /** Device towards the real servers, with its addresses (the DIP of NAT and the servers' gateway). */
  readonly inside = { device: 'eth1', ip4: '198.51.100.1', ip6: '2001:db8:5::1' } as const;
}

/** How packets arrive in a tunnel; the words of `forwarding.tunnel`. */
export interface TunnelSetup {
  type: 'IPIP' | 'GUE' | 'GRE';
  /** UDP port of GUE. @default 6080 */
  port?: number;
  /** GRE with checksums needs a device of its own. @default false */
  checksum?: boolean;
}

export class RealServerHost extends LabHost {
  readonly rip4: string;
  readonly rip6: string;
  /** Names the server in traffic counts, `server1`. */
  readonly number: number;

  constructor(number: number, namespace: string) {
    super(`server${number}`, namespace);
    this.number = number;
    this.rip4 = `198.51.100.${10 + number}`;
    this.rip6 = `2001:db8:5::${(0x10 + number).toString(16)}`;
  }

  /**
   * Makes this host accept packets for VIPs and answer the client itself, as DR and TUN need: VIP on loopback, no
   * ARP for it (arp_ignore=1, arp_announce=2), and a route straight to the clients for packets from the VIP.
   */
  async prepareForDirectReturn(vips: readonly string[]): Promise<void> {
    await this.sysctl({ 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2 });
    const rules = vips.map((vip) => `rule add from ${vip} lookup ${directReturnTable}`);
    await this.ip([
      ...vips.map((vip) =>
        vip.includes(':') ? `addr add ${vip}/128 dev lo nodad` : `addr add ${vip}/32 dev lo`,
      ),
      ...rules.filter((rule) => !rule.includes(':')),
    ]);
    const rules6 = rules.filter((rule) => rule.includes(':'));
    if (rules6.length > 0) await this.ip(rules6, '-6');
  }

  /** `prepareForDirectReturn`, and the devices that unwrap a tunnel of either family around either family. */
  async prepareForTunnel(vips: readonly string[], tunnel: TunnelSetup = { type: 'IPIP' }): Promise<void> {
    await this.prepareForDirectReturn(vips);
    const port = tunnel.port ?? 6080;
    const unwrap = ['link set tunl0 up', 'link set sit0 up', 'link set ip6tnl0 up'];
    switch (tunnel.type) {
      case 'IPIP':
        await loadModules(['ipip', 'sit', 'ip6_tunnel']);
        await this.ip(unwrap);
        await this.ip(carryBothFamilies, '-6');
        break;
      case 'GUE':
        await loadModules(['ipip', 'sit', 'ip6_tunnel', 'fou', 'fou6']);
        await this.ip([...unwrap, `fou add port ${port} gue`, `fou add port ${port} gue -6`]);
        await this.ip(carryBothFamilies, '-6');
        break;
      case 'GRE':
        await loadModules(['ip_gre', 'ip6_gre']);
        await this.ip(
          tunnel.checksum === true
            ? [
                `link add gre1 type gre local ${this.rip4} remote any icsum`,
                `link add gre61 type ip6gre local ${this.rip6} remote any icsum`,
                'link set gre1 up',
                'link set gre61 up',
              ]
            : ['link set gre0 up', 'link set ip6gre0 up'],
        );
        break;
    }
  }
}

const directReturnTable = 100;
/** The kernel lets ip6tnl0 change its mode through the old ioctl only. */
const carryBothFamilies = ['tunnel change ip6tnl0 mode any'];
let networksSoFar = 0;

/** Lays out a client, a director and real servers. Takes about half a second; `remove()` when done. */
export async function layOutNetwork(options: { realServers?: number } = {}): Promise<LabNetwork> {
  networksSoFar += 1;
  const prefix = `n${process.pid}-${networksSoFar}`;
  const wires = new LabHost('switch', `${prefix}-switch`);
  const client = new ClientHost('client', `${prefix}-client`);
  const director = new DirectorHost('director', `${prefix}-director`);
  const realServers = Array.from(
    { length: options.realServers ?? 3 },
    (_, index) => new RealServerHost(index + 1, `${prefix}-server${index + 1}`),
  );
  const hosts: LabHost[] = [client, director, ...realServers];

  const wire = (host: LabHost, device: string): string =>
    `link add ${device} netns ${host.namespace} type veth peer name ${host.name}-${device} netns ${wires.namespace}`;
  await ipInLab([
    ...[wires, ...hosts].map((host) => `netns add ${host.namespace}`),
    wire(client, 'eth0'),
    wire(director, 'eth0'),
    wire(director, 'eth1'),
    ...realServers.flatMap((server) => [wire(server, 'eth0'), wire(server, 'eth1')]),
  ]);
  await wires.ip([
    ...['clients', 'servers'].flatMap((bridge) => [
      `link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
      `link set ${bridge} up`,
    ]),
    ...['client-eth0', 'director-eth0', ...realServers.map(({ name }) => `${name}-eth1`)].map(
      (port) => `link set ${port} master clients up`,
    ),
    ...['director-eth1', ...realServers.map(({ name }) => `${name}-eth0`)].map(
      (port) => `link set ${port} master servers up`,
    ),
  ]);
  await client.ip([
    ...up('eth0'),
    `addr add ${client.ip4}/24 dev eth0`,
    `addr add ${client.ip6}/64 dev eth0 nodad`,
    `route add default via ${director.uplink.ip4}`,
    `route add default via ${director.uplink.ip6}`,
  ]);
  await director.ip([
    ...up('eth0', 'eth1'),
    ...[director.uplink, director.inside].flatMap(({ device, ip4, ip6 }) => [
      `addr add ${ip4}/24 dev ${device}`,
      `addr add ${ip6}/64 dev ${device} nodad`,
    ]),
  ]);
  // Duplicate address detection is off in the lab for speed, but on where addresses are the product's own work.
  await director.sysctl({
    'net/ipv4/ip_forward': 1,
    'net/ipv6/conf/all/forwarding': 1,
    'net/ipv6/conf/all/accept_dad': 1,
    'net/ipv6/conf/default/accept_dad': 1,
  });
  for (const server of realServers) {
    const last = 100 + server.number;
    // No prefix route on eth1: whatever has the RIP as its source must go back through the director.
    await server.ip([
      ...up('eth0', 'eth1'),
      `addr add ${server.rip4}/24 dev eth0`,
      `addr add ${server.rip6}/64 dev eth0 nodad`,
      `route add default via ${director.inside.ip4}`,
      `route add default via ${director.inside.ip6}`,
      `addr add 192.0.2.${last}/24 dev eth1 noprefixroute`,
      `addr add 2001:db8:c::${last.toString(16)}/64 dev eth1 nodad noprefixroute`,
      `route add 192.0.2.0/24 dev eth1 table ${directReturnTable}`,
      `route add 2001:db8:c::/64 dev eth1 table ${directReturnTable}`,
    ]);
  }

  return {
    client,
    director,
    realServers,
    hosts,
    vip4: (n) => `192.0.2.${150 + n}`,
    vip6: (n) => `2001:db8:c::${(0x1000 + n).toString(16)}`,
    routedVip4: (n) => `203.0.113.${1 + n}`,
    routedVip6: (n) => `2001:db8:f::${(1 + n).toString(16)}`,
    remove: async () => {
      for (const host of hosts) host.killAll();
      await ipInLab([wires, ...hosts].map((host) => `netns del ${host.namespace}`));
    },
  };
}

function up(...devices: readonly string[]): string[] {
  return ['lo', ...devices].map((device) => `link set ${device} up`);
}

async function ipInLab(lines: readonly string[]): Promise<void> {
  const result = await runInLab(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  if (result.code !== 0) throw new Error(`ip failed in the lab: ${result.stderr}`);
}

const loadedModules = new Set<string>();

async function loadModules(names: readonly string[]): Promise<void> {
  const wanted = names.filter((name) => !loadedModules.has(name));
  if (wanted.length === 0) return;
  const result = await runInLab(['modprobe', '-a', ...wanted]);
  if (result.code !== 0) throw new Error(`modprobe ${wanted.join(' ')} failed in the lab: ${result.stderr}`);
  for (const name of wanted) loadedModules.add(name);
}
