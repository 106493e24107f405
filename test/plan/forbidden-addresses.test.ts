import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseResource } from '../../src/api/index.ts';
import type {
  RealServerResource,
  RealServerSliceResource,
  Resource,
  VirtualServiceResource,
} from '../../src/api/index.ts';
import {
  allocationsFromStatuses,
  computeDesiredState,
  effectiveVirtualService,
} from '../../src/plan/index.ts';
import type { DesiredState, DesiredStateInput } from '../../src/plan/index.ts';
import {
  allowed,
  forbiddenFacts,
  forbiddenPods,
  forbiddenPorts,
  forbiddenStatics,
  forbiddenVips,
  normalised,
} from './forbidden-addresses-table.ts';
import type { ForbiddenAddress } from './forbidden-addresses-table.ts';
import { addressPool, noAllocations, podServer, virtualService } from './world.ts';

const apiVersion = 'networking.lvs-operator.io/v1alpha1';
const since = '2026-01-01T00:00:00Z';
const everything = { addresses: ['0.0.0.0/0', '::/0'], realServerCIDRs: ['0.0.0.0/0', '::/0'] };
const pool = addressPool('everything', everything);
/** Where a pool is searched: it begins with addresses that may be given. */
const wide = addressPool('everything', { ...everything, addresses: ['1.0.0.0-255.255.255.255', '::/0'] });

function goal(input: Partial<DesiredStateInput>): DesiredState {
  return computeDesiredState({
    virtualServices: [],
    realServers: [],
    addressPools: [pool],
    facts: forbiddenFacts,
    allocations: noAllocations,
    ...input,
  });
}

/** The object, or undefined where the schema does not take it. */
function read<Kind extends Resource['kind']>(
  kind: Kind,
  spec: object,
): Extract<Resource, { kind: Kind }> | undefined {
  const parsed = parseResource({ apiVersion, kind, metadata: { name: 'tried' }, spec });
  return parsed.ok ? (parsed.resource as Extract<Resource, { kind: Kind }>) : undefined;
}

const reasons = (state: DesiredState) => [...new Set(state.refusals.map(({ reason }) => reason))];

/** Nothing of a goal may know an address but those that are allowed: neither kernel, nor packet rules, nor ledger. */
function assertNothing(state: DesiredState): void {
  assert.equal(state.services.size, 0);
  assert.deepEqual(state.vips, []);
  assert.deepEqual(state.packetRules.vips, []);
  assert.deepEqual(state.packetRules.claims, []);
  assert.deepEqual(state.allocations.portOwners, {});
}

describe('the tables', () => {
  it('are as long as promised, and repeat nothing', () => {
    for (const [table, least] of [
      [forbiddenVips, 60],
      [forbiddenStatics, 80],
      [forbiddenPods, 80],
    ] as const) {
      const written = table.map((row) => row.written);
      assert.equal(new Set(written).size, written.length);
      assert.ok(table.length >= least);
      assert.ok(table.filter(({ fate }) => fate !== 'Unreadable').length >= 40);
    }
  });
});

