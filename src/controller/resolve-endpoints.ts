import type {
  EndpointPhase,
  LabelSelector,
  RealServerResource,
  VirtualServiceResource,
} from '../api/index.ts';
import { ipFamily } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { EndpointRecord, EndpointSliceRecord, NodeRecord, PodRecord } from '../cluster/index.ts';
import type { EndpointPolicy } from './endpoint-policy.ts';
import { joinSlicePorts } from './join-slice-ports.ts';
import type { SlicePort } from './join-slice-ports.ts';
import { effectivePorts, neededFamilies } from './virtual-service-needs.ts';

/** One real server behind a VirtualService, before it has a slice. */
export interface ResolvedEndpoint {
  readonly address: IpAddress;
  readonly ports: readonly SlicePort[];
  /** One text for equal ports. */
  readonly portsKey: string;
  readonly phase: EndpointPhase;
  /** Wall clock; undefined: the drain of the VirtualService. */
  readonly deadlineMs: number | undefined;
  readonly nodeName: string | undefined;
  /** The pod that has the address, verified; undefined: a static address. */
  readonly pod: { readonly name: string; readonly uid: string } | undefined;
  /** Why it does not serve, or why it does although its pod is ending. */
  readonly reason: string | undefined;
}

/** What was found and may not be used. */
export interface RefusedEndpoint {
  readonly address: IpAddress;
  readonly reason: string;
  /** The rest of a sentence about the address. */
  readonly why: string;
  readonly podName: string | undefined;
  readonly nodeName: string | undefined;
}

export interface Resolution {
  /** Sorted, each address once for the same ports. */
  readonly endpoints: readonly ResolvedEndpoint[];
  /** Sorted by address. */
  readonly refused: readonly RefusedEndpoint[];
  /** Why nothing was found. */
  readonly absence: { readonly reason: string; readonly message: string } | undefined;
}

/** The stores, asked as a RealServer needs it. */
export interface EndpointWorld {
  readonly virtualService: VirtualServiceResource | undefined;
  podsSelectedBy(namespace: string, selector: LabelSelector): readonly PodRecord[];
  pod(namespace: string, name: string): PodRecord | undefined;
  podsWithAddress(ip: IpAddress): readonly PodRecord[];
  endpointSlicesOf(namespace: string, serviceName: string): readonly EndpointSliceRecord[];
  node(name: string): Pick<NodeRecord, 'isDraining' | 'isUnschedulable'> | undefined;
  readonly policy: EndpointPolicy;
  /** Whether another RealServer of the VirtualService takes new connections. */
  isServedElsewhere(): boolean;
}

/** An endpoint whose own state is known and that nobody has judged yet. */
interface Candidate extends Omit<ResolvedEndpoint, 'portsKey'> {
  /** It is ending and still takes connections: the last resort (KEP-1669). */
  readonly isLastResort: boolean;
}

interface Gathering {
  readonly candidates: Candidate[];
  readonly refused: RefusedEndpoint[];
  absence: Resolution['absence'];
}

/**
 * The endpoints of a RealServer.
 *
 * | pod, or endpoint of a Service | phase |
 * | --- | --- |
 * | running and ready | Serving |
 * | ending, whether ready or not | Draining, until its pod is killed |
 * | not ready | Draining: live connections stay, new ones go elsewhere |
 * | on a node that a person drains | Draining |
 * | on a cordoned node, where the VirtualService drains those | Draining |
 * | ended, without an address, not selected | none |
 *
 * When nothing behind the VirtualService takes connections, endpoints that are ending or on a cordoned node and still ready
 * go on serving (KEP-1669); what a person drains never does. An endpoint of a Service is one of a pod only if that pod, of
 * the same namespace, has that uid and address; an endpoint without a pod is a static address, and both pass the same rules
 * as in the director.
 */
