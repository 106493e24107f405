import { layOutNetwork } from '../test/lab/network.ts';
import type { LabNetwork } from '../test/lab/network.ts';

/** VIPs of the examples that real servers have to own: those of DR and TUN. */
const directReturnVips = ['192.0.2.11', '2001:db8:0:2::11', '192.0.2.12', '2001:db8:0:2::12', '192.0.2.13'];
const guePort = 6080;

/** The lab's hosts with the addresses that the examples speak of. */
export async function layOutExampleNetwork(): Promise<LabNetwork> {
  const network = await layOutNetwork({ realServers: 3 });
  const { director, realServers } = network;
  await director.ip([
    `addr add 2001:db8:51::1/64 dev ${director.inside.device} nodad`,
    // The far network of tunnel.yaml: each of its servers is reached through a router of its own.
    ...realServers.map((server, index) => `route add 203.0.113.${21 + index}/32 via ${server.rip4}`),
  ]);
  for (const [index, server] of realServers.entries()) {
    await server.prepareForTunnel(directReturnVips, { type: 'GUE', port: guePort });
    await server.ip([
      `addr add 2001:db8:51::${11 + index}/64 dev eth0 nodad`,
      `addr add 203.0.113.${21 + index}/32 dev lo`,
      'route replace default via 2001:db8:51::1',
    ]);
    await server.sysctl({ 'net/ipv4/conf/all/rp_filter': 0, 'net/ipv4/conf/tunl0/rp_filter': 0 });
  }
  return network;
}
