import type { IpAddress } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import { followsLoad, objectRefOf } from '../api/index.ts';
import type {
  HealthCheckSpec,
  ObjectRef,
  RealServerResource,
  RealServerSliceResource,
} from '../api/index.ts';
import { formatRealServerKey } from '../ipvs/pure.ts';
import type { ForwardingMethod, RealServerConfig } from '../ipvs/pure.ts';
import type { AddressPolicy } from './address-policy.ts';
import { ownSource, sliceSource } from './endpoints.ts';
import type { EndpointSource, RealServerEndpoint } from './endpoints.ts';
import type { Pools } from './pools.ts';
import { advisedKernelWeight } from './kernel-weight.ts';
import { joinPorts, joinPortsTogether } from './port-join.ts';
import type { JoinedPort } from './port-join.ts';
import { checkMessage, checkProblem, serverCheck } from './server-check.ts';
import { forwardingConfig } from './server-config.ts';
import type { ServiceDraft, VirtualServiceDraft } from './service-draft.ts';
import type { DesiredRealServer, Refusal } from './types.ts';

type Finding = Omit<Refusal, 'severity'>;

/** Where a RealServer object enters the table, and what of it does not. */
export interface RealServerJoin {
  readonly entries: readonly RealServerEntry[];
  readonly findings: readonly Finding[];
}

export interface RealServerEntry {
  readonly service: ServiceDraft;
  /** `formatRealServerKey`. */
  readonly key: string;
  readonly realServer: DesiredRealServer;
  readonly source: EndpointSource;
}

export interface RealServerRules {
  readonly pools: Pools;
  readonly policy: AddressPolicy;
  /** All virtual addresses: a real server on one of them would be a loop. */
  readonly vips: ReadonlySet<string>;
}

/**
 * Joins one RealServer object to the services of its VirtualService.
 *
 * From a file (`slices` undefined) its addresses are what a person wrote, and it is served whole or not at all: the
 * first finding is the answer. In a cluster they are what the controller found, and come and go by themselves: there
 * each endpoint is judged alone, and one that is refused takes nothing from the others.
 *
 * NAT and DR join addresses to VIPs of their own family. TUN wraps either family in either, so there a RealServer that
 * has no address of a VIP's family joins it with the addresses it has.
 */
export function joinRealServer(
  resource: RealServerResource,
  virtualService: VirtualServiceDraft,
  slices: readonly RealServerSliceResource[] | undefined,
  rules: RealServerRules,
): RealServerJoin {
  const own = ownSource(resource);
  if (slices === undefined && own === undefined) return { entries: [], findings: [needsCluster(resource)] };
  const sources = slices?.map((slice) => sliceSource(resource, slice)) ?? (own === undefined ? [] : [own]);
  const context: JoinContext = {
    resource,
    owner: objectRefOf(resource),
    virtualService,
    method: resource.spec.forwarding?.method ?? virtualService.resource.spec.forwarding.method,
    healthCheck: resource.spec.healthCheck ?? virtualService.resource.spec.healthCheck,
    rules,
    isFromFiles: slices === undefined,
  };
  const misask = judgeOwnCheck(context) ?? judgeThrough(context);
  if (misask !== undefined) return { entries: [], findings: [misask] };
  const findings: Finding[] = [];
  const admitted: AdmittedSource[] = [];
  for (const source of sources) {
    const admission = admitSource(source, context);
    findings.push(...admission.findings);
    if (admission.admitted !== undefined) admitted.push(admission.admitted);
    if (slices === undefined && findings.length > 0) return { entries: [], findings: findings.slice(0, 1) };
  }
  return { entries: enterServices(admitted, context), findings };
}

interface JoinContext {
  readonly resource: RealServerResource;
  readonly owner: ObjectRef;
  readonly virtualService: VirtualServiceDraft;
  readonly method: ForwardingMethod;
  /** Undefined: nobody asks. */
  readonly healthCheck: HealthCheckSpec | undefined;
  readonly rules: RealServerRules;
  /** Nobody computes weights there. */
  readonly isFromFiles: boolean;
}

/** A source whose ports are joined, with those of its endpoints that may serve. */
interface AdmittedSource {
  readonly source: EndpointSource;
  readonly ports: readonly JoinedPort[];
  /** Port of a grouped service; 0 keeps every virtual port; undefined: ports are separate. */
  readonly togetherPort: number | undefined;
  readonly endpoints: readonly RealServerEndpoint[];
}

function needsCluster(resource: RealServerResource): Finding {
  const field = resource.spec.podSelector === undefined ? 'serviceRef' : 'podSelector';
  return {
    object: objectRefOf(resource),
    path: ['spec', field],
    reason: 'NeedsCluster',
    message: `${field} needs a cluster, and this director runs from files; list the servers under addresses.`,
  };
}