export function resolveEndpoints(realServer: RealServerResource, world: EndpointWorld): Resolution {
  const gathering: Gathering = { candidates: [], refused: [], absence: undefined };
  const { addresses, podSelector, serviceRef } = realServer.spec;
  if (addresses !== undefined) gatherStatic(realServer, addresses, world, gathering);
  else if (podSelector !== undefined) gatherPods(realServer, podSelector, world, gathering);
  else if (serviceRef !== undefined) gatherService(realServer, serviceRef.name, world, gathering);

  const isForsaken =
    gathering.candidates.some(({ isLastResort }) => isLastResort) &&
    !gathering.candidates.some(({ phase }) => phase === 'Serving') &&
    !world.isServedElsewhere();
  const endpoints = new Map<string, ResolvedEndpoint>();
  const keys = new Map<readonly SlicePort[], string>();
  for (const { isLastResort, ...candidate } of gathering.candidates) {
    const portsKey = keys.get(candidate.ports) ?? formatPortsKey(candidate.ports);
    keys.set(candidate.ports, portsKey);
    const endpoint: ResolvedEndpoint =
      isLastResort && isForsaken
        ? {
            ...candidate,
            portsKey,
            phase: 'Serving',
            deadlineMs: undefined,
            reason: lastResortReason(candidate),
          }
        : { ...candidate, portsKey };
    const key = `${endpoint.address} ${portsKey}`;
    const known = endpoints.get(key);
    if (known === undefined || isBetter(endpoint, known)) endpoints.set(key, endpoint);
  }
  return {
    endpoints: [...endpoints].toSorted(([a], [b]) => compareText(a, b)).map(([, endpoint]) => endpoint),
    refused: gathering.refused.toSorted((a, b) => compareText(a.address, b.address)),
    absence: endpoints.size === 0 ? gathering.absence : undefined,
  };
}

function lastResortReason({ reason }: Pick<Candidate, 'reason'>): string {
  return reason === 'NodeCordoned' ? 'CordonedButReady' : 'TerminatingButReady';
}

export function formatPortsKey(ports: readonly SlicePort[]): string {
  return ports.map(({ name, port }) => `${name ?? ''}:${port}`).join(',');
}

function gatherStatic(
  realServer: RealServerResource,
  addresses: readonly IpAddress[],
  world: EndpointWorld,
  gathering: Gathering,
): void {
  const { ports } = realServer.spec;
  for (const address of addresses) {
    const refusal = judge(realServer, { address, pod: undefined, ports }, world);
    if (refusal === undefined) gathering.candidates.push(servingStatic(address, ports, undefined));
    else gathering.refused.push({ ...refusal, address, podName: undefined, nodeName: undefined });
  }
}

function gatherPods(
  realServer: RealServerResource,
  selector: LabelSelector,
  world: EndpointWorld,
  gathering: Gathering,
): void {
  const { namespace } = realServer.metadata;
  const { ports } = realServer.spec;
  const pods = world.podsSelectedBy(namespace, selector);
  for (const pod of pods) {
    const state = stateOfPod(pod);
    if (state === undefined) continue;
    for (const address of addressesOf(pod, realServer, world.virtualService)) {
      add(realServer, { address, ports, nodeName: pod.nodeName, pod, ...state }, world, gathering);
    }
  }
  gathering.absence = {
    reason: 'NoMatchingPods',
    message:
      pods.length === 0
        ? `No pod of namespace ${namespace} has these labels.`
        : `Of ${pods.length} pods with these labels none has an address yet.`,
  };
}

function gatherService(
  realServer: RealServerResource,
  serviceName: string,
  world: EndpointWorld,
  gathering: Gathering,
): void {
  const { namespace } = realServer.metadata;
  const slices = world.endpointSlicesOf(namespace, serviceName);
  const virtualPorts = effectivePorts(world.virtualService);
  gathering.absence =
    slices.length === 0
      ? {
          reason: 'ServiceNotFound',
          message: `Namespace ${namespace} has no EndpointSlice of a Service ${serviceName}.`,
        }
      : { reason: 'NoEndpoints', message: `Service ${serviceName} has no endpoints.` };
  if (slices.some(({ addressType }) => addressType === 'FQDN')) {
    gathering.absence = {
      reason: 'HostNames',
      message: `The endpoints of Service ${serviceName} are host names; only addresses can be balanced.`,
    };
  }
  const fitting = fittingSlices(slices, realServer, world.virtualService);
  for (const slice of fitting.toSorted((a, b) => compareText(a.name, b.name))) {
    const ports = joinSlicePorts(realServer, slice, virtualPorts);
    for (const endpoint of slice.endpoints) {
      gatherEndpoint(realServer, endpoint, { ports, serviceName, world, gathering });
    }
  }
}

