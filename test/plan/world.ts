import assert from 'node:assert/strict';
import { parseResource } from '../../src/api/index.ts';
import type {
  AddressPoolResource,
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../../src/api/index.ts';
import { ipFamily, parseCidr } from '../../src/base/index.ts';
import type { IpAddress } from '../../src/base/index.ts';
import { formatRealServerKey, formatVirtualServiceKey } from '../../src/ipvs/pure.ts';
import type {
  ConnectionCounts,
  IpvsOperation,
  ObservedRealServer,
  ObservedVirtualService,
} from '../../src/ipvs/pure.ts';
import { emptyPacketRules, vipAddressProtocol } from '../../src/link/pure.ts';
import type { ObservedAddress, PacketRules, VipBinding } from '../../src/link/pure.ts';
import { computeChanges, computeDesiredState } from '../../src/plan/index.ts';
import type {
  Allocations,
  Change,
  ChangePlan,
  DesiredState,
  DesiredStateInput,
  DirectorFacts,
  DrainRecord,
  HeldRemoval,
  ObservedState,
} from '../../src/plan/index.ts';

const apiVersion = 'networking.lvs-operator.io/v1alpha1';
type Spec = Readonly<Record<string, unknown>>;
type Meta = Readonly<Record<string, unknown>>;

function resource(kind: string, metadata: Meta, spec: Spec) {
  const parsed = parseResource({ apiVersion, kind, metadata, spec });
  assert.ok(parsed.ok, parsed.ok ? '' : JSON.stringify(parsed.problems));
  return parsed.resource;
}

/** A VirtualService in namespace default on 192.0.2.10:80, unless the spec says otherwise. */
export function virtualService(name: string, spec: Spec = {}, metadata: Meta = {}): VirtualServiceResource {
  const parsed = resource(
    'VirtualService',
    { name, ...metadata },
    {
      addresses: [{ ip: '192.0.2.10' }],
      ports: [{ port: 80 }],
      ...spec,
    },
  );
  assert.ok(parsed.kind === 'VirtualService');
  return parsed;
}

export function realServer(
  name: string,
  service: string,
  addresses: readonly string[],
  spec: Spec = {},
  metadata: Meta = {},
): RealServerResource {
  const parsed = resource(
    'RealServer',
    { name, ...metadata },
    {
      virtualServiceRef: { name: service },
      addresses,
      ...spec,
    },
  );
  assert.ok(parsed.kind === 'RealServer');
  return parsed;
}

/** A RealServer of a cluster: its endpoints are in slices. */
export function podServer(
  name: string,
  service: string,
  spec: Spec = {},
  metadata: Meta = {},
): RealServerResource {
  const parsed = resource(
    'RealServer',
    { name, ...metadata },
    { virtualServiceRef: { name: service }, podSelector: { matchLabels: { app: name } }, ...spec },
  );
  assert.ok(parsed.kind === 'RealServer');
  return parsed;
}

/** An endpoint of a pod, unless `podUID` is undefined. */
export function endpoint(address: string, more: Spec = {}): Spec & { readonly address: string } {
  return { address, phase: 'Serving', podUID: `uid-of-${address}`, ...more };
}

export function draining(address: string, deadlineMs?: number, more: Spec = {}): ReturnType<typeof endpoint> {
  const deadline = deadlineMs === undefined ? {} : { deadline: new Date(deadlineMs).toISOString() };
  return endpoint(address, { phase: 'Draining', ...deadline, ...more });
}

/** A slice of a RealServer; texts are pods that serve. */
export function slice(
  of: RealServerResource,
  endpoints: readonly (string | Spec)[],
  spec: Spec = {},
  name = `${of.metadata.name}-1`,
): RealServerSliceResource {
  const parsed = resource(
    'RealServerSlice',
    { name, namespace: of.metadata.namespace },
    {
      virtualServiceName: of.spec.virtualServiceRef.name,
      realServerName: of.metadata.name,
      endpoints: endpoints.map((each) => (typeof each === 'string' ? endpoint(each) : each)),
      ...spec,
    },
  );
  assert.ok(parsed.kind === 'RealServerSlice');
  return parsed;
}

export function addressPool(name: string, spec: Spec = {}): AddressPoolResource {
  const parsed = resource(
    'AddressPool',
    { name },
    {
      addresses: ['192.0.2.0/24', '2001:db8::/64'],
      namespaces: ['*'],
      default: true,
      realServerCIDRs: ['10.0.0.0/8', '2001:db8:1::/48'],
      ...spec,
    },
  );
  assert.ok(parsed.kind === 'AddressPool');
  return parsed;
}

export const facts: DirectorFacts = {
  ownAddresses: ['10.0.0.1' as IpAddress],
  uplinks: [{ name: 'eth0', subnets: [parseCidr('192.0.2.0/25'), parseCidr('10.0.0.0/16')], mtu: 1500 }],
  unavailableSchedulers: [],
  reservedCidrs: [],
};

export const noAllocations: Allocations = { addresses: {}, marks: {}, portOwners: {} };

export function desire(input: Partial<DesiredStateInput>): DesiredState {
  return computeDesiredState({
    virtualServices: [],
    realServers: [],
    addressPools: [addressPool('public')],
    facts,
    allocations: noAllocations,
    ...input,
  });
}

/** `reason object path` of every error, for tables. */
export function errorsOf(state: DesiredState): readonly string[] {
  return state.refusals
    .filter(({ severity }) => severity === 'error')
    .map(({ reason, object, path }) => `${reason} ${object.name} ${path.join('.')}`)
    .toSorted();
}

export const noConnections: ConnectionCounts = { active: 0, inactive: 0, persistent: 0 };

/**
 * The host as plain data, on which the changes of a pass are played: the model that the real kernel is held against.
 * Services, real servers and the list of addresses are values: what changes is another object, as in a director.
 */
export class ModelHost {
  table = new Map<string, ObservedVirtualService>();
  addresses: ObservedAddress[] = [];
  packetRules: PacketRules = emptyPacketRules;
  sysctls = new Map<string, string>();

  observe(): ObservedState {
    return {
      table: this.table,
      addresses: this.addresses,
      packetRules: this.packetRules,
      sysctls: this.sysctls,
    };
  }

  apply(change: Change): void {
    switch (change.type) {
      case 'setSysctl':
        this.sysctls.set(change.path, change.value);
        return;
      case 'setPacketRules':
        this.packetRules = structuredClone(change.rules);
        return;
      case 'bindVip':
        this.addresses = [...this.addresses, boundAddress(change.binding)];
        return;
      case 'releaseVip':
        this.addresses = this.addresses.filter(
          ({ ip, device }) => ip !== change.binding.vip || device !== change.binding.device,
        );
        return;
      case 'ipvs':
        this.#applyOperation(change.operation);
    }
  }

  /** As strict as the kernel is without our client's upserts: a plan must know what is there. */
  #applyOperation(operation: IpvsOperation): void {
    const key = formatVirtualServiceKey(operation.service);
    const service = this.table.get(key);
    if (operation.type === 'addVirtualService') {
      assert.equal(service, undefined, `${key} exists`);
      this.table.set(key, {
        key: operation.service,
        config: operation.config,
        stats: undefined,
        realServers: new Map(),
      });
      return;
    }
    assert.ok(service, `${key} is missing for ${operation.type}`);
    if (operation.type === 'editVirtualService') {
      this.table.set(key, { ...service, config: operation.config });
      return;
    }
    if (operation.type === 'deleteVirtualService') {
      assert.equal(service.realServers.size, 0, `${key} is deleted with real servers in it`);
      this.table.delete(key);
      return;
    }
    const serverKey = formatRealServerKey(operation.realServer);
    const server = service.realServers.get(serverKey);
    if (operation.type === 'addRealServer') {
      assert.equal(server, undefined, `${serverKey} exists in ${key}`);
      this.setServer(key, serverKey, {
        key: operation.realServer,
        config: operation.config,
        connections: noConnections,
        stats: undefined,
      });
      return;
    }
    assert.ok(server, `${serverKey} is missing in ${key} for ${operation.type}`);
    if (operation.type === 'editRealServer') {
      this.setServer(key, serverKey, { ...server, config: operation.config });
    } else {
      this.setServer(key, serverKey, undefined);
    }
  }

  /** Puts a real server into a service, or takes it out. */
  setServer(service: string, server: string, value: ObservedRealServer | undefined): void {
    const entry = this.table.get(service);
    assert.ok(entry, `${service} is missing`);
    const realServers = new Map(entry.realServers);
    if (value === undefined) realServers.delete(server);
    else realServers.set(server, value);
    this.table.set(service, { ...entry, realServers });
  }

  connect(service: string, server: string, connections: Partial<ConnectionCounts>): void {
    const entry = this.table.get(service);
    const there = entry?.realServers.get(server);
    assert.ok(entry !== undefined && there !== undefined, `${server} is not in ${service}`);
    this.setServer(service, server, { ...there, connections: { ...noConnections, ...connections } });
  }

  disconnectAll(): void {
    for (const [key, { realServers }] of this.table) {
      for (const server of realServers.keys()) this.connect(key, server, noConnections);
    }
  }

  weights(service: string): Record<string, number> {
    const entries = [...(this.table.get(service)?.realServers ?? [])];
    return Object.fromEntries(entries.map(([key, { config }]) => [key, config.weight]));
  }
}