/** Addresses first, then ports: an address that may not be served at all is the worse mistake. */
function admitSource(
  source: EndpointSource,
  context: JoinContext,
): { readonly admitted: AdmittedSource | undefined; readonly findings: readonly Finding[] } {
  const { owner, virtualService, method } = context;
  const virtualPorts = virtualService.resource.spec.ports;
  const findings: Finding[] = [];
  const endpoints: RealServerEndpoint[] = [];
  for (const endpoint of source.endpoints) {
    const bad = judgeEndpoint(endpoint, context);
    if (bad === undefined) endpoints.push(endpoint);
    else findings.push({ object: owner, path: endpoint.path, endpoint: endpoint.address, ...bad });
  }
  const refuse = ({ path, reason, message }: Pick<Finding, 'path' | 'reason' | 'message'>) => ({
    admitted: undefined,
    findings: [...findings, { object: owner, path, reason, message }],
  });
  const join = joinPorts(source.ports, virtualPorts, method);
  if (join.kind === 'refused') return refuse(join.problem);
  const { ports } = join;
  const isTogether = virtualService.resource.spec.portGrouping === 'Together';
  const together = isTogether ? joinPortsTogether(ports, virtualPorts) : undefined;
  if (together !== undefined && 'problem' in together) return refuse(together.problem);
  const togetherPort = together?.port;

  const checkPort = judgeCheckPort(ports, context);
  if (checkPort !== undefined) return refuse(checkPort);

  const allowed = endpoints.filter(({ address }) => {
    const why = judgeControlPorts(address, ports, togetherPort, context.rules.policy);
    if (why === undefined) return true;
    const message = `${address} ${why}; it cannot be served through a virtual address.`;
    findings.push({
      object: owner,
      path: ['spec', 'ports'],
      endpoint: address,
      reason: 'ControlPort',
      message,
    });
    return false;
  });
  return { admitted: { source, ports, togetherPort, endpoints: allowed }, findings };
}

/** That of the VirtualService is judged with the VirtualService. */
function judgeOwnCheck({ resource, owner, isFromFiles }: JoinContext): Finding | undefined {
  const { healthCheck } = resource.spec;
  const problem = healthCheck === undefined ? undefined : checkProblem(healthCheck, isFromFiles);
  if (problem === undefined) return undefined;
  const path = ['spec', 'healthCheck', ...problem.path];
  return { object: owner, path, reason: 'HealthCheckInvalid', message: checkMessage(path, problem.message) };
}

/** Under NAT a real server never sees the virtual address, so there is nothing to be found out by asking through it. */
function judgeThrough({
  resource,
  owner,
  method,
  healthCheck,
  virtualService,
}: JoinContext): Finding | undefined {
  if (healthCheck?.through !== 'virtualService' || method !== 'NAT') return undefined;
  const isOwn = resource.spec.healthCheck !== undefined;
  const whose = isOwn ? 'healthCheck' : `the healthCheck of VirtualService ${virtualService.owner.name}`;
  return {
    object: owner,
    path: isOwn ? ['spec', 'healthCheck', 'through'] : ['spec'],
    reason: 'HealthCheckThroughNat',
    message:
      `${whose} asks through the virtual service, which shows something under DR and TUN only, and these servers are ` +
      'reached by NAT; use through: realServer.',
  };
}

/** Probes come from the director's own network, so they go where clients are sent and nowhere else. */
function judgeCheckPort(
  ports: readonly JoinedPort[],
  { resource, healthCheck, virtualService }: JoinContext,
): Pick<Finding, 'path' | 'reason' | 'message'> | undefined {
  const port = healthCheck?.port;
  if (port === undefined || servesPort(ports, port)) return undefined;
  const isOwn = resource.spec.healthCheck !== undefined;
  const whose = isOwn ? 'healthCheck' : `the healthCheck of VirtualService ${virtualService.owner.name}`;
  return {
    path: ['spec', ...(isOwn ? ['healthCheck', 'port'] : ['ports'])],
    reason: 'HealthCheckPortNotServed',
    message:
      `${whose} asks port ${port}, which is no port of this RealServer (${ports.map((join) => join.port).join(', ')}); ` +
      'a probe goes only to ports that clients are sent to.',
  };
}

function servesPort(ports: readonly JoinedPort[], port: number): boolean {
  return ports.some((join) => {
    const last = join.port + (join.virtual.endPort ?? join.virtual.port) - join.virtual.port;
    return join.port <= port && port <= last;
  });
}