function gatherEndpoint(
  realServer: RealServerResource,
  endpoint: EndpointRecord,
  context: {
    readonly ports: readonly SlicePort[] | undefined;
    readonly serviceName: string;
    readonly world: EndpointWorld;
    readonly gathering: Gathering;
  },
): void {
  const { ports, serviceName, world, gathering } = context;
  const { address, target, nodeName } = endpoint;
  const podName = target?.kind === 'Pod' ? target.name : undefined;
  const refuse = (reason: string, why: string): void => {
    gathering.refused.push({ address, reason, why, podName, nodeName });
  };
  if (ports === undefined) {
    return refuse('PortNotFound', `has no port of Service ${serviceName} that the VirtualService has, too`);
  }
  if (target?.kind !== 'Pod') {
    const state = stateOfEndpoint(endpoint, undefined);
    return add(realServer, { address, ports, nodeName, pod: undefined, ...state }, world, gathering);
  }
  if (target.namespace !== realServer.metadata.namespace) {
    return refuse('ForeignPod', `is said to be pod ${target.name} of namespace ${target.namespace}`);
  }
  const pod = world.pod(target.namespace, target.name);
  if (pod === undefined || pod.uid !== target.uid || !pod.ips.includes(address)) {
    return refuse('PodNotConfirmed', `is said to be pod ${target.name}, and that pod does not have it`);
  }
  if (stateOfPod(pod) === undefined) return undefined;
  const state = stateOfEndpoint(endpoint, pod);
  return add(realServer, { address, ports, nodeName: pod.nodeName, pod, ...state }, world, gathering);
}

interface EndpointState {
  readonly phase: EndpointPhase;
  readonly deadlineMs: number | undefined;
  readonly reason: string | undefined;
  readonly isLastResort: boolean;
}

const serving: EndpointState = {
  phase: 'Serving',
  deadlineMs: undefined,
  reason: undefined,
  isLastResort: false,
};

function draining(reason: string, deadlineMs: number | undefined, isLastResort: boolean): EndpointState {
  return { phase: 'Draining', deadlineMs, reason, isLastResort };
}

/** Undefined: it takes no traffic at all, now or ever again. */
function stateOfPod({ phase, ips, isReady, deletionDeadlineMs }: PodRecord): EndpointState | undefined {
  if (phase === 'Succeeded' || phase === 'Failed' || ips.length === 0) return undefined;
  const isServing = phase === 'Running' && isReady;
  if (deletionDeadlineMs !== undefined) return draining('PodTerminating', deletionDeadlineMs, isServing);
  return isServing ? serving : draining('PodNotReady', undefined, false);
}

/** @param pod behind it, if any: its deletion is often known before the slice says so. */
function stateOfEndpoint(
  { isReady, isServing, isTerminating }: EndpointRecord,
  pod: PodRecord | undefined,
): EndpointState {
  const deadlineMs = pod?.deletionDeadlineMs;
  if (isTerminating || deadlineMs !== undefined) {
    return draining('PodTerminating', deadlineMs, isServing || isReady);
  }
  return isReady ? serving : draining('EndpointNotReady', undefined, false);
}

function servingStatic(
  address: IpAddress,
  ports: readonly SlicePort[],
  nodeName: string | undefined,
): Candidate {
  return { address, ports, nodeName, pod: undefined, ...serving };
}

