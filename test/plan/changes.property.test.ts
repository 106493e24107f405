import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RealServerResource } from '../../src/api/index.ts';
import { parseIpAddress } from '../../src/base/index.ts';
import { formatRealServerKey, formatVirtualServiceKey, serviceFlags } from '../../src/ipvs/pure.ts';
import type { IpvsOperation, ObservedVirtualService, VirtualServiceConfig } from '../../src/ipvs/pure.ts';
import { hasWitness } from '../../src/plan/index.ts';
import type { Change, DesiredRealServer, DesiredState, DesiredStateInput } from '../../src/plan/index.ts';
import { ModelDirector, draining, endpoint, podServer, realServer, slice, virtualService } from './world.ts';

/**
 * Any list after any list, with foreign hands in between, on a model host that is as strict as the kernel. Small sets of
 * names make collisions likely: the same service, real server and address come and go in every role.
 */
const services = [
  virtualService('wlc'),
  virtualService('mh', { scheduler: 'mh', ports: [{ port: 81 }] }),
  virtualService('sh', { scheduler: 'sh', ports: [{ port: 82 }] }),
  virtualService('dh', { scheduler: 'dh', ports: [{ port: 83 }] }),
  virtualService('udp', { ports: [{ protocol: 'UDP', port: 53 }], drain: { udpSeconds: 20 } }),
  virtualService('grouped', {
    addresses: [{ pool: 'public' }],
    portGrouping: 'Together',
    ports: [{ port: 80, endPort: 90 }],
  }),
  virtualService('routed', { addresses: [{ ip: '192.0.2.200' }], forwarding: { method: 'TUN' } }),
];
/** The same names with other wishes: an edit. */
const edited = [
  virtualService('wlc', { scheduler: 'mh', persistence: { timeoutSeconds: 60 } }),
  virtualService('mh', { scheduler: 'rr', ports: [{ port: 81 }] }),
  virtualService('grouped', { addresses: [{ pool: 'public' }], ports: [{ port: 80 }] }),
];

const service = fc.constantFrom(...services, ...edited);
const server = fc
  .record({
    of: fc.constantFrom(...services.map(({ metadata }) => metadata.name)),
    host: fc.integer({ min: 2, max: 6 }),
    weight: fc.constantFrom(0, 1, 100),
    state: fc.constantFrom('Enabled', 'Enabled', 'Enabled', 'Drained'),
  })
  .map(({ of, host, weight, state }) =>
    realServer(`${of}-${host}`, of, [`10.0.0.${host}`], { weight, state }),
  );

const list: fc.Arbitrary<Partial<DesiredStateInput>> = fc.record({
  virtualServices: fc.uniqueArray(service, { maxLength: 7, selector: ({ metadata }) => metadata.name }),
  realServers: fc.uniqueArray(server, {
    maxLength: 25,
    selector: ({ metadata }: RealServerResource) => metadata.name,
  }),
});

const startMs = new ModelDirector().nowMs;

/** Pods of a cluster: the same names again, so that a pod moves from RealServer to RealServer, ends and comes back. */
const clusterServices = services.map((resource) => ({
  ...resource,
  spec: { ...resource.spec, drain: { ...resource.spec.drain, timeoutSeconds: 30 } },
}));
const pods = clusterServices.flatMap(({ metadata: { name } }) => [
  podServer(`${name}-blue`, name),
  podServer(`${name}-green`, name, { weight: 7 }),
  podServer(`${name}-drained`, name, { state: 'Drained' }),
]);
const pod = fc
  .record({
    host: fc.integer({ min: 2, max: 6 }),
    isDraining: fc.boolean(),
    deadlineSeconds: fc.option(fc.integer({ min: -5, max: 40 }), { nil: undefined }),
    weight: fc.option(fc.constantFrom(0, 50), { nil: undefined }),
  })
  .map(({ host, isDraining, deadlineSeconds, weight }) => {
    const more = weight === undefined ? {} : { weight };
    const deadlineMs = deadlineSeconds === undefined ? undefined : startMs + deadlineSeconds * 1000;
    return isDraining ? draining(`10.0.0.${host}`, deadlineMs, more) : endpoint(`10.0.0.${host}`, more);
  });
const podList = fc.uniqueArray(pod, { maxLength: 4, selector: ({ address }) => address });
const clusterList: fc.Arbitrary<Partial<DesiredStateInput>> = fc.record({
  virtualServices: fc.subarray(clusterServices),
  realServers: fc.subarray(pods),
  realServerSlices: fc
    .array(fc.tuple(fc.constantFrom(...pods), podList), { maxLength: 20 })
    .map((list) => list.map(([of, endpoints], index) => slice(of, endpoints, {}, `slice-${index}`))),
});
const anyList = fc.oneof(list, clusterList);

/** What other hands do to a table between two passes; `pick` chooses whom. */
const hand = fc.record({
  kind: fc.constantFrom('weight', 'deleteServer', 'deleteService', 'config', 'unbind', 'connect', 'foreign'),
  pick: fc.nat(),
});