export function boundAddress({ vip, device }: Pick<VipBinding, 'vip' | 'device'>): ObservedAddress {
  const family = ipFamily(vip);
  return {
    ip: vip,
    prefixLength: family === 'IPv4' ? 32 : 128,
    device,
    family,
    protocol: vipAddressProtocol,
    isTentative: false,
  };
}

/** A director without sockets: desired state in, changes played on a model host, ledger kept between passes. */
export class ModelDirector {
  readonly host = new ModelHost();
  nowMs = 1_000_000;
  listNumber = 0;
  isComplete = true;
  allocations: Allocations = noAllocations;
  drains: readonly DrainRecord[] = [];
  held: HeldRemoval | undefined;
  ownedServices: ReadonlySet<string> = new Set();
  ownedVips: readonly VipBinding[] = [];
  previous: DesiredState | undefined;
  previousPacketRules: PacketRules | undefined;
  desired: DesiredState | undefined;
  input: Partial<DesiredStateInput> = {};
  /** What health makes of the goal of the objects. */
  judge: (desired: DesiredState) => DesiredState = (desired) => desired;
  #judged: DesiredState | undefined;

  /** Reads a new complete list. */
  read(input: Partial<DesiredStateInput>): this {
    this.input = input;
    this.listNumber++;
    return this;
  }

