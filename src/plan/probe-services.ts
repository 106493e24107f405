import { ipFamily, isInCidr } from '../base/index.ts';
import type { IpAddress, IpFamily } from '../base/index.ts';
import { formatRealServerKey, formatVirtualServiceKey } from '../ipvs/pure.ts';
import type { IpvsTable, RealServerConfig, VirtualServiceKey } from '../ipvs/pure.ts';
import type { SysctlProfile } from '../link/pure.ts';
import { defaultHealthPolicy } from './health-policy.ts';
import type { ServerCheck } from './health-types.ts';
import { MarkAllocator } from './mark-allocation.ts';
import { RefusalList } from './refusals.ts';
import { witnessFlag } from './types.ts';
import type {
  DesiredRealServer,
  DesiredState,
  DesiredVirtualService,
  DirectorFacts,
  MarkAllocation,
  Uplink,
} from './types.ts';

/**
 * Probes through a virtual service. A probe of one real server by DR or TUN that is to show whether the server has the
 * virtual address, and whether the tunnel ends there, has to go to the virtual address and by the kernel's own forwarding.
 * So each such server gets a mark service of its own, which holds nobody else, and its probes carry the mark:
 *
 *      probe: DIP → VIP, mark 0x4c56… ─► mark service with one real server ─DR/TUN─► real server ─► answer: VIP → DIP
 *
 * The source must be an address of the director (DIP): the answer comes back to it, and with the VIP on both sides nothing
 * would leave this host. The answer has one of our own addresses, the VIP, as its source, which IPv4 takes for a forgery
 * unless the uplink has `accept_local`.
 */

/** The goal with those services in it, and with checks that go through them; the very goal where nobody asks for any. */
export function addProbeServices(desired: DesiredState, facts: DirectorFacts): DesiredState {
  if (![...desired.services.values()].some(hasAskedThrough)) return desired;
  const ways = new Ways(desired, facts);
  const services = new Map<string, DesiredVirtualService>();
  const own = new Map<string, DesiredVirtualService>();
  for (const [key, service] of desired.services) {
    if (!hasAskedThrough(service)) {
      services.set(key, service);
      continue;
    }
    const realServers = new Map<string, DesiredRealServer>();
    for (const [serverKey, server] of service.realServers) {
      const way = isAskedThrough(server) ? ways.to(server) : undefined;
      realServers.set(serverKey, isAskedThrough(server) ? routed(server, way) : server);
      if (way !== undefined)
        own.set(formatVirtualServiceKey(way.key), probeService(server, service, way.key));
    }
    services.set(key, withServers(service, realServers));
  }
  for (const [key, service] of own) services.set(key, service);
  return {
    ...desired,
    services,
    allocations: ways.isRemembered ? desired.allocations : { ...desired.allocations, marks: ways.marks },
    sysctls: acceptLocal(desired.sysctls, ways.uplinks),
    refusals: [...desired.refusals, ...ways.warnings],
  };
}

/** Whether the kernel has what leads a probe to its server; before that it would be answered by whoever is behind the VIP. */
export function hasProbeWay({ probe }: ServerCheck, table: IpvsTable): boolean {
  const { ip, route } = probe.target;
  if (route === undefined) return true;
  const key = formatVirtualServiceKey({ kind: 'mark', family: ipFamily(ip), mark: route.mark });
  return (table.get(key)?.realServers.size ?? 0) > 0;
}

/** Services are values that keep their identity, so those that did not change are not searched at every pass. */
const asksThrough = new WeakMap<DesiredVirtualService, boolean>();

function hasAskedThrough(service: DesiredVirtualService): boolean {
  let answer = asksThrough.get(service);
  if (answer === undefined) {
    answer = [...service.realServers.values()].some(isAskedThrough);
    asksThrough.set(service, answer);
  }
  return answer;
}

function isAskedThrough({ check }: DesiredRealServer): boolean {
  return check?.isThrough === true;
}

/** How the probes of one real server travel. */
interface Way {
  readonly key: Extract<VirtualServiceKey, { kind: 'mark' }>;
  readonly source: IpAddress;
}

/** Finds ways, and remembers what they take. */
class Ways {
  readonly #facts: DirectorFacts;
  readonly #known: Readonly<Record<string, MarkAllocation>>;
  readonly #allocator: MarkAllocator;
  readonly #warnings = new RefusalList();
  /** Those that IPv4 answers come in by. */
  readonly uplinks = new Set<string>();
  /** Every mark was on record. */
  isRemembered = true;

  constructor(desired: DesiredState, facts: DirectorFacts) {
    this.#facts = facts;
    this.#known = desired.allocations.marks;
    this.#allocator = new MarkAllocator(this.#known);
  }

  get marks(): Readonly<Record<string, MarkAllocation>> {
    return this.#allocator.marks;
  }

  get warnings(): DesiredState['refusals'] {
    return this.#warnings.list;
  }

