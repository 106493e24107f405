import type { VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { ObjectKey } from '../kube/index.ts';
import { computeDesiredState, describeDesired } from '../plan/index.ts';
import type {
  Allocations,
  DesiredState,
  DesiredSummary,
  EndpointCounts,
  RealServerSummary,
  Refusal,
} from '../plan/index.ts';
import type { ClusterView, Seen } from './cluster-view.ts';
import { formatTime } from './conditions.ts';
import { computeGrant } from './grant.ts';
import type { Grant } from './grant.ts';
import { describeDirectors } from './live-directors.ts';
import { behindHorizon, holdersOf } from './quarantine.ts';
import { heldVips } from './release.ts';
import { grantedForm } from './term-memory.ts';
import type { TermMemory } from './term-memory.ts';

/** What became of the newest spec of a VirtualService. */
export type Acceptance =
  | { readonly kind: 'accepted' }
  /** Nothing is wrong with it; an address that it asks for is not free yet. */
  | { readonly kind: 'waiting'; readonly reason: string; readonly message: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string };

export interface Settlement {
  readonly acceptance: Acceptance;
  /** What it has now; after a refusal, what it had before, as far as policy still allows that. */
  readonly grant: Grant | undefined;
  /** What `plan` says of it beside refusals. */
  readonly warnings: readonly Refusal[];
  /** Those behind it that are not refused. */
  readonly endpoints: EndpointCounts;
}

export interface SettledServices {
  readonly settlements: ReadonlyMap<ObjectKey, Settlement>;
  readonly realServers: ReadonlyMap<ObjectKey, RealServerSummary>;
  readonly allocations: Allocations;
}

/**
 * Which VirtualServices are accepted, on which addresses and ports. The rules are those of `plan`; what is added here
 * is patience: an address that is new to its VirtualService is granted when no director holds it for somebody else.
 */
export function settleVirtualServices(view: ClusterView, memory: TermMemory, nowMs: number): SettledServices {
  const granted = new Map<VirtualServiceResource, VirtualServiceResource>();
  for (const { entry, form } of view.virtualServices) {
    const last = grantedForm(form, memory.records.get(entry.key)?.grant);
    if (last !== undefined) granted.set(form, last);
  }
  const forms = view.virtualServices.map(({ form }) => form);
  const compute = (virtualServices: readonly VirtualServiceResource[]): DesiredState =>
    computeDesiredState({
      virtualServices,
      realServers: formsOf(view.realServers),
      addressPools: formsOf(view.addressPools),
      realServerSlices: view.realServerSlices.map(({ object }) => object),
      namespaceLabels: view.namespaceLabels,
      facts: view.facts,
      allocations: memory.allocations,
      quarantined: quarantinedFor(view, memory),
      lastAccepted: { virtualServices: [...granted.values()], realServers: [], addressPools: [] },
    });

  const first = compute(forms);
  const summary = describeDesired(first);
  const circumstances = { view, memory, nowMs };
  const waits = findWaits(summary, circumstances);
  // Who waits for a new address goes on with what he has; who has nothing keeps the new one reserved.
  const waiting = view.virtualServices.filter(({ entry, form }) => waits.has(entry.key) && granted.has(form));
  const desired =
    waiting.length === 0 ? first : compute(forms.map((form) => replacement(form, waiting, granted)));
  const inForce = desired === first ? summary : describeDesired(desired);
  return {
    settlements: describeAll(summary, inForce, waits, circumstances),
    realServers: inForce.realServers,
    allocations: desired.allocations,
  };
}

interface Circumstances {
  readonly view: ClusterView;
  readonly memory: TermMemory;
  readonly nowMs: number;
}

function formsOf<R>(list: readonly Seen<R>[]): readonly R[] {
  return list.map(({ form }) => form);
}

function replacement(
  form: VirtualServiceResource,
  waiting: readonly Seen<VirtualServiceResource>[],
  granted: ReadonlyMap<VirtualServiceResource, VirtualServiceResource>,
): VirtualServiceResource {
  return waiting.some((seen) => seen.form === form) ? (granted.get(form) ?? form) : form;
}

/**
 * What `plan` must not hand out. Who comes back for what it had may have it; that nobody else gets it meanwhile is seen
 * to by `findWaits`. The same set while nothing changes: `plan` recognises it.
 */
function quarantinedFor(view: ClusterView, { quarantine, records }: TermMemory): ReadonlySet<string> {
  const forms = new Map<ObjectKey, VirtualServiceResource>();
  if (quarantine.size > 0) for (const { entry, form } of view.virtualServices) forms.set(entry.key, form);
  const closed = [...quarantine.values()].filter(({ ip, formerOwner }) => {
    const form = formerOwner === undefined ? undefined : forms.get(formerOwner);
    if (formerOwner === undefined || form === undefined) return true;
    const isNamed = (form.spec.addresses ?? []).some((address) => address.ip === ip);
    return !isNamed && records.get(formerOwner)?.grant !== undefined;
  });
  const text = closed.map(({ ip }) => ip).join();
  const known = quarantinedSets.get(quarantine);
  if (known?.text === text) return known.set;
  const set = new Set<string>(closed.map(({ ip }) => ip));
  quarantinedSets.set(quarantine, { text, set });
  return set;
}

const quarantinedSets = new WeakMap<
  TermMemory['quarantine'],
  { readonly text: string; readonly set: ReadonlySet<string> }
>();

/** VirtualServices that were accepted with an address that they cannot have yet, and why. */
function findWaits(
  { virtualServices }: DesiredSummary,
  { view, memory: { quarantine, records, horizon }, nowMs }: Circumstances,
): ReadonlyMap<ObjectKey, Acceptance> {
  const waits = new Map<ObjectKey, Acceptance>();
  const behind = horizon === undefined ? [] : behindHorizon(horizon, view.directors, nowMs);
  const held = heldVips(records.values());
  const kept = keptVips(virtualServices, records);
  if (quarantine.size === 0 && behind.length === 0 && kept.size === held.size) return waits;
  for (const [key, { vips }] of virtualServices) {
    const own = records.get(key)?.grant?.addresses ?? [];
    for (const { ip } of vips) {
      // An address that is shared is bound for somebody else, and rightly so.
      if (kept.has(ip) || own.some((address) => address.ip === ip)) continue;
      const vip = quarantine.get(ip);
      if (vip?.formerOwner === key) continue;
      const isGivenUp = vip === undefined && held.has(ip);
      const holders = vip === undefined ? behind : holdersOf(vip, view.directors);
      if (vip === undefined && !isGivenUp && holders.length === 0) continue;
      waits.set(key, waitingFor(ip, holders));
      break;
    }
  }
  return waits;
}

/** Addresses that go on being somebody's who had them before. */
function keptVips(
  virtualServices: DesiredSummary['virtualServices'],
  records: TermMemory['records'],
): ReadonlySet<IpAddress> {
  const kept = new Set<IpAddress>();
  for (const [key, { grant }] of records) {
    const vips = virtualServices.get(key)?.vips ?? [];
    for (const { ip } of grant?.addresses ?? []) if (vips.some((vip) => vip.ip === ip)) kept.add(ip);
  }
  return kept;
}

function waitingFor(ip: IpAddress, holders: readonly string[]): Acceptance {
  const message =
    holders.length === 0
      ? `${ip} is being given up by another VirtualService; it is granted as soon as that is done.`
      : `${ip} may still be bound on ${describeDirectors(holders)} for another VirtualService; it is granted as soon as ` +
        'each of them has let go of it.';
  return { kind: 'waiting', reason: 'AddressQuarantined', message };
}

/** @param first what plan says of the newest specs @param second what it says of those that are in force */
function describeAll(
  first: DesiredSummary,
  second: DesiredSummary,
  waits: ReadonlyMap<ObjectKey, Acceptance>,
  { view, memory, nowMs }: Circumstances,
): ReadonlyMap<ObjectKey, Settlement> {
  const now = formatTime(nowMs);
  const settlements = new Map<ObjectKey, Settlement>();
  for (const { entry } of view.virtualServices) {
    const { key } = entry;
    const summary = second.virtualServices.get(key);
    const refusals = summary?.refusals ?? noRefusals;
    const errors = (first.virtualServices.get(key)?.refusals ?? refusals).filter(isError);
    const wait = waits.get(key);
    const last = memory.records.get(key)?.grant;
    // Who waits without having anything is accepted by plan, and has nothing all the same.
    const hasNothing = summary?.resource === undefined || (wait !== undefined && last === undefined);
    settlements.set(key, {
      acceptance: wait ?? acceptanceOf(errors),
      grant: hasNothing ? undefined : computeGrant(summary, last, now),
      warnings: refusals.filter((refusal) => !isError(refusal)),
      endpoints: summary?.counts ?? noEndpoints,
    });
  }
  return settlements;
}

const noRefusals: readonly Refusal[] = [];
const noEndpoints: EndpointCounts = { realServers: 0, serving: 0, draining: 0 };

function isError({ severity }: Refusal): boolean {
  return severity === 'error';
}

function acceptanceOf(errors: readonly Refusal[]): Acceptance {
  const [first] = errors;
  if (first === undefined) return { kind: 'accepted' };
  const { reason } = first;
  const message = [...new Set(errors.map((refusal) => refusal.message))].join(' ');
  return { kind: reason === 'AddressQuarantined' ? 'waiting' : 'refused', reason, message };
}