describe('as a VIP', () => {
  const status = (ip: string) => ({
    addresses: [{ ip, pool: 'everything', since }],
    ports: [{ protocol: 'TCP', port: 80 }],
  });
  const spec = (ip: string) => ({ addresses: [{ ip }], ports: [{ port: 80 }] });

  for (const { written, fate } of forbiddenVips) {
    const name = JSON.stringify(written);

    it(`${name} is ${fate} in a file`, () => {
      const resource = read('VirtualService', spec(written));
      assert.equal(resource === undefined, fate === 'Unreadable');
      if (resource === undefined) return;
      const state = goal({ virtualServices: [resource] });
      assertNothing(state);
      assert.deepEqual(reasons(state), [fate]);
    });

    it(`${name} is ${fate} in a status, for a director`, () => {
      const effective = effectiveVirtualService({
        ...virtualService('web', { addresses: undefined }),
        status: status(written),
      });
      assert.equal(effective === undefined, fate === 'Unreadable');
      if (effective === undefined) return;
      const state = goal({ virtualServices: [effective], realServerSlices: [] });
      assertNothing(state);
      assert.deepEqual(reasons(state), [fate]);
    });

    it(`${name} in a status is given up by a controller`, () => {
      const lies = [
        virtualService('pooled', { addresses: [{ pool: 'everything' }] }),
        virtualService('any', { addresses: undefined, ports: [{ port: 81 }] }),
        read('VirtualService', spec(written)),
      ].flatMap((resource): VirtualServiceResource[] =>
        resource === undefined ? [] : [{ ...resource, status: status(written) }],
      );
      const allocations = allocationsFromStatuses(lies, [wide]);
      const state = goal({ virtualServices: lies, allocations, addressPools: [wide] });
      const granted = state.vips.map(({ vip }) => vip);
      // The pool offers an address that is allowed; 1.0.0.0 is the lowest of all.
      assert.deepEqual(granted, ['1.0.0.0', '1.0.0.1']);
      assert.ok(Object.values(state.allocations.addresses).every((ip) => granted.includes(ip)));
      assert.ok(Object.keys(state.allocations.portOwners).every((claim) => / 1\.0\.0\.[01]:/.test(claim)));
    });

    it(`${name} is handed out by no pool`, () => {
      const only = read('AddressPool', { addresses: [written], namespaces: ['*'], default: true });
      if (only === undefined) return;
      const family = written.includes(':') ? 'IPv6' : 'IPv4';
      const service = virtualService('web', { addresses: undefined, addressFamilies: [family] });
      const state = goal({ virtualServices: [service], addressPools: [only] });
      // Written as a network of its own it may be readable where an address is not: then it is a pool of others.
      for (const { vip } of state.vips) assert.ok(forbiddenVips.every((row) => row.written !== vip));
      if (!written.includes('/')) assertNothing(state);
    });
  }

  for (const [written, canonical] of normalised) {
    it(`${written} is ${canonical}`, () => {
      const resource = read('VirtualService', spec(written));
      assert.ok(resource);
      assert.deepEqual(
        goal({ virtualServices: [resource] }).vips.map(({ vip }) => vip),
        [canonical],
      );
    });
  }

  for (const vip of allowed.vips) {
    it(`${vip} is served: the tables refuse for a reason`, () => {
      const resource = read('VirtualService', spec(vip));
      assert.ok(resource);
      assert.equal(goal({ virtualServices: [resource] }).services.size, 1);
    });
  }
});

const dual = virtualService('web', { addresses: allowed.vips.map((ip) => ({ ip })) });

function serversOf(state: DesiredState): readonly string[] {
  return [...state.services.values()].flatMap(({ realServers }) => [...realServers.keys()]);
}

const pods = podServer('tried', 'web');

function sliceWith(address: string, podUID: string | undefined, ports: readonly object[] = []) {
  return read('RealServerSlice', {
    virtualServiceName: 'web',
    realServerName: 'tried',
    ports,
    endpoints: [{ address, phase: 'Serving', ...(podUID === undefined ? {} : { podUID }) }],
  });
}

interface Attempt {
  readonly realServers: readonly RealServerResource[];
  readonly realServerSlices?: readonly RealServerSliceResource[];
}

function judge(attempt: Attempt | undefined, { fate }: ForbiddenAddress): void {
  assert.equal(attempt === undefined, fate === 'Unreadable');
  if (attempt === undefined) return;
  const state = goal({ virtualServices: [dual], ...attempt });
  assert.equal(state.services.size, 2);
  assert.deepEqual(serversOf(state), []);
  assert.deepEqual(reasons(state), [fate]);
}