function add(
  realServer: RealServerResource,
  found: Omit<Candidate, 'pod'> & { readonly pod: PodRecord | undefined },
  world: EndpointWorld,
  { candidates, refused }: Gathering,
): void {
  const { address, ports, nodeName, pod } = found;
  const refusal = judge(realServer, { address, pod, ports }, world);
  if (refusal !== undefined) refused.push({ ...refusal, address, nodeName, podName: pod?.name });
  else {
    candidates.push({
      ...found,
      ...drainOfNode(found, world),
      pod: pod === undefined ? undefined : { name: pod.name, uid: pod.uid },
    });
  }
}

/** What its node does to an endpoint; its own end goes first, as it has a deadline. */
function drainOfNode(
  { nodeName, phase, deadlineMs, isLastResort }: Omit<Candidate, 'pod'>,
  world: EndpointWorld,
): EndpointState | undefined {
  const its = nodeName === undefined ? undefined : world.node(nodeName);
  if (its?.isDraining === true && (phase === 'Serving' || isLastResort))
    return draining('NodeDrained', deadlineMs, false);
  const isCordoned = its?.isUnschedulable === true && world.virtualService?.spec.drain.onCordon === true;
  return isCordoned && phase === 'Serving' ? draining('NodeCordoned', undefined, true) : undefined;
}

function judge(
  realServer: RealServerResource,
  found: {
    readonly address: IpAddress;
    readonly pod: PodRecord | undefined;
    readonly ports: readonly SlicePort[];
  },
  world: EndpointWorld,
): Pick<RefusedEndpoint, 'reason' | 'why'> | undefined {
  const { namespace } = realServer.metadata;
  const { address, pod, ports } = found;
  const { virtualService } = world;
  const verdict = world.policy.judge({ address, namespace, isPod: pod !== undefined, ports, virtualService });
  if (verdict !== undefined || pod !== undefined) return verdict;
  // A pod on the host network has no address of its own that could be taken away from it.
  const foreign = world
    .podsWithAddress(address)
    .find((other) => !other.isHostNetwork && other.namespace !== namespace);
  return foreign === undefined
    ? undefined
    : { reason: 'ForeignPodAddress', why: `is the address of a pod of namespace ${foreign.namespace}` };
}

/** Of its families those that the VirtualService has addresses of; a tunnel takes another one if it must. */
function addressesOf(
  pod: PodRecord,
  realServer: RealServerResource,
  virtualService: VirtualServiceResource | undefined,
): readonly IpAddress[] {
  const needed = neededFamilies(virtualService);
  if (needed === undefined) return pod.ips.slice(0, 1);
  const fitting = pod.ips.filter((ip) => needed.has(ipFamily(ip)));
  return fitting.length === 0 && crossesFamilies(realServer, virtualService) ? pod.ips : fitting;
}

/** The same, for the endpoints of a Service: each family of a pod stands in a slice of its own. */
function fittingSlices(
  slices: readonly EndpointSliceRecord[],
  realServer: RealServerResource,
  virtualService: VirtualServiceResource | undefined,
): readonly EndpointSliceRecord[] {
  const usable = slices.filter(({ addressType }) => addressType !== 'FQDN');
  const [first] = usable.map(({ addressType }) => addressType).toSorted();
  const needed = neededFamilies(virtualService) ?? new Set<string>(first === undefined ? [] : [first]);
  const fitting = usable.filter(({ addressType }) => (needed as ReadonlySet<string>).has(addressType));
  return fitting.length === 0 && crossesFamilies(realServer, virtualService) ? usable : fitting;
}

function crossesFamilies(
  realServer: RealServerResource,
  virtualService: VirtualServiceResource | undefined,
): boolean {
  return (realServer.spec.forwarding?.method ?? virtualService?.spec.forwarding.method) === 'TUN';
}

/** Of two findings about one address: the one that keeps more of it alive. */
function isBetter(a: ResolvedEndpoint, b: ResolvedEndpoint): boolean {
  if (a.phase !== b.phase) return a.phase === 'Serving';
  if ((a.pod === undefined) !== (b.pod === undefined)) return a.pod !== undefined;
  return (a.deadlineMs ?? Number.POSITIVE_INFINITY) > (b.deadlineMs ?? Number.POSITIVE_INFINITY);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
