import type { IpAddress, IpFamily } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import { defaultTunnel, objectRefOf } from '../api/index.ts';
import type { FieldPath, RealServerResource } from '../api/index.ts';
import { formatRealServerKey } from '../ipvs/pure.ts';
import type { ForwardingMethod, RealServerConfig, Tunnel } from '../ipvs/pure.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { Pools } from './pools.ts';
import { joinPorts, joinPortsTogether } from './port-join.ts';
import type { JoinedPort } from './port-join.ts';
import type { ServiceDraft, VirtualServiceDraft } from './service-draft.ts';
import type { DesiredRealServer, Refusal } from './types.ts';

/** Where a RealServer object enters the table, or why it does not. */
export type RealServerJoin =
  | { readonly kind: 'joined'; readonly entries: readonly RealServerEntry[] }
  | { readonly kind: 'refused'; readonly refusal: Omit<Refusal, 'severity'> };

export interface RealServerEntry {
  readonly service: ServiceDraft;
  /** `formatRealServerKey`. */
  readonly key: string;
  readonly realServer: DesiredRealServer;
}

export interface RealServerRules {
  readonly pools: Pools;
  readonly policy: AddressPolicy;
  /** All virtual addresses: a real server on one of them would be a loop. */
  readonly vips: ReadonlySet<string>;
}

/**
 * Joins one RealServer object to the services of its VirtualService. It is served whole or not at all: one bad address
 * refuses the object, and no other.
 *
 * NAT and DR join addresses to VIPs of their own family. TUN wraps either family in either, so there a RealServer that
 * has no address of a VIP's family joins it with the addresses it has.
 */
export function joinRealServer(
  resource: RealServerResource,
  virtualService: VirtualServiceDraft,
  rules: RealServerRules,
): RealServerJoin {
  const { spec } = resource;
  const owner = objectRefOf(resource);
  const refuse = (path: FieldPath, reason: string, message: string): RealServerJoin => ({
    kind: 'refused',
    refusal: { object: owner, path, reason, message },
  });

  const { addresses: written } = spec;
  if (written === undefined) {
    const source = spec.podSelector === undefined ? 'serviceRef' : 'podSelector';
    return refuse(
      ['spec', source],
      'NeedsCluster',
      `${source} needs a cluster, and this director runs from files; list the servers under addresses.`,
    );
  }

  const method = spec.forwarding?.method ?? virtualService.resource.spec.forwarding.method;
  const bad = firstBadAddress({ resource, written, method, virtualService }, rules);
  if (bad !== undefined) return refuse(['spec', 'addresses', bad.index], bad.reason, bad.message);

  const join = joinPorts(spec, virtualService.resource.spec.ports, method);
  if (join.kind === 'refused') return refuse(join.problem.path, join.problem.reason, join.problem.message);
  const isTogether = virtualService.resource.spec.portGrouping === 'Together';
  const together = isTogether ? joinPortsTogether(join.ports, virtualService.resource.spec.ports) : undefined;
  if (together !== undefined && 'problem' in together) {
    return refuse(together.problem.path, together.problem.reason, together.problem.message);
  }

  const portProblem = firstControlPort(written, join.ports, together?.port, rules.policy);
  if (portProblem !== undefined) return refuse(['spec', 'ports'], 'ControlPort', portProblem);

  const config = realServerConfig(resource, virtualService, method);
  const isDrained = spec.state === 'Drained';
  const byFamily = new Map<IpFamily, readonly IpAddress[]>();
  const entries: RealServerEntry[] = [];
  for (const service of virtualService.services) {
    let addresses = byFamily.get(service.family);
    if (addresses === undefined) {
      addresses = addressesFor(written, service.family, method);
      byFamily.set(service.family, addresses);
    }
    const port = together?.port ?? join.ports.find(({ virtual }) => virtual === service.ports[0])?.port;
    if (port === undefined) continue;
    for (const rip of addresses) {
      const key = { rip, port };
      entries.push({ service, key: formatRealServerKey(key), realServer: { key, config, isDrained, owner } });
    }
  }
  return { kind: 'joined', entries };
}

function addressesFor(
  addresses: readonly IpAddress[],
  family: IpFamily,
  method: ForwardingMethod,
): readonly IpAddress[] {
  const same = addresses.filter((ip) => ipFamily(ip) === family);
  return same.length === 0 && method === 'TUN' ? addresses : same;
}

function firstBadAddress(
  {
    resource,
    written,
    method,
    virtualService,
  }: {
    readonly resource: RealServerResource;
    readonly written: readonly IpAddress[];
    readonly method: ForwardingMethod;
    readonly virtualService: VirtualServiceDraft;
  },
  { pools, policy, vips }: RealServerRules,
): { readonly index: number; readonly reason: string; readonly message: string } | undefined {
  const { namespace } = resource.metadata;
  const allowed = pools.realServerSet(namespace);
  for (const [index, ip] of written.entries()) {
    const bad = (reason: string, message: string) => ({ index, reason, message });
    const verdict = policy.judgeRealServer(ip);
    if (verdict !== undefined) {
      return bad(verdict.reason, `${ip} ${verdict.why}; it cannot be a real server.`);
    }
    if (vips.has(ip)) {
      return bad('AddressIsVirtual', `${ip} is a virtual address; a real server there would be a loop.`);
    }
    if (!allowed.has(ip)) {
      return bad(
        'RealServerNotAllowed',
        `${ip} lies in no realServerCIDRs of an AddressPool that admits namespace ${namespace}; ` +
          'add its network there if it may receive traffic.',
      );
    }
    const family = ipFamily(ip);
    if (method !== 'TUN' && !virtualService.vips.some((vip) => ipFamily(vip) === family)) {
      return bad(
        'AddressFamilyMismatch',
        `${ip} is ${family} and VirtualService ${virtualService.owner.name} has no ${family} address; ` +
          `${method} cannot cross families, only TUN can.`,
      );
    }
  }
  return undefined;
}

/** @param togetherPort port of a grouped service; 0 keeps every virtual port. */
function firstControlPort(
  addresses: readonly IpAddress[],
  ports: readonly JoinedPort[],
  togetherPort: number | undefined,
  policy: AddressPolicy,
): string | undefined {
  for (const ip of addresses) {
    for (const { virtual, port } of ports) {
      const first = togetherPort === undefined || togetherPort === 0 ? port : togetherPort;
      const length = (virtual.endPort ?? virtual.port) - virtual.port;
      const verdict = policy.judgeRealServerPort(ip, first, first + length);
      if (verdict !== undefined)
        return `${ip} ${verdict.why}; it cannot be served through a virtual address.`;
    }
  }
  return undefined;
}

function realServerConfig(
  { spec }: RealServerResource,
  virtualService: VirtualServiceDraft,
  method: ForwardingMethod,
): RealServerConfig {
  const inherited = virtualService.resource.spec.forwarding;
  // A tunnel of the VirtualService says how its TUN servers are wrapped, also for those that ask for TUN themselves.
  const tunnel = spec.forwarding?.tunnel ?? (inherited.method === 'TUN' ? inherited.tunnel : undefined);
  return {
    forwarding: method,
    tunnel: method === 'TUN' ? tunnelOf(tunnel ?? defaultTunnel) : undefined,
    weight: spec.state === 'Drained' ? 0 : spec.weight,
    upperThreshold: spec.upperThreshold,
    lowerThreshold: spec.lowerThreshold,
  };
}

function tunnelOf({ type, port, checksum }: typeof defaultTunnel): Tunnel {
  return { type, port: port ?? 0, checksum };
}