describe('a pool of nothing but forbidden addresses', () => {
  for (const network of ['fd00:10:244::/56', '10.244.0.0/16', '0.0.0.0/8', '::/0']) {
    it(`${network} is searched for a while and no longer`, () => {
      const family = network.includes(':') ? 'IPv6' : 'IPv4';
      const service = virtualService('web', { addresses: undefined, addressFamilies: [family] });
      const state = goal({
        virtualServices: [service],
        addressPools: [addressPool('bad', { addresses: [network] })],
      });
      assertNothing(state);
      assert.deepEqual(reasons(state), ['PoolExhausted']);
    });
  }
});

describe('as a real server', () => {
  for (const row of forbiddenStatics) {
    const name = JSON.stringify(row.written);

    it(`${name} is ${row.fate} in a file`, () => {
      const resource = read('RealServer', { virtualServiceRef: { name: 'web' }, addresses: [row.written] });
      judge(resource && { realServers: [resource] }, row);
    });

    it(`${name} is ${row.fate} in a slice, without a pod`, () => {
      const found = sliceWith(row.written, undefined);
      judge(found && { realServers: [pods], realServerSlices: [found] }, row);
    });
  }

  for (const row of forbiddenPods) {
    it(`${JSON.stringify(row.written)} is ${row.fate} in a slice, even if it calls itself a pod`, () => {
      const found = sliceWith(row.written, 'a-uid');
      judge(found && { realServers: [pods], realServerSlices: [found] }, row);
    });
  }

  it('a VIP is a loop, in every form', () => {
    for (const vip of allowed.vips) {
      const fixed = read('RealServer', { virtualServiceRef: { name: 'web' }, addresses: [vip] });
      const found = sliceWith(vip, 'a-uid');
      assert.ok(fixed !== undefined && found !== undefined);
      for (const attempt of [{ realServers: [fixed] }, { realServers: [pods], realServerSlices: [found] }]) {
        const state = goal({ virtualServices: [dual], ...attempt });
        assert.deepEqual(serversOf(state), []);
        assert.deepEqual(reasons(state), ['AddressIsVirtual']);
      }
    }
  });

  it('pods in the pod network, pods on nodes and static servers elsewhere are served', () => {
    for (const [address, podUID] of [
      ...allowed.pods.map((ip) => [ip, 'a-uid'] as const),
      ...allowed.statics.map((ip) => [ip, undefined] as const),
      ['192.0.2.2', 'a-uid'] as const,
      ['192.0.2.100', 'a-uid'] as const,
    ]) {
      const found = sliceWith(address, podUID);
      assert.ok(found);
      const state = goal({ virtualServices: [dual], realServers: [pods], realServerSlices: [found] });
      assert.equal(serversOf(state).length, 1, address);
    }
  });
});

describe('as a way to the control plane', () => {
  for (const { what, address, spec, ports } of forbiddenPorts) {
    it(`${address} is no way to ${what}`, () => {
      const service = virtualService('web', { addresses: allowed.vips.map((ip) => ({ ip })), ...spec });
      const fixed = read('RealServer', { virtualServiceRef: { name: 'web' }, addresses: [address], ports });
      assert.ok(fixed);
      const attempts: Attempt[] = [{ realServers: [fixed] }];
      for (const podUID of [undefined, 'a-uid']) {
        const found = sliceWith(address, podUID, ports);
        assert.ok(found);
        attempts.push({ realServers: [pods], realServerSlices: [found] });
      }
      for (const attempt of attempts) {
        const state = goal({ virtualServices: [service], ...attempt });
        assert.equal(state.services.size, 2);
        assert.deepEqual(serversOf(state), []);
        assert.ok(reasons(state).includes('ControlPort'), String(reasons(state)));
      }
    });
  }

  it('another port of a node is none of the control plane', () => {
    const found = sliceWith('192.0.2.2', 'a-uid', [{ port: 8080 }]);
    assert.ok(found);
    const state = goal({ virtualServices: [dual], realServers: [pods], realServerSlices: [found] });
    assert.deepEqual(serversOf(state), ['192.0.2.2:8080']);
  });
});
