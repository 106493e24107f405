import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork, RealServerHost } from '../lab/network.ts';
import { LabSockets } from '../lab/sockets.ts';
import { Eyes, hasStatus, readStatus, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/** Probes that go the way of clients, by DR and TUN, in both families. */

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
const sockets = new LabSockets();

const port = 80;
const pace = { intervalSeconds: 1, timeoutSeconds: 1, failureThreshold: 2, successThreshold: 1 };

/** Two addresses for each way of forwarding, and one service that asks the same servers straight. */
function vipsOf(method: 'DR' | 'TUN'): readonly [string, string] {
  const n = method === 'DR' ? 0 : 1;
  return [network.routedVip4(n), network.routedVip6(n)];
}

function manifests(through: string): Readonly<Record<string, string>> {
  const rips = network.realServers.flatMap(({ rip4, rip6 }) => [rip4, rip6]);
  const object = (name: string, method: string, vips: readonly string[], way: string) =>
    file(
      virtualService(name, '', {
        addresses: vips.map((ip) => ({ ip })),
        forwarding: { method },
        healthCheck: { tcp: {}, ...pace, through: way },
      }),
      realServer(name, rips),
    );
  return {
    'dr.yaml': object('dr', 'DR', vipsOf('DR'), through),
    'tun.yaml': object('tun', 'TUN', vipsOf('TUN'), through),
    'straight.yaml': object('straight', 'DR', [network.routedVip4(2), network.routedVip6(2)], 'realServer'),
  };
}

function weights({ rip4, rip6 }: RealServerHost, vips: readonly string[]): (number | undefined)[] {
  return vips.map((vip) =>
    vip.includes(':')
      ? eyes.weight(`TCP [${vip}]:${port}`, `[${rip6}]:${port}`)
      : eyes.weight(`TCP ${vip}:${port}`, `${rip4}:${port}`),
  );
}

const isIn = (weight: number | undefined) => weight === 100;
const isOut = (weight: number | undefined) => weight === 0 || weight === undefined;
const markServices = () => [...eyes.table().keys()].filter((key) => key.startsWith('mark'));

function server(index: number): RealServerHost {
  const host = network.realServers[index];
  assert.ok(host);
  return host;
}

before(async () => {
  network = await layOutNetwork({ realServers: 2 });
  const all = [...vipsOf('DR'), ...vipsOf('TUN')];
  for (const host of network.realServers) {
    await host.prepareForTunnel(all);
    await sockets.serve(host, 'TCP', port);
  }
  director = new LabDirector(network.director, { 'pool.yaml': labPool, ...manifests('virtualService') });
  await director.start();
  eyes = new Eyes(network.director);
});

after(async () => {
  await director.stop();
  sockets.close();
  eyes.close();
  await network.remove();
});

describe('a director that asks through its virtual services', () => {
  it('lets in servers that have the virtual address, by DR and TUN, in both families', async () => {
    for (const host of network.realServers)
      for (const method of ['DR', 'TUN'] as const)
        await until(`${host.name} serves by ${method}`, () => weights(host, vipsOf(method)).every(isIn));
    assert.equal(markServices().length, 8, 'one for each server and address');
    const answer = await sockets.ask(network.client, network.routedVip4(0), port);
    assert.equal(answer.outcome, 'answered');
  });

  it("counts its own services as nobody's: neither in the status nor as those of others", async () => {
    await until('it tells', () => hasStatus(director) && readStatus(director).counts.services === 6);
    const { counts } = readStatus(director);
    assert.deepEqual([counts.services, counts.realServers, counts.foreignServices], [6, 12, 0]);
  });

  it('takes out a server whose virtual addresses are gone, though the server itself answers', async () => {
    const lost = [...vipsOf('DR'), ...vipsOf('TUN')];
    const drop = lost.map((vip) => `addr del ${vip}/${vip.includes(':') ? 128 : 32} dev lo`);
    await server(0).ip(drop);
    await until('server1 is out', () => weights(server(0), lost).every(isOut), 15_000);
    assert.ok(weights(server(1), lost).every(isIn), 'server2 is not asked for server1');
    const straight = [network.routedVip4(2), network.routedVip6(2)];
    assert.ok(weights(server(0), straight).every(isIn), 'negative control: asked straight, it answers');
    await server(0).ip(
      lost.map((vip) => `addr add ${vip}/${vip.includes(':') ? '128 dev lo nodad' : '32 dev lo'}`),
    );
    await until('server1 is in again', () => weights(server(0), lost).every(isIn), 15_000);
  });

  it('takes out a server whose tunnel does not end any more, and keeps it where no tunnel is needed', async () => {
    await server(1).ip(['link set tunl0 down', 'link set ip6tnl0 down']);
    await until('server2 is out', () => weights(server(1), vipsOf('TUN')).every(isOut), 15_000);
    assert.ok(weights(server(1), vipsOf('DR')).every(isIn));
    await server(1).ip(['link set tunl0 up', 'link set ip6tnl0 up']);
    await until('server2 is in again', () => weights(server(1), vipsOf('TUN')).every(isIn), 15_000);
  });

  it('puts back a service of its own that somebody deleted', async () => {
    const [first = ''] = markServices();
    const mark = /0x[0-9a-f]+/.exec(first)?.[0] ?? '';
    await network.director.check([
      'ipvsadm',
      '-D',
      '-f',
      `${Number(mark)}`,
      ...(first.includes('IPv6') ? ['-6'] : []),
    ]);
    await until('it is back', () => markServices().length === 8);
  });

  it('leaves nothing of it when nobody asks so any more', async () => {
    for (const [name, text] of Object.entries(manifests('realServer'))) director.write(name, text);
    await until('they are gone', () => markServices().length === 0, 15_000);
    for (const host of network.realServers)
      assert.ok(weights(host, [...vipsOf('DR'), ...vipsOf('TUN')]).every(isIn));
  });
});