function judgeEndpoint(
  { address: ip, origin }: RealServerEndpoint,
  { resource, virtualService, method, rules: { pools, policy, vips } }: JoinContext,
): Pick<Finding, 'reason' | 'message'> | undefined {
  const { namespace } = resource.metadata;
  const verdict = policy.judgeRealServer(ip, origin);
  if (verdict !== undefined) {
    return { reason: verdict.reason, message: `${ip} ${verdict.why}; it cannot be a real server.` };
  }
  if (vips.has(ip)) {
    return {
      reason: 'AddressIsVirtual',
      message: `${ip} is a virtual address; a real server there would be a loop.`,
    };
  }
  if (origin === 'Static' && !pools.realServerSet(namespace).has(ip)) {
    return {
      reason: 'RealServerNotAllowed',
      message:
        `${ip} lies in no realServerCIDRs of an AddressPool that admits namespace ${namespace}; ` +
        'add its network there if it may receive traffic.',
    };
  }
  const family = ipFamily(ip);
  if (method === 'TUN' || virtualService.vips.some((vip) => ipFamily(vip) === family)) return undefined;
  return {
    reason: 'AddressFamilyMismatch',
    message:
      `${ip} is ${family} and VirtualService ${virtualService.owner.name} has no ${family} address; ` +
      `${method} cannot cross families, only TUN can.`,
  };
}

function judgeControlPorts(
  ip: IpAddress,
  ports: readonly JoinedPort[],
  togetherPort: number | undefined,
  policy: AddressPolicy,
): string | undefined {
  for (const { virtual, port } of ports) {
    const first = togetherPort === undefined || togetherPort === 0 ? port : togetherPort;
    const length = (virtual.endPort ?? virtual.port) - virtual.port;
    const verdict = policy.judgeRealServerPort(ip, first, first + length);
    if (verdict !== undefined) return verdict.why;
  }
  return undefined;
}

function enterServices(
  admitted: readonly AdmittedSource[],
  context: JoinContext,
): readonly RealServerEntry[] {
  const { virtualService, method } = context;
  const entries: RealServerEntry[] = [];
  const servers = new ServerMaker(context);
  for (const service of virtualService.services) {
    const hasOwnFamily = admitted.some(({ endpoints }) =>
      endpoints.some(({ address }) => ipFamily(address) === service.family),
    );
    const takesAny = method === 'TUN' && !hasOwnFamily;
    for (const { source, ports, togetherPort, endpoints } of admitted) {
      const port = togetherPort ?? ports.find(({ virtual }) => virtual === service.ports[0])?.port;
      if (port === undefined) continue;
      for (const endpoint of endpoints) {
        const { address: rip } = endpoint;
        if (!takesAny && ipFamily(rip) !== service.family) continue;
        const key = { rip, port };
        entries.push({
          service,
          key: formatRealServerKey(key),
          realServer: servers.make(key, endpoint, { port: checkedPort(port, ports), vip: service.vip }),
          source,
        });
      }
    }
  }
  return entries;
}

/** A service of several ports keeps them as they are, and its servers are asked on the first. */
function checkedPort(port: number, ports: readonly JoinedPort[]): number {
  return port === 0 ? (ports[0]?.port ?? 0) : port;
}

/** Makes the real servers of one RealServer object; those that are alike share their configuration. */
class ServerMaker {
  readonly #context: JoinContext;
  readonly #configs = new Map<number, RealServerConfig>();

  constructor(context: JoinContext) {
    this.#context = context;
  }

  make(
    key: DesiredRealServer['key'],
    endpoint: RealServerEndpoint,
    asked: { readonly port: number; readonly vip: IpAddress },
  ): DesiredRealServer {
    const { owner, resource, healthCheck } = this.#context;
    const { drainDeadlineMs } = endpoint;
    const weight = programmedWeight(this.#context, endpoint);
    const isDrainedByName = resource.spec.state === 'Drained';
    const isDrained = isDrainedByName || endpoint.isDraining;
    const config = this.#config(isDrained ? 0 : weight);
    const mayStay = endpoint.isDraining && !isDrainedByName && weight > 0;
    return {
      key,
      config,
      isDrained,
      drainDeadlineMs,
      isLastResort: false,
      lastResort: mayStay ? this.#config(weight) : undefined,
      configuredWeight: resource.spec.weight,
      check: healthCheck === undefined ? undefined : serverCheck(healthCheck, { rip: key.rip, ...asked }),
      isSorry: false,
      owner,
    };
  }

  #config(weight: number): RealServerConfig {
    const known = this.#configs.get(weight);
    if (known !== undefined) return known;
    const config = realServerConfig(this.#context, weight);
    this.#configs.set(weight, config);
    return config;
  }
}

/**
 * A person's 0 counts at once, whatever the controller had computed before; and so does the wish for weights as they are
 * written, from files and in a cluster without a controller alike.
 */
function programmedWeight(
  { resource: { spec }, virtualService: { resource }, isFromFiles }: JoinContext,
  { weight = spec.weight }: RealServerEndpoint,
): number {
  if (spec.weight === 0) return 0;
  if (isFromFiles || !followsLoad(resource.spec)) return spec.weight;
  return advisedKernelWeight(resource.spec.scheduler, weight);
}

function realServerConfig(
  { resource: { spec }, virtualService }: JoinContext,
  weight: number,
): RealServerConfig {
  return {
    ...forwardingConfig(spec.forwarding, virtualService.resource.spec.forwarding),
    weight,
    upperThreshold: spec.upperThreshold,
    lowerThreshold: spec.lowerThreshold,
  };
}