  plan(): ChangePlan {
    this.desired = desire({
      ...this.input,
      allocations: this.allocations,
      lastAccepted: this.desired?.accepted,
    });
    this.#judged = this.judge(this.desired);
    return computeChanges({
      desired: this.#judged,
      observed: this.host.observe(),
      ownedServices: this.ownedServices,
      ownedVips: this.ownedVips,
      drains: this.drains,
      held: this.held,
      listNumber: this.listNumber,
      isComplete: this.isComplete,
      nowMs: this.nowMs,
      previous: this.previous,
      previousPacketRules: this.previousPacketRules,
    });
  }

  /** One pass; `onChange` sees the host after every single change. */
  pass(onChange: (change: Change) => void = () => {}): ChangePlan {
    const plan = this.plan();
    this.allocations = plan.allocations;
    this.drains = plan.drains;
    this.held = plan.held;
    this.ownedServices = new Set(plan.ownedServices);
    this.ownedVips = plan.ownedVips;
    for (const change of plan.changes) {
      this.host.apply(change);
      onChange(change);
    }
    this.previous = this.#judged;
    this.previousPacketRules = plan.packetRules;
    return plan;
  }

  later(ms: number): this {
    this.nowMs += ms;
    return this;
  }
}

/** A plan in a few words: `add TCP 192.0.2.10:80`, `edit … 10.0.0.5:80=0 Quiesced`. */
export function summarize(plan: Pick<ChangePlan, 'changes'>): readonly string[] {
  return plan.changes.map((change) => {
    switch (change.type) {
      case 'setSysctl':
        return `sysctl ${change.path}=${change.value}`;
      case 'setPacketRules':
        return 'rules';
      case 'bindVip':
        return `bind ${change.binding.vip} ${change.binding.device}`;
      case 'releaseVip':
        return `release ${change.binding.vip} ${change.binding.device}`;
      case 'ipvs': {
        const { operation, reason } = change;
        const verb = operation.type.replace(/(VirtualService|RealServer)$/, '');
        const service = formatVirtualServiceKey(operation.service);
        if (!('realServer' in operation)) return `${verb} ${service} ${reason}`;
        const weight = 'config' in operation ? `=${operation.config.weight}` : '';
        return `${verb} ${formatRealServerKey(operation.realServer)}${weight} ${reason}`;
      }
    }
  });
}

/** The IPVS part of `summarize`. */
export function summarizeTable(plan: Pick<ChangePlan, 'changes'>): readonly string[] {
  return summarize({ changes: plan.changes.filter(({ type }) => type === 'ipvs') });
}

/** The service of `servingDirector`. */
export const webKey = 'TCP 192.0.2.10:80';
export const web = virtualService('web');
export const serverA = realServer('a', 'web', ['10.0.0.5']);
export const serverB = realServer('b', 'web', ['10.0.0.6']);
/** Connections that hold a draining real server. */
export const busy = { active: 3, inactive: 1 };

/** A director whose kernel already serves `web` with a and b. */
export function servingDirector(spec: Spec = {}): ModelDirector {
  const director = new ModelDirector().read({
    virtualServices: [virtualService('web', spec)],
    realServers: [serverA, serverB],
  });
  director.pass();
  return director;
}