  /** Undefined: there is none, and that was said. */
  to(server: DesiredRealServer): Way | undefined {
    const vip = server.check?.probe.target.ip ?? server.key.rip;
    const family = ipFamily(vip);
    const start = findSource(server.key.rip, family, this.#facts);
    if (start === undefined) {
      return this.#warn(server, 'NoProbeSource', `has no ${family} address to ask from`);
    }
    // Two services of one address that forward alike share the way.
    const name = `probe ${vip} ${server.key.rip} ${describeForwarding(server.config)}`;
    const mark = this.#known[name]?.mark ?? this.#allocator.allocateNamed(name, vip);
    if (mark === undefined) {
      return this.#warn(server, 'MarksExhausted', 'has no firewall mark left for its probes');
    }
    this.isRemembered &&= this.#known[name] !== undefined;
    if (family === 'IPv4') this.uplinks.add(start.uplink.name);
    return { key: { kind: 'mark', family, mark }, source: start.source };
  }

  #warn({ owner, key }: DesiredRealServer, reason: string, what: string): undefined {
    this.#warnings.warn({
      object: owner,
      path: ['spec'],
      reason,
      message: `${key.rip} cannot be asked through its virtual service: this director ${what}. It counts as up.`,
      endpoint: key.rip,
    });
    return undefined;
  }
}

/** An address of the director in the network of the real server, or in any that it has. */
function findSource(
  rip: IpAddress,
  family: IpFamily,
  { ownAddresses, uplinks }: DirectorFacts,
): { readonly source: IpAddress; readonly uplink: Uplink } | undefined {
  const own = ownAddresses.filter((address) => ipFamily(address) === family);
  const candidates = uplinks.flatMap((uplink) =>
    own
      .filter((source) => uplink.subnets.some((subnet) => isInCidr(source, subnet)))
      .map((source) => ({
        source,
        uplink,
        isNear: uplink.subnets.some((subnet) => isInCidr(source, subnet) && isInCidr(rip, subnet)),
      })),
  );
  return candidates.find(({ isNear }) => isNear) ?? candidates[0];
}

function describeForwarding({ forwarding, tunnel }: RealServerConfig): string {
  return tunnel === undefined ? forwarding : `${forwarding} ${tunnel.type} ${tunnel.port} ${tunnel.checksum}`;
}

const routedServers = new WeakMap<
  DesiredRealServer,
  { readonly way: string; readonly server: DesiredRealServer }
>();
const routedChecks = new WeakMap<ServerCheck, Map<string, ServerCheck>>();

/** The server with a check that takes that way; the same objects from pass to pass. */
function routed(server: DesiredRealServer, way: Way | undefined): DesiredRealServer {
  const name = way === undefined ? '' : `${way.key.mark} ${way.source}`;
  const known = routedServers.get(server);
  if (known?.way === name) return known.server;
  const check =
    server.check === undefined || way === undefined ? undefined : routedCheck(server.check, way, name);
  const made = { ...server, check };
  routedServers.set(server, { way: name, server: made });
  return made;
}

function routedCheck(check: ServerCheck, { key, source }: Way, name: string): ServerCheck {
  const known = routedChecks.get(check) ?? new Map<string, ServerCheck>();
  routedChecks.set(check, known);
  let made = known.get(name);
  if (made === undefined) {
    const target = { ...check.probe.target, route: { mark: key.mark, source } };
    made = { ...check, probe: { ...check.probe, target } };
    known.set(name, made);
  }
  return made;
}

const probeServices = new WeakMap<DesiredRealServer, DesiredVirtualService>();

/** A service that holds one server, whatever weight people give that. */
function probeService(
  server: DesiredRealServer,
  { owner }: DesiredVirtualService,
  key: Way['key'],
): DesiredVirtualService {
  const known = probeServices.get(server);
  if (
    known !== undefined &&
    known.owner === owner &&
    formatVirtualServiceKey(known.key) === formatVirtualServiceKey(key)
  )
    return known;
  // A mark service with port 0 keeps the port that the probe goes to.
  const inside = { rip: server.key.rip, port: 0 };
  const config = { ...server.config, weight: 1, upperThreshold: 0, lowerThreshold: 0 };
  const only: DesiredRealServer = {
    ...server,
    key: inside,
    config,
    isDrained: false,
    drainDeadlineMs: undefined,
    isLastResort: false,
    lastResort: undefined,
    configuredWeight: 1,
    check: undefined,
    isSorry: false,
  };
  const service: DesiredVirtualService = {
    key,
    config: {
      scheduler: 'rr',
      flags: witnessFlag,
      persistenceTimeoutSeconds: 0,
      persistencePrefixLength: key.family === 'IPv4' ? 32 : 128,
      persistenceEngine: undefined,
    },
    owner,
    drain: { timeoutMs: 0, settleMs: 0, udpMs: 0 },
    policy: defaultHealthPolicy,
    isForProbes: true,
    realServers: new Map([[formatRealServerKey(inside), only]]),
  };
  probeServices.set(server, service);
  return service;
}

const servicesWithServers = new WeakMap<DesiredVirtualService, DesiredVirtualService>();

function withServers(
  service: DesiredVirtualService,
  realServers: ReadonlyMap<string, DesiredRealServer>,
): DesiredVirtualService {
  const last = servicesWithServers.get(service);
  if (last !== undefined && [...realServers].every(([key, server]) => last.realServers.get(key) === server))
    return last;
  const made = { ...service, realServers };
  servicesWithServers.set(service, made);
  return made;
}

const profiles = new WeakMap<SysctlProfile, { readonly uplinks: string; readonly profile: SysctlProfile }>();

function acceptLocal(sysctls: SysctlProfile, uplinks: ReadonlySet<string>): SysctlProfile {
  const names = [...uplinks].toSorted();
  if (names.length === 0) return sysctls;
  const known = profiles.get(sysctls);
  if (known?.uplinks === names.join(' ')) return known.profile;
  const profile = new Map(sysctls);
  for (const name of names) profile.set(`net/ipv4/conf/${name}/accept_local`, '1');
  profiles.set(sysctls, { uplinks: names.join(' '), profile });
  return profile;
}
