import { formatObjectRef, objectRefOf } from '../api/index.ts';
import type { ObjectRef, VirtualPort, VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { groundOf } from './ground.ts';
import type { Pools } from './pools.ts';
import { isSameList } from './same-list.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import type { DesiredState, DesiredVirtualService, Refusal } from './types.ts';

/** A goal as the objects that it came from would tell it, for their statuses. Maps are by `namespace/name`. */
export interface DesiredSummary {
  readonly virtualServices: ReadonlyMap<string, VirtualServiceSummary>;
  readonly realServers: ReadonlyMap<string, RealServerSummary>;
}

export interface VirtualServiceSummary {
  /** The version in force, which is an older one if the newest is refused; undefined: nothing of it is served. */
  readonly resource: VirtualServiceResource | undefined;
  /** `pool` undefined: it lies in none any more that admits the namespace. */
  readonly vips: readonly { readonly ip: IpAddress; readonly pool: string | undefined }[];
  readonly ports: readonly VirtualPort[];
  /** Errors and warnings about the object itself. */
  readonly refusals: readonly Refusal[];
  readonly counts: EndpointCounts;
}

export interface RealServerSummary {
  /** Those that are served or on their way out, by address; refused ones are in `refusals`. */
  readonly endpoints: ReadonlyMap<IpAddress, EndpointState>;
  readonly refusals: readonly Refusal[];
  readonly counts: EndpointCounts;
}

/** `Idle`: there by wish, with weight 0. A last resort serves, although it is on its way out. */
export type EndpointState = 'Serving' | 'Draining' | 'Idle';

/** Endpoints, not kernel entries: one that serves three ports counts once. */
export interface EndpointCounts {
  readonly realServers: number;
  readonly serving: number;
  readonly draining: number;
}

/**
 * What to tell of each object of a goal. A summary that says what the last one said is the same object, so that writers
 * of statuses can go by identity.
 */
export function describeDesired(desired: DesiredState): DesiredSummary {
  const refusals = Map.groupBy(desired.refusals, ({ object }) => formatObjectRef(object));
  const services = Map.groupBy(desired.services.values(), ({ owner }) => nameOf(owner));
  const ground = groundOf(desired);
  const virtualServices = new Map<string, VirtualServiceSummary>();
  const realServers = new Map<string, RealServerSummary>();
  for (const [name, draft] of ground?.drafts ?? []) {
    const input = { draft, services: services.get(name) ?? [], pools: ground?.pools };
    const described = recall(input, (ref) => refusals.get(formatObjectRef(ref)) ?? noRefusals);
    virtualServices.set(name, described.virtualService);
    for (const [realServer, summary] of described.realServers) realServers.set(realServer, summary);
  }
  for (const resource of desired.accepted.realServers) {
    const name = nameOf(objectRefOf(resource));
    if (!realServers.has(name)) realServers.set(name, unfilled);
  }
  for (const list of refusals.values()) {
    const [first] = list;
    if (first === undefined) continue;
    const name = nameOf(first.object);
    if (first.object.kind === 'VirtualService' && !virtualServices.has(name)) {
      virtualServices.set(name, { ...unserved, refusals: list });
    }
    const realServer = first.object.kind === 'RealServer' ? (realServers.get(name) ?? unfilled) : undefined;
    if (realServer?.counts === noEndpoints) realServers.set(name, { ...unfilled, refusals: list });
  }
  return { virtualServices, realServers };
}

const noRefusals: readonly Refusal[] = [];
const noEndpoints: EndpointCounts = { realServers: 0, serving: 0, draining: 0 };
const unserved = { resource: undefined, vips: [], ports: [], counts: noEndpoints } as const;
const unfilled: RealServerSummary = { endpoints: new Map(), refusals: noRefusals, counts: noEndpoints };

function nameOf({ namespace, name }: ObjectRef): string {
  return `${namespace}/${name}`;
}

interface DescribeInput {
  readonly draft: VirtualServiceDraft;
  readonly services: readonly DesiredVirtualService[];
  readonly pools: Pools | undefined;
}

type RefusalsOf = (object: ObjectRef) => readonly Refusal[];

interface Described {
  readonly virtualService: VirtualServiceSummary;
  readonly realServers: ReadonlyMap<string, RealServerSummary>;
}

/** The last description of a VirtualService and its RealServers, with all that it rests on. */
interface Memory extends DescribeInput, Described {
  readonly refusals: readonly Refusal[];
  readonly owners: readonly ObjectRef[];
}

const memories = new WeakMap<VirtualServiceDraft, Memory>();

function recall(input: DescribeInput, refusalsOf: RefusalsOf): Described {
  const known = memories.get(input.draft);
  if (
    known?.pools === input.pools &&
    known !== undefined &&
    isSameList(known.services, input.services) &&
    isSameList(known.refusals, [input.draft.owner, ...known.owners].flatMap(refusalsOf))
  ) {
    return known;
  }
  const states = statesByOwner(input.services);
  const owners = [...states.values()].map(({ owner }) => owner);
  const described = describe(input, states, refusalsOf);
  const refusals = [input.draft.owner, ...owners].flatMap(refusalsOf);
  memories.set(input.draft, { ...input, ...described, owners, refusals });
  return described;
}

interface OwnedStates {
  readonly owner: ObjectRef;
  readonly endpoints: Map<IpAddress, EndpointState>;
}

/** What each RealServer has behind a VirtualService, by its name. */
function statesByOwner(services: readonly DesiredVirtualService[]): ReadonlyMap<string, OwnedStates> {
  const states = new Map<string, OwnedStates>();
  for (const { realServers } of services) {
    for (const { key, config, isDrained, isSorry, owner } of realServers.values()) {
      if (isSorry) continue;
      const name = nameOf(owner);
      let owned = states.get(name);
      if (owned === undefined) states.set(name, (owned = { owner, endpoints: new Map() }));
      if (config.weight > 0) owned.endpoints.set(key.rip, 'Serving');
      else if (!owned.endpoints.has(key.rip)) owned.endpoints.set(key.rip, isDrained ? 'Draining' : 'Idle');
    }
  }
  return states;
}

function describe(
  { draft, pools }: DescribeInput,
  states: ReadonlyMap<string, OwnedStates>,
  refusalsOf: RefusalsOf,
): Described {
  const { namespace } = draft.resource.metadata;
  const realServers = new Map<string, RealServerSummary>();
  const all = new Map<IpAddress, EndpointState>();
  for (const [name, { owner, endpoints }] of states) {
    realServers.set(name, { endpoints, refusals: refusalsOf(owner), counts: countOf(endpoints) });
    for (const [ip, state] of endpoints) if (state === 'Serving' || !all.has(ip)) all.set(ip, state);
  }
  const poolOf = (ip: IpAddress) =>
    pools?.list.find((pool) => pool.admits(namespace) && pool.addresses.has(ip))?.name;
  return {
    virtualService: {
      resource: draft.resource,
      vips: draft.vips.map((ip) => ({ ip, pool: poolOf(ip) })),
      ports: draft.resource.spec.ports,
      refusals: refusalsOf(draft.owner),
      counts: countOf(all),
    },
    realServers,
  };
}

function countOf(endpoints: ReadonlyMap<IpAddress, EndpointState>): EndpointCounts {
  let serving = 0;
  let draining = 0;
  for (const state of endpoints.values()) {
    if (state === 'Serving') serving++;
    else if (state === 'Draining') draining++;
  }
  return { realServers: endpoints.size, serving, draining };
}