function interfere(director: ModelDirector, { kind, pick }: { kind: string; pick: number }): void {
  const { host } = director;
  const ours = [...host.table].filter(([key]) => director.ownedServices.has(key));
  const chosen = ours[pick % Math.max(ours.length, 1)];
  if (kind === 'foreign') return addForeign(director, pick);
  if (kind === 'unbind')
    host.addresses = host.addresses.filter((_, index) => index !== pick % host.addresses.length);
  if (chosen === undefined) return;
  const [key, entry] = chosen;
  const servers = [...entry.realServers];
  const target = servers[pick % Math.max(servers.length, 1)];
  if (kind === 'deleteService') host.table.delete(key);
  if (kind === 'config')
    host.table.set(key, { ...entry, config: { ...entry.config, scheduler: 'lc', flags: pick & 0x1c } });
  if (target === undefined) return;
  const [serverKey, there] = target;
  if (kind === 'deleteServer') host.setServer(key, serverKey, undefined);
  if (kind === 'weight')
    host.setServer(key, serverKey, { ...there, config: { ...there.config, weight: pick % 3 } });
  if (kind === 'connect') host.connect(key, serverKey, { active: pick % 3, inactive: pick % 2 });
}

/** A foreign service: on an address of its own, or on the very key that a list may want later. */
function addForeign({ host, ownedServices }: ModelDirector, pick: number): void {
  const key = {
    kind: 'address',
    protocol: 'TCP',
    vip: parseIpAddress(pick % 2 === 0 ? '192.0.2.99' : '192.0.2.10'),
    port: 80 + (pick % 4),
  } as const;
  const text = formatVirtualServiceKey(key);
  if (host.table.has(text) || ownedServices.has(text)) return;
  const config: VirtualServiceConfig = {
    scheduler: 'rr',
    flags: 0,
    persistenceTimeoutSeconds: 0,
    persistencePrefixLength: 32,
    persistenceEngine: undefined,
  };
  host.table.set(text, { key, config, stats: undefined, realServers: new Map() });
  host.apply({
    type: 'ipvs',
    operation: {
      type: 'addRealServer',
      service: key,
      realServer: { rip: parseIpAddress(`10.0.0.${2 + (pick % 9)}`), port: key.port },
      config: { forwarding: 'NAT', tunnel: undefined, weight: 5, upperThreshold: 0, lowerThreshold: 0 },
    },
    reason: 'New',
    owner: undefined,
  });
}

function foreignEntries(director: ModelDirector, desired: DesiredState): unknown {
  const { table } = director.host;
  return structuredClone(
    [...table].filter(
      ([key, { config }]) =>
        !desired.services.has(key) && !director.ownedServices.has(key) && !hasWitness(config),
    ),
  );
}

/** One pass with everything checked after every single change. */
function checkedPass(director: ModelDirector): readonly Change[] {
  director.plan();
  const { desired, host } = director;
  assert.ok(desired);
  const foreign = foreignEntries(director, desired);
  const serving = new Set([...host.table.keys()].filter((key) => hasWeight(director, key)));
  const deleted = new Set<string>();
  const added = new Set<string>();
  const before = new Map(host.table);
  const { changes } = director.pass((change) => {
    if (change.type === 'ipvs') {
      const key = formatVirtualServiceKey(change.operation.service);
      if (change.operation.type === 'addVirtualService') added.add(key);
      if (change.operation.type === 'deleteVirtualService') deleted.add(key);
      const wanted = [...(desired.services.get(key)?.realServers.values() ?? [])];
      if (change.operation.type === 'deleteRealServer') {
        assertMayGo(director, desired, before.get(key), change.operation);
      }
      const canServe = wanted.some((server) => mayServe(server, director.nowMs));
      if (serving.has(key) && canServe)
        assert.ok(hasWeight(director, key), `${key} has nobody left to answer`);
      if (hasWeight(director, key)) serving.add(key);
    }
    if (change.type === 'releaseVip') assertUnused(director, change.binding.vip);
  });
  assert.deepEqual(foreignEntries(director, desired), foreign);
  assert.ok(
    [...deleted].every((key) => !added.has(key)),
    'a service is deleted and added',
  );
  assert.ok(
    [...deleted].every((key) => !desired.services.has(key)),
    'a wanted service is deleted',
  );
  return changes;
}

/** Whether a real server of the goal answers new clients, and goes on doing so. */
function mayServe(
  { config, isDrained, isLastResort, drainDeadlineMs = 0 }: DesiredRealServer,
  nowMs: number,
) {
  return config.weight > 0 && (isLastResort ? drainDeadlineMs > nowMs : !isDrained);
}

