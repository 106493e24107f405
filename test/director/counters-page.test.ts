import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import { computeCounters } from '../../src/director/counters-page.ts';
import { TrafficReader } from '../../src/director/traffic-reader.ts';
import type { TrafficReaderOptions } from '../../src/director/traffic-reader.ts';
import { formatRealServerKey, formatVirtualServiceKey } from '../../src/ipvs/index.ts';
import type {
  ObservedRealServer,
  ObservedVirtualService,
  TrafficStats,
  VirtualServiceKey,
} from '../../src/ipvs/index.ts';
import type { DesiredState } from '../../src/plan/index.ts';
import { FakeTime } from '../kube/fake-time.ts';

const noStats: TrafficStats = {
  connections: 0n,
  packetsIn: 0n,
  packetsOut: 0n,
  bytesIn: 0n,
  bytesOut: 0n,
  connectionsPerSecond: 0n,
  packetsInPerSecond: 0n,
  packetsOutPerSecond: 0n,
  bytesInPerSecond: 0n,
  bytesOutPerSecond: 0n,
};

function serviceKey(port: number): VirtualServiceKey {
  return { kind: 'address', protocol: 'TCP', vip: parseIpAddress('192.0.2.10'), port };
}

function realServer(address: string, counts: readonly [bigint, number, number]): ObservedRealServer {
  return {
    key: { rip: parseIpAddress(address), port: 8080 },
    config: { forwarding: 'NAT', tunnel: undefined, weight: 1, upperThreshold: 0, lowerThreshold: 0 },
    connections: { active: counts[1], inactive: counts[2], persistent: 0 },
    stats: { ...noStats, connections: counts[0] },
  };
}

/** A kernel with one VirtualService on two ports, and a service of somebody else. */
class World {
  readonly time = new FakeTime();
  readonly servers = new Map<string, ObservedRealServer[]>();
  dumps = 0;
  owners: Record<string, string> = {};
  readonly reader: TrafficReader;

  constructor() {
    for (const port of [80, 443, 9999]) this.servers.set(formatVirtualServiceKey(serviceKey(port)), []);
    this.owners = { 'TCP 192.0.2.10:80': 'web', 'TCP 192.0.2.10:443': 'web' };
    const host: TrafficReaderOptions['host'] = {
      observeServiceStats: () => new Map([...this.servers.keys()].map((name) => [name, noStats])),
      observeRealServerStats: (key) => {
        this.dumps++;
        const found = this.servers.get(formatVirtualServiceKey(key)) ?? [];
        return new Map(found.map((server) => [formatRealServerKey(server.key), server]));
      },
    };
    this.reader = new TrafficReader({ host, clock: this.time, current: () => this.#current() });
  }

  #current(): ReturnType<TrafficReaderOptions['current']> {
    const table = new Map<string, ObservedVirtualService>();
    for (const port of [80, 443, 9999]) {
      const key = serviceKey(port);
      if (!this.servers.has(formatVirtualServiceKey(key))) continue;
      const config = {
        scheduler: 'rr',
        flags: 0,
        persistenceTimeoutSeconds: 0,
        persistencePrefixLength: 32,
        persistenceEngine: undefined,
      };
      table.set(formatVirtualServiceKey(key), { key, config, stats: undefined, realServers: new Map() });
    }
    const services = new Map(
      Object.entries(this.owners).map(([name, owner]) => [
        name,
        { owner: { kind: 'VirtualService', namespace: 'shop', name: owner } },
      ]),
    );
    return { table, desired: { services } as unknown as DesiredState };
  }
}

describe('the counters for the controller', () => {
  it('are added up over the kernel services of a VirtualService, and are of our services only', async () => {
    const world = new World();
    world.servers.set('TCP 192.0.2.10:80', [
      realServer('198.51.100.1', [2n ** 40n, 3, 4]),
      realServer('198.51.100.2', [5n, 0, 1]),
    ]);
    world.servers.set('TCP 192.0.2.10:443', [realServer('198.51.100.1', [7n, 1, 1])]);
    world.servers.set('TCP 192.0.2.10:9999', [realServer('198.51.100.9', [7n, 1, 1])]);
    const snapshot = await world.reader.read();
    assert.deepEqual(computeCounters('node-1', snapshot), {
      version: 1,
      node: 'node-1',
      takenAtMs: world.time.wallMs(),
      monotonicMs: 1000,
      bootId: snapshot.bootId,
      services: [
        {
          virtualService: 'shop/web',
          realServers: [
            ['198.51.100.1', 8080, 2 ** 40 + 7, 4, 5],
            ['198.51.100.2', 8080, 5, 0, 1],
          ],
        },
      ],
    });
  });

  it('go on for a service that is no longer wanted and drains, and end with it', async () => {
    const world = new World();
    world.servers.set('TCP 192.0.2.10:80', [realServer('198.51.100.1', [9n, 3, 0])]);
    await world.reader.read();
    world.owners = {};
    world.time.advance(1000);
    const draining = computeCounters('n', await world.reader.read());
    assert.deepEqual(draining.services[0]?.realServers, [['198.51.100.1', 8080, 9, 3, 0]]);
    world.servers.delete('TCP 192.0.2.10:80');
    world.servers.delete('TCP 192.0.2.10:443');
    world.time.advance(1000);
    assert.deepEqual(computeCounters('n', await world.reader.read()).services, []);
  });

  it('are read once for all who ask within half a second', async () => {
    const world = new World();
    const [first, second] = await Promise.all([world.reader.read(), world.reader.read()]);
    assert.equal(first, second);
    assert.equal(world.dumps, 2);
    world.time.advance(499);
    assert.equal(await world.reader.read(), first);
    world.time.advance(1);
    const later = await world.reader.read();
    assert.notEqual(later, first);
    assert.equal(later.bootId, first.bootId);
  });
});
