import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServerConnections } from '../../src/weight/server-connections.ts';

const reading = { realServer: 'a', director: 'x', atMs: 0, totalConnections: 0, activeConnections: 0 };

describe('connections of a real server', () => {
  it('are counted in exactly the window, though the kernel moves totals every 2 s only', () => {
    const connections = new ServerConnections();
    for (let second = 0; second <= 60; second++) {
      // 10 a second until 30, then 50; the counter is shown as it was at the last even second.
      const shown = second - (second % 2);
      const total = shown <= 30 ? 10 * shown : 300 + 50 * (shown - 30);
      connections.add({ ...reading, atMs: second * 1000, totalConnections: total }, true);
    }
    const before = connections.flowBetween(11_000, 26_000, 'VirtualService');
    assert.ok(Math.abs((before?.arrivals ?? 0) - 150) < 1e-6, `${before?.arrivals}`);
    const across = connections.flowBetween(23_000, 38_000, 'VirtualService');
    assert.ok(Math.abs((across?.arrivals ?? 0) - 470) < 1e-6, `${across?.arrivals}`);
  });

  it('are completed when they came and are no longer active', () => {
    const connections = new ServerConnections();
    for (let second = 0; second <= 20; second++)
      connections.add(
        { ...reading, atMs: second * 1000, totalConnections: 10 * second, activeConnections: 2 * second },
        true,
      );
    const flow = connections.flowBetween(0, 20_000, 'VirtualService');
    assert.equal(flow?.completions, 160);
    assert.equal(flow?.meanActive, 20);
  });

  const sum = (extra: object) => {
    const connections = new ServerConnections();
    for (let second = 0; second <= 20; second++)
      for (const director of ['x', 'y'])
        connections.add(
          {
            ...reading,
            director,
            atMs: second * 1000,
            totalConnections: 10 * second,
            activeConnections: 8,
            ...extra,
          },
          true,
        );
    return connections;
  };

  it('of several directors are added up', () => {
    const flow = sum({}).flowBetween(0, 20_000, 'VirtualService');
    assert.deepEqual([flow?.arrivals, flow?.meanActive], [400, 16]);
  });

  it('that the sync daemon copied count once, by their number or by the sync group', () => {
    const byNumber = sum({ synchronisedConnections: 3 }).flowBetween(0, 20_000, 'VirtualService');
    assert.deepEqual([byNumber?.arrivals, byNumber?.meanActive], [400, 10]);
    const byGroup = sum({ syncGroup: 'pair' }).flowBetween(0, 20_000, 'VirtualService');
    assert.deepEqual([byGroup?.arrivals, byGroup?.meanActive], [400, 8]);
  });

  it('of another virtual service count for the pod, but not for the weights of this one', () => {
    const connections = new ServerConnections();
    for (let second = 0; second <= 20; second++)
      for (const [virtualService, isOwn] of [
        ['web', true],
        ['api', false],
      ] as const)
        connections.add(
          { ...reading, virtualService, atMs: second * 1000, totalConnections: 10 * second },
          isOwn,
        );
    assert.equal(connections.flowBetween(0, 20_000, 'VirtualService')?.arrivals, 200);
    assert.equal(connections.flowBetween(0, 20_000, 'Pod')?.arrivals, 400);
  });

  it('are unknown for a window in which a director was silent or a counter started over', () => {
    const connections = new ServerConnections();
    for (let second = 0; second <= 100; second++) {
      connections.add({ ...reading, director: 'x', atMs: second * 1000, totalConnections: second }, true);
      if (second < 40)
        connections.add({ ...reading, director: 'y', atMs: second * 1000, totalConnections: second }, true);
    }
    assert.ok(connections.flowBetween(10_000, 25_000, 'Pod') !== undefined);
    assert.equal(connections.flowBetween(35_000, 52_000, 'Pod'), undefined);
    assert.equal(connections.flowBetween(60_000, 75_000, 'Pod')?.arrivals, 15);
    assert.equal(
      connections.add({ ...reading, director: 'x', atMs: 101_000, totalConnections: 5 }, true),
      true,
    );
    assert.equal(connections.flowBetween(90_000, 101_000, 'Pod'), undefined);
  });

  it('reach back three minutes, at whatever pace they are read', () => {
    for (const paceMs of [100, 1000, 5000]) {
      const connections = new ServerConnections();
      for (let atMs = 0; atMs <= 400_000; atMs += paceMs)
        connections.add({ ...reading, atMs, totalConnections: Math.floor(atMs / 100) }, true);
      const flow = connections.flowBetween(220_000, 235_000, 'Pod');
      assert.ok(Math.abs((flow?.arrivals ?? 0) - 150) <= 2, `at ${paceMs} ms: ${flow?.arrivals}`);
    }
  });
});