/** Nothing that is wanted goes, and nothing that drains loses connections before the time that it named itself. */
function assertMayGo(
  { nowMs }: ModelDirector,
  desired: DesiredState,
  observed: ObservedVirtualService | undefined,
  { service: of, realServer: gone }: Extract<IpvsOperation, { type: 'deleteRealServer' }>,
): void {
  const serverKey = formatRealServerKey(gone);
  const name = `${formatVirtualServiceKey(of)} ${serverKey}`;
  const wanted = desired.services.get(formatVirtualServiceKey(of));
  const goal = wanted?.realServers.get(serverKey);
  if (wanted === undefined || goal === undefined) return;
  const isHash = wanted.config.scheduler === 'dh';
  assert.ok(goal.isDrained || (isHash && goal.config.weight === 0), `${name} is wanted and goes`);
  const isUdp = of.kind === 'address' && of.protocol === 'UDP';
  const active = observed?.realServers.get(serverKey)?.connections.active ?? 0;
  if ((isHash || isUdp) && !goal.isLastResort) return;
  assert.ok(active === 0 || nowMs >= (goal.drainDeadlineMs ?? 0), `${name} is cut before its deadline`);
}

function hasWeight({ host }: ModelDirector, key: string): boolean {
  return Object.values(host.weights(key)).some((weight) => weight > 0);
}

function assertUnused({ host }: ModelDirector, vip: string): void {
  const stillBound = host.addresses.some(({ ip }) => ip === vip);
  for (const { key } of host.table.values()) {
    assert.ok(
      stillBound || key.kind !== 'address' || key.vip !== vip,
      `${vip} is released under ${formatVirtualServiceKey(key)}`,
    );
  }
}

/** Passes until nothing is left to do, as the director makes them. */
function settle(director: ModelDirector): void {
  for (let round = 0; round < 12; round++) {
    director.host.disconnectAll();
    director.later(6000).read(director.input);
    if (checkedPass(director).length === 0 && director.drains.length === 0 && director.held === undefined)
      return;
  }
  assert.fail('the plan never comes to rest');
}

function assertEqualToGoal({ host, desired, ownedServices }: ModelDirector): void {
  assert.ok(desired);
  for (const [key, goal] of desired.services) {
    const there = host.table.get(key);
    assert.ok(there, `${key} is missing`);
    const wanted = [...goal.realServers].filter(
      ([, { config, isDrained }]) => !isDrained && (goal.config.scheduler !== 'dh' || config.weight > 0),
    );
    const expected = Object.fromEntries(wanted.map(([serverKey, { config }]) => [serverKey, config]));
    const actual = Object.fromEntries(
      [...there.realServers].map(([serverKey, { config }]) => [serverKey, config]),
    );
    assert.deepEqual(actual, expected, key);
    const needsFallback =
      (goal.config.scheduler === 'mh' || goal.config.scheduler === 'sh') &&
      wanted.some(([, { config }]) => config.weight === 0);
    const flags = needsFallback ? goal.config.flags | serviceFlags.SCHED1 : goal.config.flags;
    assert.deepEqual(there.config, { ...goal.config, flags });
  }
  for (const [key, { config }] of host.table) {
    if (!desired.services.has(key)) assert.ok(!hasWitness(config), `${key} is left over`);
  }
  assert.deepEqual([...ownedServices].toSorted(), [...desired.services.keys()].toSorted());
  const guarded = new Set(host.packetRules.vips);
  for (const { vip, device } of desired.vips) {
    assert.ok(guarded.has(vip));
    assert.ok(host.addresses.some((address) => address.ip === vip && address.device === device));
  }
}

describe('any table, any list, any hands', () => {
  it('ends in the goal, keeps somebody to answer, touches nothing foreign, and then rests', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyList, fc.array(hand, { maxLength: 6 })), { minLength: 1, maxLength: 4 }),
        (story) => {
          const director = new ModelDirector();
          for (const [input, hands] of story) {
            director.later(1000).read(input);
            checkedPass(director);
            for (const each of hands) interfere(director, each);
          }
          settle(director);
          assertEqualToGoal(director);
          assert.deepEqual(director.pass().changes, []);
        },
      ),
      { numRuns: 250 },
    );
  });

  it('a crash after any change, with or without its ledger, converges to the same', () => {
    fc.assert(
      fc.property(anyList, anyList, fc.nat(), fc.boolean(), (first, second, at, isLedgerLost) => {
        const director = new ModelDirector();
        director.read(first).pass();
        director.read(second);
        const plan = director.plan();
        director.ownedServices = isLedgerLost ? new Set() : new Set(plan.ownedServices);
        director.ownedVips = isLedgerLost ? [] : plan.ownedVips;
        director.drains = isLedgerLost ? [] : plan.drains;
        director.allocations = plan.allocations;
        for (const change of plan.changes.slice(0, at % (plan.changes.length + 1)))
          director.host.apply(change);
        director.previous = undefined;
        settle(director);
        assertEqualToGoal(director);
      }),
      { numRuns: 150 },
    );
  });
});
